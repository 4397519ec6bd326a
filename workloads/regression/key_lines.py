"""Where in a TOML text a key stands, which Python's parser does not tell."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence

_TABLE = re.compile(r"^\s*\[{1,2}([^\[\]]+)\]{1,2}\s*(#.*)?$")
_KEY = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)


def line_of(text: str, path: Sequence[str]) -> int:
    """The line, from 1, where the key or table at `path` is first written, or of the innermost part that is.

    What is missing altogether belongs to the first line.
    """
    best, best_depth = 1, 0
    for number, found in _keys(text):
        depth = _shared(found, path)
        if depth > best_depth:
            best, best_depth = number, depth
    return best


def _keys(text: str) -> Iterator[tuple[int, list[str]]]:
    table: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if match := _TABLE.match(line):
            table = _parts(match[1])
            yield number, table
        elif match := _KEY.match(line):
            yield number, table + _parts(match[1])


def _parts(dotted: str) -> list[str]:
    try:
        inner: object = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return []
    found = []
    while isinstance(inner, Mapping):
        [(name, inner)] = inner.items()
        found.append(name)
    return found


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    depth = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        depth += 1
    return depth
