"""Search a log of any length: RE2 in linear time, a bounded part of the file a call, and where to go on."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2

from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.files.log_index import OpenLog, line_at, offset_of_line
from hpc_portal.app.files.read_log import MOST_LINE_BYTES
from hpc_portal.app.files.terminal_text import without_escapes

_BLOCK_BYTES = 128 * 1024
"""RE2's slowest patterns take seconds for a megabyte, and time is looked at after each block."""
_MOST_PATTERN_MEMORY_BYTES = 8 * 1024**2
_MOST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LogPattern:
    """What is looked for in single lines."""

    compiled: Any
    """RE2 over bytes; it publishes no types."""
    without: Any = None
    """Lines that match this, too, do not count."""

    def is_in(self, line: str) -> bool:
        """Whether the line holds it."""
        content = line.encode("utf-8", errors="replace")
        return bool(self.compiled.search(content)) and not (self.without and self.without.search(content))


@dataclass(frozen=True, slots=True)
class LogMatch:
    """A line that holds the pattern. Lines are numbered from 0."""

    line: int
    text: str
    """The line as it is shown, without escapes; of a very long one its head."""
    start: int
    """Where the first match starts in `text`, in characters; it may lie behind its end."""
    end: int


@dataclass(frozen=True, slots=True)
class SearchedLog:
    """Matches in the order of the search."""

    matches: tuple[LogMatch, ...]
    next_line: int
    """Where to go on: the next line to look at; backwards, the one that was looked at last."""
    is_over: bool
    """There is nothing more to look at now."""


def compile_pattern(text: str, *, is_regex: bool = False) -> LogPattern:
    """Upper and lower case are the same unless the pattern has an upper-case letter.

    Raises:
        InvalidEntry: RE2 cannot read it, or it would need more than linear time.
    """
    if not text or "\n" in text:
        raise InvalidEntry([Problem("search", "Enter one line of text to look for.")])
    return LogPattern(_compiled(text if is_regex else re2.escape(text), folds=text == text.lower()))


def search_forward(
    log: OpenLog, pattern: LogPattern, from_line: int, limit: int, *, seconds: float = _MOST_SECONDS
) -> SearchedLog:
    """Lines from `from_line` on that hold the pattern, at most so many and for about so long.

    A last line without newline is looked at, too.
    """
    offset = offset_of_line(log, from_line)
    if offset is None:
        return SearchedLog((), from_line, is_over=True)
    found: list[LogMatch] = []
    line, until = from_line, time.monotonic() + seconds
    for block in _blocks(log.descriptor, offset):
        for match in _matches(block, pattern, line):
            found.append(match)
            if len(found) == limit:
                return SearchedLog(tuple(found), match.line + 1, is_over=False)
        line += block.count(b"\n")
        if time.monotonic() > until:
            return SearchedLog(tuple(found), line, is_over=False)
    return SearchedLog(tuple(found), line, is_over=True)


def search_backward(
    log: OpenLog, pattern: LogPattern, before_line: int, limit: int, *, seconds: float = _MOST_SECONDS
) -> SearchedLog:
    """Lines before `before_line` that hold the pattern, the nearest first."""
    end = offset_of_line(log, before_line)
    end = log.size_bytes if end is None else end
    found: list[LogMatch] = []
    until = time.monotonic() + seconds
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        block = os.pread(log.descriptor, end - start, start)
        if start > 0:
            cut = block.find(b"\n") + 1  # 0: the line is longer than the block and is looked at in pieces
            block, start = block[cut:], start + cut
            if not block:
                block, start = os.pread(log.descriptor, cut, start - cut), start - cut
        line = line_at(log, start)
        for match in reversed(list(_matches(block, pattern, line))):
            found.append(match)
            if len(found) == limit:
                return SearchedLog(tuple(found), match.line, is_over=False)
        end = start
        if time.monotonic() > until:
            return SearchedLog(tuple(found), line, is_over=end == 0)
    return SearchedLog(tuple(found), 0, is_over=True)


def _compiled(text: str, *, folds: bool) -> Any:  # noqa: ANN401 - RE2 publishes no types
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_PATTERN_MEMORY_BYTES
    options.never_nl = True
    options.case_sensitive = not folds
    try:
        re2.compile(text.encode(), options)  # alone, so that what is wrong is said of it as it was written
        return re2.compile(f"(?m:{text})".encode(), options)
    except re2.error as error:
        problem = Problem("search", "RE2 cannot read this pattern: %(why)s.", {"why": _words_of(error)})
        raise InvalidEntry([problem]) from error


def _words_of(error: Exception) -> str:
    words = error.args[0] if error.args else ""
    return words.decode("utf-8", errors="replace") if isinstance(words, bytes) else str(words)


def _blocks(descriptor: int, offset: int) -> Iterator[bytes]:
    """Whole lines, a block at a time; of a longer line, pieces."""
    rest = b""
    while block := os.pread(descriptor, _BLOCK_BYTES, offset):
        offset += len(block)
        cut = block.rfind(b"\n") + 1
        if cut or len(rest) > _BLOCK_BYTES:
            yield rest + block[:cut]
            rest = block[cut:]
        else:
            rest += block
    if rest:
        yield rest


def _matches(block: bytes, pattern: LogPattern, first_line: int) -> Iterator[LogMatch]:
    """The lines of a block that hold the pattern."""
    content = without_escapes(block)
    line, counted, position = first_line, 0, 0
    while found := pattern.compiled.search(content, position):
        line += content.count(b"\n", counted, found.start())
        start = content.rfind(b"\n", 0, found.start()) + 1
        end = content.find(b"\n", found.end())
        end = len(content) if end < 0 else end
        counted = found.start()
        position = end + 1
        whole = content[start:end]
        if not (pattern.without and pattern.without.search(whole)):
            text = whole[:MOST_LINE_BYTES].decode("utf-8", errors="replace")
            before = content[start : found.start()].decode("utf-8", errors="replace")
            within = content[found.start() : found.end()].decode("utf-8", errors="replace")
            yield LogMatch(line, text, len(before), len(before) + len(within))
        if position > len(content):
            return


ERRORS = LogPattern(
    _compiled(
        r"\b(?:error|fatal|fail|failed|failure|traceback|assert|assertion|panic|segmentation fault)\b"
        r"|\b\w+_(?:error|fatal)\b",
        folds=True,
    ),
    without=_compiled(
        r"\b(?:0|no) (?:error|failure|fatal|failed)s?\b|(?:error|failure|fatal|failed|fail)s?\s*[:=]\s*0\b",
        folds=True,
    ),
)
"""Lines that tell of an error; not those that say there were none."""
WARNINGS = LogPattern(
    _compiled(r"\bwarning\b|%warning|\b\w+_warning\b", folds=True),
    without=_compiled(r"\b(?:0|no) warnings?\b|warnings?\s*[:=]\s*0\b", folds=True),
)
SUCCESSES = LogPattern(_compiled(r"\b(?:passed|success|successful|successfully)\b", folds=True))
