"""Delay tables of a library: bilinear in the input's slew and the output's load."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Values over slew (ns) x load (pF); an axis of one point is constant along it."""

    slews: tuple[float, ...]
    loads: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    """One row a slew, in ns."""

    def at(self, slew: float, load: float) -> float:
        """Interpolated; beyond the edges extrapolated from the last two points, as STA tools do."""
        row, across = _bracket(self.slews, slew)
        column, along = _bracket(self.loads, load)
        low = _between(self.values[row], column, along)
        if len(self.slews) == 1:
            return low
        return low + across * (_between(self.values[row + 1], column, along) - low)


def linear(intrinsic: float, resistance: float) -> Table:
    """The generic CMOS delay model: `intrinsic + resistance * load`."""
    return Table((0.0,), (0.0, 1.0), ((intrinsic, intrinsic + resistance),))


def _bracket(axis: Sequence[float], at: float) -> tuple[int, float]:
    """The interval's first index, and how far along it `at` lies."""
    if len(axis) == 1:
        return 0, 0.0
    index = min(max(bisect_right(axis, at) - 1, 0), len(axis) - 2)
    return index, (at - axis[index]) / (axis[index + 1] - axis[index])


def _between(row: Sequence[float], column: int, along: float) -> float:
    if len(row) == 1:
        return row[0]
    return row[column] + along * (row[column + 1] - row[column])
