"""Read windows of a log by line number; the file may be gigabytes long and still grow."""

import contextlib
import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hpc_portal.app.files.open_file import open_file

_BLOCK_BYTES = 1024**2
_MOST_LINE_BYTES = 16 * 1024
"""What is shown of one line; the rest is counted and said, not shown."""
_MOST_WINDOW_BYTES = 1024**2
_MOST_INDEXES = 256


@dataclass(frozen=True, slots=True)
class LogWindow:
    """Some lines of a log. Lines are numbered from 0."""

    first_line: int
    lines: tuple[str, ...]
    next_line: int
    """Where to go on: the number of the first line that is not in here."""
    is_at_end: bool
    """Nothing complete follows for now."""


@dataclass(frozen=True, slots=True)
class OpenLog:
    """A log that is open for reading."""

    descriptor: int
    key: str
    """Names the file for ever: inodes are used again, job ids are not."""


@contextlib.contextmanager
def open_log(root: Path, workspace: str, relative: str) -> Iterator[OpenLog]:
    """Open a log of a job's workspace.

    Raises:
        FileNotInWorkspace: see `open_file`.
    """
    with open_file(root, workspace, relative) as descriptor:
        yield OpenLog(descriptor, f"{workspace}/{relative}")


def read_lines(log: OpenLog, first_line: int, limit: int, *, with_partial: bool) -> LogWindow:
    """Lines from `first_line` on, at most so many and at most a mebibyte of them.

    Args:
        log: from `open_log`.
        first_line: may lie beyond the end; then there are no lines.
        limit: at least 1.
        with_partial: also take a last line that has no newline yet; a job that has ended will not finish it.
    """
    offset = _index_of(log).offset_of(log.descriptor, first_line)
    if offset is None:
        return LogWindow(first_line, (), first_line, is_at_end=True)
    lines: list[str] = []
    size = 0
    for line in _lines(log.descriptor, offset):
        if len(lines) == limit or size > _MOST_WINDOW_BYTES:
            return LogWindow(first_line, tuple(lines), first_line + len(lines), is_at_end=False)
        if not line.is_complete and not with_partial:
            break
        lines.append(line.text)
        size += len(line.text)
    return LogWindow(first_line, tuple(lines), first_line + len(lines), is_at_end=True)


def read_tail(log: OpenLog, limit: int, *, with_partial: bool) -> LogWindow:
    """The last lines."""
    total = count_lines(log, with_partial=with_partial)
    return read_lines(log, max(0, total - limit), limit, with_partial=with_partial)


def count_lines(log: OpenLog, *, with_partial: bool) -> int:
    """How many lines there are now."""
    size = os.fstat(log.descriptor).st_size
    complete = _index_of(log).lines_before(log.descriptor, size)
    ends_open = size > 0 and os.pread(log.descriptor, 1, size - 1) != b"\n"
    return complete + (with_partial and ends_open)


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    is_complete: bool


def _lines(descriptor: int, offset: int) -> Iterator[_Line]:
    """Lines from a byte offset on; of a very long line only its head is kept in memory."""
    head, length = b"", 0
    while block := os.pread(descriptor, _BLOCK_BYTES // 4, offset):
        offset += len(block)
        *ended, rest = block.split(b"\n")
        for part in ended:
            yield _Line(_shown(head + part[: _MOST_LINE_BYTES - len(head)], length + len(part)), True)
            head, length = b"", 0
        head += rest[: _MOST_LINE_BYTES - len(head)]
        length += len(rest)
    if length:
        yield _Line(_shown(head, length), is_complete=False)


def _shown(head: bytes, length: int) -> str:
    text = head.decode("utf-8", errors="replace").removesuffix("\r")
    hidden = length - len(head)
    return f"{text}… [{hidden} more bytes of this line: download the file]" if hidden else text


class _NewlineIndex:
    """How many newlines each whole block of a file holds, counted once."""

    def __init__(self) -> None:
        self._before: list[int] = [0]
        """_before[n]: newlines in the first n blocks."""
        self._lock = threading.Lock()

    def lines_before(self, descriptor: int, size: int) -> int:
        """Newlines in the first `size` bytes."""
        blocks = size // _BLOCK_BYTES
        with self._lock:
            self._extend(descriptor, blocks)
            counted = self._before[blocks]
        rest = os.pread(descriptor, size - blocks * _BLOCK_BYTES, blocks * _BLOCK_BYTES)
        return counted + rest.count(b"\n")

    def offset_of(self, descriptor: int, line: int) -> int | None:
        """Where a line starts; None when there are not so many newlines."""
        if line <= 0:
            return 0
        with self._lock:
            self._extend(descriptor, os.fstat(descriptor).st_size // _BLOCK_BYTES)
            block = bisect_right(self._before, line - 1) - 1
            missing = line - self._before[block]
        content = os.pread(descriptor, _BLOCK_BYTES, block * _BLOCK_BYTES)
        position = -1
        for _ in range(missing):
            position = content.find(b"\n", position + 1)
            if position < 0:
                return None
        return block * _BLOCK_BYTES + position + 1

    def _extend(self, descriptor: int, blocks: int) -> None:
        if blocks < len(self._before) - 1:  # the file was cut, by a program that starts its log anew
            self._before = [0]
        for block in range(len(self._before) - 1, blocks):
            content = os.pread(descriptor, _BLOCK_BYTES, block * _BLOCK_BYTES)
            self._before.append(self._before[-1] + content.count(b"\n"))


_indexes: OrderedDict[tuple[str, int], _NewlineIndex] = OrderedDict()
_indexes_lock = threading.Lock()


def _index_of(log: OpenLog) -> _NewlineIndex:
    """The index of this very file; the least used ones are forgotten."""
    key = (log.key, os.fstat(log.descriptor).st_ino)
    with _indexes_lock:
        index = _indexes.setdefault(key, _NewlineIndex())
        _indexes.move_to_end(key)
        while len(_indexes) > _MOST_INDEXES:
            _indexes.popitem(last=False)
    return index
