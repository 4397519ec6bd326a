"""Read windows of a log by line number; the file may be gigabytes long and still grow."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hpc_portal.app.files.log_index import OpenLog, count_lines, offset_of_line

_PIECE_BYTES = 256 * 1024
_OPEN_LINE_BYTES = 64 * 1024
MOST_LINE_BYTES = 16 * 1024
"""What is shown of one line; the rest is counted and said, not shown."""
_MOST_WINDOW_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A place in a log that was reached by reading, so that reading on needs no search for it."""

    line: int
    offset: int
    inode: int

    def is_in(self, log: OpenLog) -> bool:
        """Whether the log is still the one that was read; false once it was started anew."""
        return log.inode == self.inode and log.size_bytes >= self.offset


@dataclass(frozen=True, slots=True)
class LogWindow:
    """Some lines of a log, as a terminal shows them at last. Lines are numbered from 0."""

    first_line: int
    lines: tuple[str, ...]
    next_line: int
    """Where to go on: the number of the first line that is not in here."""
    is_at_end: bool
    """Nothing complete follows for now."""
    hidden_bytes: Mapping[int, int] = field(default_factory=dict)
    """Of lines too long to show, by their number: how many bytes are left out."""
    next_place: LogPlace | None = None
    """The same as `next_line`; None without a file."""


def texts(window: LogWindow) -> list[str]:
    """The lines; those that are too long to show say so themselves."""
    said = list(window.lines)
    for line, count in window.hidden_bytes.items():
        said[line - window.first_line] += f"… [{count} more bytes of this line: download the file]"
    return said


def empty_window(line: int) -> LogWindow:
    """Nothing there yet."""
    return LogWindow(line, (), line, is_at_end=True)


def find_place(log: OpenLog, line: int) -> LogPlace | None:
    """Where a line starts; None beyond the end."""
    offset = offset_of_line(log, line)
    return None if offset is None else LogPlace(line, offset, log.inode)


def read_lines(log: OpenLog, first_line: int, limit: int, *, with_partial: bool) -> LogWindow:
    """Lines from `first_line` on, at most so many and at most a mebibyte of them.

    Args:
        log: from `open_log`.
        first_line: may lie beyond the end; then there are no lines.
        limit: at least 1.
        with_partial: also take a last line that has no newline yet; a job that has ended will not finish it.
    """
    place = find_place(log, first_line)
    return read_on(log, place, limit, with_partial=with_partial) if place else empty_window(first_line)


def read_on(log: OpenLog, place: LogPlace, limit: int, *, with_partial: bool) -> LogWindow:
    """The same from a place on that was reached before; costs nothing when nothing was written since."""
    lines: list[str] = []
    hidden: dict[int, int] = {}
    size, offset, is_at_end = 0, place.offset, True
    for line in _lines(log.descriptor, place.offset):
        if len(lines) == limit or size > _MOST_WINDOW_BYTES:
            is_at_end = False
            break
        if not line.is_complete and not with_partial:
            break
        if line.hidden_bytes:
            hidden[place.line + len(lines)] = line.hidden_bytes
        lines.append(line.text)
        size += len(line.text)
        offset = line.end
    reached = LogPlace(place.line + len(lines), offset, place.inode)
    return LogWindow(place.line, tuple(lines), reached.line, is_at_end, hidden, reached)


def read_tail(log: OpenLog, limit: int, *, with_partial: bool) -> LogWindow:
    """The last lines."""
    total = count_lines(log, with_partial=with_partial)
    return read_lines(log, max(0, total - limit), limit, with_partial=with_partial)


def read_open_line(log: OpenLog, place: LogPlace) -> str:
    """What a line that has no newline yet shows now, as a progress bar does; empty when there is none.

    Args:
        log: from `open_log`.
        place: where the line starts: after the last complete one.
    """
    length = log.size_bytes - place.offset
    if length <= 0:
        return ""
    start = place.offset
    if length > _OPEN_LINE_BYTES:
        tail = os.pread(log.descriptor, _OPEN_LINE_BYTES, place.offset + length - _OPEN_LINE_BYTES)
        returned = tail.find(b"\r")
        start = place.offset + length - _OPEN_LINE_BYTES + returned if returned >= 0 else start
    line = _Collected(start)
    line.add(os.pread(log.descriptor, _OPEN_LINE_BYTES, start).partition(b"\n")[0])
    return line.text


@dataclass(slots=True)
class _Collected:
    """One line while it is read; of a very long one only its head is kept in memory.

    A carriage return starts the line over, as on a terminal: of a progress bar its last state is left.
    """

    end: int
    """Where the next line starts."""
    is_complete: bool = False
    _head: bytes = b""
    _length: int = 0
    _returned: bool = False

    def add(self, part: bytes) -> None:
        for number, piece in enumerate(part.split(b"\r")):
            self._returned |= number > 0
            if piece and self._returned:
                self._head, self._length, self._returned = b"", 0, False
            self._head += piece[: MOST_LINE_BYTES - len(self._head)]
            self._length += len(piece)

    @property
    def text(self) -> str:
        return self._head.decode("utf-8", errors="replace")

    @property
    def hidden_bytes(self) -> int:
        return self._length - len(self._head)


def _lines(descriptor: int, offset: int) -> Iterator[_Collected]:
    line, start = _Collected(offset), offset
    while block := os.pread(descriptor, _PIECE_BYTES, offset):
        offset += len(block)
        *ended, rest = block.split(b"\n")
        for part in ended:
            line.add(part)
            line.end += len(part) + 1
            line.is_complete = True
            yield line
            line, start = _Collected(line.end), line.end
        line.add(rest)
        line.end += len(rest)
    if line.end > start:
        yield line
