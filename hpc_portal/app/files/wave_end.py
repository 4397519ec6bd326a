"""When a waveform ends, from its own bytes: the library tells it only by reading all changes."""

import os
import re
import struct

_TAIL_BYTES = 64 * 1024
_VCD_TIME = re.compile(rb"(?:^|\s)#(\d{1,19})(?=\s|$)")
_FST_HEADER = struct.Struct(">BQQQ")
"""Kind of the block, its length, first and last time: FST_BL_HDR in GTKWave's fstapi.c."""
_FST_HEADER_KIND, _FST_HEADER_LENGTH = 0, 329


def last_time(descriptor: int, form: str) -> int | None:
    """In the file's own ticks; None where one of this form does not say so in its first or last bytes."""
    match form:
        case "FST":
            return _of_fst(os.pread(descriptor, _FST_HEADER.size, 0))
        case "VCD":
            return _of_vcd(descriptor)
    return None


def _of_fst(head: bytes) -> int | None:
    """None of one that is compressed as a whole."""
    if len(head) < _FST_HEADER.size:
        return None
    kind, length, _, end = _FST_HEADER.unpack(head)
    is_header = (kind, length) == (_FST_HEADER_KIND, _FST_HEADER_LENGTH)
    return int(end) or None if is_header else None


def _of_vcd(descriptor: int) -> int | None:
    tail = os.pread(descriptor, _TAIL_BYTES, max(0, os.fstat(descriptor).st_size - _TAIL_BYTES))
    times = _VCD_TIME.findall(tail)
    return int(times[-1]) if times else None
