"""Which line of a TOML text a key stands on: tomllib tells the values, but not where they came from."""

import re
from collections.abc import Mapping, Sequence

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_KEY = re.compile(rf"^\s*({_DOTTED})\s*=\s*(.*)$")
_ONE = re.compile(_PART)

Key = tuple[str | int, ...]


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line, from 1, where the key or table at `path` is first written, or of the innermost part that is.

    Numbers count the tables of an array of tables. What is missing altogether belongs to the first line.
    """
    lines = _key_lines(text)
    parts = tuple(path)
    return next((lines[parts[:length]] for length in range(len(parts), 0, -1) if parts[:length] in lines), 1)


def _key_lines(text: str) -> Mapping[Key, int]:
    """The line of every table and of every key that begins a line; inline tables have their key's."""
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
            _note(found, table, number)
        elif key := _KEY.match(line):
            _note(found, (*table, *_parts(key[1])), number)
            closing = next((mark for mark in ('"""', "'''") if key[2].startswith(mark)), "")
            if closing and closing in key[2][3:]:
                closing = ""
    return found


def _note(found: dict[Key, int], key: Key, line: int) -> None:
    """Also what it is part of: `[tests.a]` may be the first that is said of `tests`."""
    for length in range(1, len(key) + 1):
        found.setdefault(key[:length], line)


def _parts(dotted: str) -> Key:
    return tuple(part.strip("\"'") for part in _ONE.findall(dotted))
