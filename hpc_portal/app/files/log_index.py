"""Where the lines of a log start: a sparse index, counted once and on as the log grows."""

import contextlib
import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hpc_portal.app.files.open_file import open_file

_BLOCK_BYTES = 256 * 1024
_MARK_BYTES = 64
_MOST_INDEXES = 256
"""Of a process, in memory: 32 KB for each GB of log. Counting anew costs less than storing would."""


@dataclass(frozen=True, slots=True)
class OpenLog:
    """A log that is open for reading."""

    descriptor: int
    key: str
    """Names the file for ever: inodes are used again, job ids are not."""

    @property
    def size_bytes(self) -> int:
        """How long it is now."""
        return os.fstat(self.descriptor).st_size

    @property
    def inode(self) -> int:
        """Which file it is, among those that had its name."""
        return os.fstat(self.descriptor).st_ino


@contextlib.contextmanager
def open_log(root: Path, workspace: str, relative: str) -> Iterator[OpenLog]:
    """Open a log of a job's workspace.

    Raises:
        FileNotInWorkspace: see `open_file`.
    """
    with open_file(root, workspace, relative) as descriptor:
        yield OpenLog(descriptor, f"{workspace}/{relative}")


def offset_of_line(log: OpenLog, line: int) -> int | None:
    """Where a line starts, counted from 0; None when there are not so many newlines."""
    return _index_of(log).offset_of(log.descriptor, line)


def line_at(log: OpenLog, offset: int) -> int:
    """The number of the line that the byte at `offset` belongs to."""
    return _index_of(log).lines_before(log.descriptor, offset)


def count_lines(log: OpenLog, *, with_partial: bool) -> int:
    """How many lines there are now."""
    size = log.size_bytes
    complete = line_at(log, size)
    ends_open = size > 0 and os.pread(log.descriptor, 1, size - 1) != b"\n"
    return complete + (with_partial and ends_open)


class _NewlineIndex:
    """How many newlines each whole block of a file holds."""

    def __init__(self) -> None:
        self._before: list[int] = [0]
        """_before[n]: newlines in the first n blocks."""
        self._mark = b""
        """The end of the last counted block: other bytes there mean that the log was started anew."""
        self._lock = threading.Lock()

    def lines_before(self, descriptor: int, size: int) -> int:
        """Newlines in the first `size` bytes."""
        blocks = size // _BLOCK_BYTES
        with self._lock:
            self._extend(descriptor)
            blocks = min(blocks, len(self._before) - 1)
            counted = self._before[blocks]
        rest = os.pread(descriptor, size - blocks * _BLOCK_BYTES, blocks * _BLOCK_BYTES)
        return counted + rest.count(b"\n")

    def offset_of(self, descriptor: int, line: int) -> int | None:
        """Where a line starts; None when there are not so many newlines."""
        if line <= 0:
            return 0
        with self._lock:
            self._extend(descriptor)
            block = bisect_right(self._before, line - 1) - 1
            missing = line - self._before[block]
        content = os.pread(descriptor, _BLOCK_BYTES, block * _BLOCK_BYTES)
        position = -1
        for _ in range(missing):
            position = content.find(b"\n", position + 1)
            if position < 0:
                return None
        return block * _BLOCK_BYTES + position + 1

    def _extend(self, descriptor: int) -> None:
        blocks = os.fstat(descriptor).st_size // _BLOCK_BYTES
        counted = len(self._before) - 1
        if counted and (blocks < counted or _mark(descriptor, counted) != self._mark):
            self._before = [0]
            counted = 0
        if blocks == counted:
            return
        for block in range(counted, blocks):
            content = os.pread(descriptor, _BLOCK_BYTES, block * _BLOCK_BYTES)
            self._before.append(self._before[-1] + content.count(b"\n"))
        self._mark = _mark(descriptor, blocks)


def _mark(descriptor: int, blocks: int) -> bytes:
    return os.pread(descriptor, _MARK_BYTES, blocks * _BLOCK_BYTES - _MARK_BYTES)


_indexes: OrderedDict[tuple[str, int], _NewlineIndex] = OrderedDict()
_indexes_lock = threading.Lock()


def _index_of(log: OpenLog) -> _NewlineIndex:
    """The index of this very file; the least used ones are forgotten."""
    key = (log.key, log.inode)
    with _indexes_lock:
        index = _indexes.setdefault(key, _NewlineIndex())
        _indexes.move_to_end(key)
        while len(_indexes) > _MOST_INDEXES:
            _indexes.popitem(last=False)
    return index
