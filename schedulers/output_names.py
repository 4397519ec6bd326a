"""Reads sbatch's patterns in the names of output files: `logs/%x-%j_%3a.out`. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_PLACEHOLDER = re.compile(r"%(\d?)([jAabxu%])")
_NUMBERS = frozenset("ab")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One of %j %A %a %b %x %u; a width fills numbers up with zeros."""

    letter: str
    width: int = 0

    def fill(self, value: str) -> str:
        """The value with as many leading zeros as it needs; only %a and %b are numbers."""
        return value.zfill(self.width) if self.letter in _NUMBERS else value


def pieces(pattern: str) -> Iterator[str | Placeholder]:
    """Literal text and placeholders in turn; %% is a percent sign, any other %x stands for itself."""
    place = 0
    for match in _PLACEHOLDER.finditer(pattern):
        if match.start() > place:
            yield pattern[place : match.start()]
        yield "%" if match[2] == "%" else Placeholder(match[2], int(match[1] or 0))
        place = match.end()
    if place < len(pattern):
        yield pattern[place:]


def render(pattern: str, *, literal: Callable[[str], str], placeholder: Callable[[Placeholder], str]) -> str:
    """The pattern in another notation, piece by piece."""
    return "".join(
        placeholder(piece) if isinstance(piece, Placeholder) else literal(piece) for piece in pieces(pattern)
    )
