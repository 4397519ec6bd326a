"""The history of a campaign's name in the words of its page: trends of each test, curves of all of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpc_portal.app.campaigns.compare import ChangedCells, Comparison
from hpc_portal.app.campaigns.history import CampaignPoint, HistoryPoint, RowHistory
from hpc_portal.web.language import Language
from hpc_portal.web.words import Word
from workloads.template import N_

_WIDTH, _HEIGHT = 96, 24
_MARGIN = 3
_FEW = 2
"""Points that a line needs."""

NEWLY_FAILING = Word("circle-x", N_("Newly failing"), "bad")
NEWLY_PASSING = Word("circle-check", N_("Newly passing"), "good")
STILL_FAILING = Word("alert-triangle", N_("Still failing"), "late")


@dataclass(frozen=True, slots=True)
class Spark:
    """A small line of one number over campaigns, the oldest on the left, the lowest value at the bottom."""

    points: str
    """For a polyline in a box of 96 x 24."""
    now: float
    before: float | None
    """In the campaign before, when the test ran in it."""


@dataclass(frozen=True, slots=True)
class Trend:
    """One test over campaigns of the name."""

    name: str
    rates: tuple[int | None, ...]
    """Per cent that passed, the oldest first; None where it did not run."""
    seconds: Spark
    coverage: Spark | None


@dataclass(frozen=True, slots=True)
class ChangedPart:
    """One kind of change."""

    word: Word
    found: ChangedCells


@dataclass(frozen=True, slots=True)
class NameCurve:
    """One number of all campaigns of the name, drawn in a plot of its own."""

    title: str
    unit: str
    json: str


def changed_parts(comparison: Comparison) -> tuple[ChangedPart, ...]:
    """What needs somebody first."""
    return (
        ChangedPart(NEWLY_FAILING, comparison.newly_failing),
        ChangedPart(STILL_FAILING, comparison.still_failing),
        ChangedPart(NEWLY_PASSING, comparison.newly_passing),
    )


def show_trends(history: Sequence[RowHistory]) -> list[Trend]:
    """The tests that do worst now in front."""
    trends = [_trend(one) for one in history]
    return sorted(trends, key=lambda trend: (_newest(trend), trend.name))


def name_curves(points: Sequence[CampaignPoint], language: Language) -> list[NameCurve]:
    """Pass rate, runtime and coverage, as far as two campaigns know them."""
    numbers: list[tuple[str, str, Callable[[CampaignPoint], float | None]]] = [
        (language.gettext("Pass rate"), "%", lambda one: 100 * one.passed / one.total),
        (language.gettext("A task takes"), "s", lambda one: one.mean_seconds),
        (language.gettext("Coverage"), "%", lambda one: one.coverage_percent),
    ]
    axis = language.gettext("Campaign, the newest on the right")
    found = []
    for title, unit, number in numbers:
        known = [(at, value) for at, one in enumerate(points, 1) if (value := number(one)) is not None]
        if len(known) >= _FEW:
            series = {"name": title, "x_label": axis, "points": known}
            found.append(NameCurve(title, unit, json.dumps([series])))
    return found


def _trend(one: RowHistory) -> Trend:
    rates = tuple(
        None if point is None or not point.total else 100 * point.passed // point.total
        for point in one.points
    )
    seconds = _spark(one.points, lambda point: point.mean_seconds)
    return Trend(
        one.name,
        rates,
        seconds or Spark("", 0, None),
        _spark(one.points, lambda point: point.coverage_points),
    )


def _spark(
    points: Sequence[HistoryPoint | None], number: Callable[[HistoryPoint], float | None]
) -> Spark | None:
    values = [number(point) if point else None for point in points]
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    if not known:
        return None
    low, high = min(value for _, value in known), max(value for _, value in known)
    across = (_WIDTH - 2 * _MARGIN) / max(1, len(points) - 1)
    up = (_HEIGHT - 2 * _MARGIN) / ((high - low) or 1)
    line = (
        f"{_MARGIN + at * across:.0f},{_HEIGHT - _MARGIN - (value - low) * up:.0f}" for at, value in known
    )
    before = known[-2][1] if len(known) >= _FEW else None
    return Spark(" ".join(line) if len(known) >= _FEW else "", known[-1][1], before)


def _newest(trend: Trend) -> int:
    return next((rate for rate in reversed(trend.rates) if rate is not None), 0)
