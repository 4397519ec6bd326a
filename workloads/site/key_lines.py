"""Which line of a TOML text a key stands on: tomllib tells the values, but not where they came from."""

import re
from collections.abc import Mapping, Sequence

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_KEY = re.compile(rf"^\s*({_DOTTED})\s*=\s*(.*)$")
_ONE = re.compile(_PART)

Key = tuple[str | int, ...]


def key_lines(text: str) -> Mapping[Key, int]:
    """The line, from 1, of every table and every key that begins a line; inline tables have their key's."""
    found: dict[Key, int] = {}
    table: Key = ()
    counts: dict[Key, int] = {}
    closing = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if closing:
            closing = "" if closing in line else closing
            continue
        if header := _TABLE.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                found.setdefault(table, number)
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_parts(key[1])), number)
            closing = next((mark for mark in ('"""', "'''") if key[2].startswith(mark)), "")
            if closing and closing in key[2][3:]:
                closing = ""
    return found


def line_of(key: Sequence[str | int], lines: Mapping[Key, int]) -> int | None:
    """The line of a key, or of what it is part of; None for the document as a whole."""
    for length in range(len(key), 0, -1):
        if tuple(key[:length]) in lines:
            return lines[tuple(key[:length])]
    return None


def _parts(dotted: str) -> Key:
    return tuple(part.strip("\"'") for part in _ONE.findall(dotted))
