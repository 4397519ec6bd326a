"""Patterns of administrators over logs of tenants: RE2, linear in the text whatever the pattern."""

from collections.abc import Iterator, Sequence
from typing import Any

import re2

_MOST_MEMORY_BYTES = 8 * 1024**2
"""What one pattern may take when compiled; RE2 refuses what would need more."""


class InvalidPattern(ValueError):
    """RE2 cannot read the pattern; the message is its own words."""


def _options() -> Any:  # noqa: ANN401 - RE2 publishes no types
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY_BYTES
    return options


class Pattern:
    """One compiled pattern, searched for in single lines of bytes."""

    __slots__ = ("_compiled", "groups", "text")

    def __init__(self, text: str) -> None:
        """Compile it.

        Raises:
            InvalidPattern: it is none, or needs more than linear time (look-around, back references).
        """
        try:
            self._compiled = re2.compile(text.encode(), _options())
        except re2.error as error:
            raise InvalidPattern(_words_of(error)) from error
        self.text = text
        self.groups: int = self._compiled.groups

    def group_in(self, line: bytes) -> str | None:
        """What the first group matched, or all of it where there is no group; None: no match."""
        found = self._compiled.search(line)
        if found is None:
            return None
        value = found.group(1 if self.groups else 0)
        return None if value is None else value.decode("utf-8", errors="replace")


class PatternSet:
    """Many patterns searched for in one pass over a line."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._set = None
        if patterns:
            self._set = re2.Set.SearchSet(_options())
            for pattern in patterns:
                self._set.Add(pattern.text.encode())
            self._set.Compile()

    def found_in(self, line: bytes) -> Iterator[int]:
        """The numbers of the patterns that match somewhere in the line."""
        if self._set is not None:
            yield from self._set.Match(line) or ()


def _words_of(error: Exception) -> str:
    words = error.args[0] if error.args else ""
    return words.decode(errors="replace") if isinstance(words, bytes) else str(words)
