"""Takes Slurm's hostlists apart: `gpu[01-03,7],eda1` names five nodes. Pure."""

import math
import re
from collections.abc import Iterator
from itertools import product

from schedulers.errors import InvalidJobSpec

MAX_HOSTS = 10_000
_PART = re.compile(r"[^,\[\]]+|\[[^\[\]]*\]")
_RANGE = re.compile(r"^(\d{1,9})(?:-(\d{1,9}))?$")


def expand(text: str) -> tuple[str, ...]:
    """The names in the order they are written, each once; numbers keep their leading zeros.

    Raises:
        InvalidJobSpec: it is no hostlist, or names more than MAX_HOSTS nodes.
    """
    names: dict[str, None] = {}
    written = 0  # with those that come twice: `a[1,1][1,1]` is one name and four combinations
    for item in _items(text):
        pieces = [_members(part, text) for part in _PART.findall(item)]
        if "".join(_PART.findall(item)) != item or not pieces:
            raise _malformed(text)
        written += math.prod(map(len, pieces))
        if written > MAX_HOSTS:
            raise _malformed(text)
        names |= dict.fromkeys(map("".join, product(*pieces)))
    return tuple(names)


def _items(text: str) -> Iterator[str]:
    """Split at the commas outside brackets."""
    start = depth = 0
    for place, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char == "," and not depth:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()


def _members(part: str, text: str) -> list[str]:
    if not part.startswith("["):
        return [part]
    found: list[str] = []
    for piece in part[1:-1].split(","):
        match = _RANGE.match(piece.strip())
        if match is None:
            raise _malformed(text)
        first, last = match[1], match[2] or match[1]
        width = len(first) if first.startswith("0") else 0
        count = int(last) - int(first) + 1
        if count < 1 or count + len(found) > MAX_HOSTS:
            raise _malformed(text)
        found += [str(number).zfill(width) for number in range(int(first), int(last) + 1)]
    return found


def _malformed(text: str) -> InvalidJobSpec:
    return InvalidJobSpec(
        "nodelist", "%(text)r is not a list of nodes such as gpu01 or gpu[01-04],eda1", text=text
    )
