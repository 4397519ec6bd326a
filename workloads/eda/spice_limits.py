"""Limits of measured quantities as a line of text: `period 1e-10..3e-10 s`; pure."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints

from workloads.eda.sources import written_as
from workloads.template import N_

_NUMBER = r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"
_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
_UNIT = r"[A-Za-z%][A-Za-z0-9/%]{0,15}"
_PATTERN = rf"(?P<name>{_NAME})( (?P<low>{_NUMBER})?\.\.(?P<high>{_NUMBER})?)?( (?P<unit>{_UNIT}))?"
_PARTS = re.compile(_PATTERN)

Limit = Annotated[
    str,
    StringConstraints(max_length=200),
    written_as(_PATTERN, N_("a measure is NAME LOW..HIGH UNIT, such as period 1e-10..3e-10 s")),
]
"""`NAME`, `NAME LOW..HIGH`, `NAME ..HIGH UNIT`: either bound may be left out, and so may the unit."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of the deck and what it should be."""

    name: str
    low: float | None
    high: float | None
    unit: str

    def accepts(self, value: float) -> bool:
        """Whether the value is within the limits, bounds included."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    @property
    def bounds(self) -> str:
        """The limits as they are written: `1e-10..3e-10`; `..` when there are none."""
        return "..".join("" if bound is None else f"{bound:g}" for bound in (self.low, self.high))


def read_limit(text: str) -> Measure:
    """The measure that a `Limit` describes."""
    found = _PARTS.fullmatch(text)
    assert found is not None, text  # noqa: S101 - the form takes nothing else
    low, high = (None if found[side] is None else float(found[side]) for side in ("low", "high"))
    return Measure(found["name"], low, high, found["unit"] or "")
