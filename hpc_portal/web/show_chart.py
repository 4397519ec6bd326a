"""The rows of a report as bars: columns for days and months, lines of a list for everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, partial

from hpc_portal.app.reports.document import Amount, Cell, Month, Share, Table
from hpc_portal.app.reports.written import write

_MOST_COLUMNS = 92
_MOST_LINES = 12
_HEIGHT, _WIDTH = 120, 960
"""Of the drawing, in its own units."""
_GAP_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Bar:
    """One value. Lengths are of the longest bar, in the drawing's units."""

    label: str
    text: str
    x: float
    y: float
    width: float
    height: float
    percent: int


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn above a table that says the same."""

    title: str
    bars: Sequence[Bar]
    is_over_time: bool
    most: str
    """The largest value, as text."""
    width: int = _WIDTH
    height: int = _HEIGHT


def chart_of(table: Table, measure: str, language: str) -> Chart | None:
    """The measure by the table's first column; None where there is nothing to compare."""
    keys = [column.key for column in table.columns]
    if measure not in keys or not table.rows:
        return None
    place = keys.index(measure)
    sums: dict[str, tuple[Cell, list[Cell]]] = {}
    label_of = cache(partial(write, language=language))  # a day comes once for each person
    for row in table.rows:
        label = label_of(row[0])
        sums.setdefault(label, (row[0], []))[1].append(row[place])
    points = [(label, head, _sum(values)) for label, (head, values) in sums.items()]
    is_over_time = isinstance(points[0][1], Month | date)
    shown = points[-_MOST_COLUMNS:] if is_over_time else points[:_MOST_LINES]
    most = max((_size(value) for _, _, value in shown), default=0.0)
    if len(shown) < 2 or most <= 0:  # noqa: PLR2004 - one bar compares nothing
        return None
    step = _WIDTH / len(shown)
    bars = [
        _bar(label, value, number * step, step, _size(value) / most, language)
        for number, (label, _, value) in enumerate(shown)
    ]
    largest = max(shown, key=lambda point: _size(point[2]))
    return Chart(table.columns[place].title, bars, is_over_time, write(largest[2], language))


def _bar(label: str, value: Cell, x: float, step: float, share: float, language: str) -> Bar:  # noqa: PLR0913, PLR0917 - geometry
    height = round(max(share, 0) * _HEIGHT, 2)
    return Bar(
        label=label,
        text=write(value, language),
        x=round(x + step * _GAP_SHARE / 2, 2),
        y=round(_HEIGHT - height, 2),
        width=round(step * (1 - _GAP_SHARE), 2),
        height=height,
        percent=round(100 * max(share, 0)),
    )


def _sum(values: Sequence[Cell]) -> Cell:
    amounts = [value for value in values if isinstance(value, Amount)]
    if amounts:
        return Amount(amounts[0].asset, sum(one.amount for one in amounts))
    shares = [value for value in values if isinstance(value, Share)]
    if shares:
        return Share(sum(one.part for one in shares), sum(one.whole for one in shares))
    return sum(value for value in values if isinstance(value, int))


def _size(value: Cell) -> float:
    match value:
        case Amount(_, amount):
            return float(amount)
        case Share():
            return value.ratio or 0.0
        case int():
            return float(value)
    return 0.0
