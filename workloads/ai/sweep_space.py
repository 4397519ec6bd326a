"""The space of a sweep: what each parameter may be, written as one line, and values drawn from it."""

import math
import random
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from workloads.template import N_

Value: TypeAlias = int | float | str
_MOST_CHOICES = 100
_LARGEST = 1e300
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_FORM = N_(
    "needs a line such as: float 0.0001 0.1 log, int 16 256, or choice 32 64 128; log is for ranges above 0"
)
_ORDER = N_("the lowest value must be below the highest")
_CHOICES = N_("a choice has between 1 and 100 different values")


@dataclass(frozen=True, slots=True)
class Range:
    """Every number from low to high, both included."""

    low: float
    high: float
    is_whole: bool
    is_log: bool

    def at(self, share: float) -> Value:
        """The number that lies so far (0 to 1) on the range's own scale; rounding never leads out of it."""
        if self.is_log:
            found = math.exp(math.log(self.low) * (1 - share) + math.log(self.high) * share)
        else:
            found = self.low * (1 - share) + self.high * share
        found = min(max(found, self.low), self.high)
        return round(found) if self.is_whole else found

    def points(self, count: int) -> list[Value]:
        """So many numbers evenly on its scale, the ends among them; fewer where it has no more."""
        if self.is_whole and self.high - self.low < count:
            return list(range(int(self.low), int(self.high) + 1))
        steps = max(1, count - 1)
        return list(dict.fromkeys(self.at(place / steps) for place in range(count)))

    def draw(self, chance: random.Random) -> Value:
        """One at random, uniform on its scale."""
        if self.is_whole and not self.is_log:
            return chance.randint(int(self.low), int(self.high))
        return self.at(chance.random())

    def written(self) -> dict[str, object]:
        """As shared_trial.py reads it."""
        kind = "int" if self.is_whole else "float"
        low, high = (int(end) if self.is_whole else end for end in (self.low, self.high))
        return {"kind": kind, "low": low, "high": high, "log": self.is_log}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these; they have no order."""

    values: tuple[Value, ...]

    def points(self, count: int) -> list[Value]:
        """All of them, however many points ranges have."""
        del count
        return list(self.values)

    def draw(self, chance: random.Random) -> Value:
        """One at random."""
        return chance.choice(self.values)

    def written(self) -> dict[str, object]:
        """As shared_trial.py reads it."""
        return {"kind": "choice", "choices": list(self.values)}


Dimension: TypeAlias = Range | Choice


def read_dimension(text: str) -> Dimension:
    """`float LOW HIGH [log]`, `int LOW HIGH [log]` or `choice VALUE ...`, words as a shell quotes them.

    Raises:
        ValueError: with a sentence that is marked for translation.
    """
    try:
        kind, *words = shlex.split(text)
    except ValueError:
        raise ValueError(_FORM) from None
    match kind:
        case "choice":
            values = tuple(dict.fromkeys(map(_value, words)))
            if not 1 <= len(values) == len(words) <= _MOST_CHOICES:
                raise ValueError(_CHOICES)
            return Choice(values)
        case "float" | "int":
            return _read_range(words, is_whole=kind == "int")
    raise ValueError(_FORM)


def grid(space: Mapping[str, Dimension], points: int) -> Iterator[dict[str, Value]]:
    """Every combination, the last parameter first to change."""
    for values in product(*(dimension.points(points) for dimension in space.values())):
        yield dict(zip(space, values, strict=True))


def grid_size(space: Mapping[str, Dimension], points: int) -> int:
    """How many combinations there are, without making them."""
    return math.prod(len(dimension.points(points)) for dimension in space.values())


def draw(space: Mapping[str, Dimension], trials: int, seed: int) -> list[dict[str, Value]]:
    """Values of so many trials at random; the same seed gives the same."""
    chance = random.Random(seed)  # noqa: S311 - a search, not a secret
    return [{name: dimension.draw(chance) for name, dimension in space.items()} for _ in range(trials)]


def _read_range(words: list[str], *, is_whole: bool) -> Range:
    is_log = words[2:] == ["log"]
    ends = [_value(word) for word in words[:2]]
    if len(words) != 2 + is_log or any(isinstance(end, str) for end in ends):
        raise ValueError(_FORM)
    low, high = map(float, ends)
    if (is_whole and not all(isinstance(end, int) for end in ends)) or (is_log and low <= 0):
        raise ValueError(_FORM)
    if low >= high:
        raise ValueError(_ORDER)
    return Range(low, high, is_whole, is_log)


def _value(word: str) -> Value:
    """A whole number, a number, or the word itself."""
    if _WHOLE.fullmatch(word):
        return int(word)
    try:
        number = float(word)
    except ValueError:
        return word
    return number if abs(number) < _LARGEST else word
