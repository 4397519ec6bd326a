"""When a budget runs out at today's pace, and within which range of days: pure, and the same every time.

The method is a bootstrap over weekdays. Each future day's use is drawn at random from the last
`HISTORY_WEEKS` same weekdays, so that quiet Sundays stay quiet and single large jobs stay possible; a
few hundred such futures are followed until the budget is used up. The middle one is the forecast, and the
range leaves out the earliest and the latest tenth. The draws are seeded: the same facts give the same answer.
"""

import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate

HISTORY_WEEKS = 8
LEAST_HISTORY_DAYS = 14
"""Below that nobody knows what a week of this project looks like."""
HORIZON_DAYS = 366
"""A budget that lasts longer is not said to end at all."""
FUTURES = 400
_SEED = 20_261_126
_KEPT = 256
"""Forecasts of 7 kB each; what is left is part of the key, so that a busy project's are soon of no use."""
_LOW, _MIDDLE, _HIGH = 10, 50, 90
"""The percentiles of the range, 80 % of all futures."""


@dataclass(frozen=True, slots=True)
class Range:
    """A value and the range in which it lies in four futures out of five."""

    low: int
    middle: int
    high: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What becomes of one asset of a budget."""

    daily: int
    """Used on a day, as the mean over the days looked at; in the asset's own unit."""
    exhausted_on: date | None
    """The first day on which it does not suffice; None: not before it expires, or within a year."""
    earliest_on: date | None
    """One future in ten is earlier."""
    latest_on: date | None
    """One future in ten is later; None: it may also last."""
    unused: Range
    """What is left when it expires, or after the horizon."""
    until: date
    """The last day looked at: the budget's own, or the horizon."""


def forecast(  # noqa: PLR0913 - one question, every part by keyword
    used: Mapping[date, int],
    *,
    left: int,
    today: date,
    last_day: date | None = None,
    known_since: date | None = None,
    futures: int = FUTURES,
) -> Forecast | None:
    """Follow a budget from tomorrow on.

    Args:
        used: by local day; days that are missing used nothing. Today is not over and counts as no history.
        left: what may still be used, what is held for jobs included.
        today: the local day.
        last_day: the last on which it may be used; None: it does not expire.
        known_since: from here on nothing used is known to be nothing; None: from the first use on.
        futures: how many to follow; fewer are quicker, and rougher.

    Returns:
        None where the history is too short to say anything.
    """
    history = _history(used, today, known_since)
    if history is None:
        return None
    return _follow(tuple(history.items()), left, today, _until(today, last_day), futures)


def ways_to_spend(
    used: Mapping[date, int],
    *,
    today: date,
    last_day: date | None = None,
    known_since: date | None = None,
    futures: int = FUTURES,
) -> tuple[int, ...] | None:
    """What each future uses until the end, the least first: that hangs on the days that are over alone.

    Returns:
        None where the history is too short to say anything.
    """
    history = _history(used, today, known_since)
    if history is None:
        return None
    paths = _futures(history, today, max((_until(today, last_day) - today).days, 0), futures)
    return tuple(sorted(path[-1] if path else 0 for path in paths))


def most_needed(ways: Sequence[int], left: int) -> int:
    """What will be used at the high end, as `forecast` has it: what is left less `unused.low`."""
    return left - _percentile([max(left - used_up, 0) for used_up in reversed(ways)], _LOW)


def _until(today: date, last_day: date | None) -> date:
    horizon = today + timedelta(days=HORIZON_DAYS)
    return min(last_day or horizon, horizon)


@lru_cache(maxsize=_KEPT)
def _follow(
    history: tuple[tuple[date, int], ...], left: int, today: date, until: date, futures: int
) -> Forecast:
    """Hundreds of futures; kept, for a page of many projects asks for the same again and again."""
    days = max((until - today).days, 0)
    used = dict(history)
    paths = _futures(used, today, days, futures)
    ends = sorted(_exhausted_after(path, left) for path in paths)
    rest = sorted(max(left - (path[-1] if path else 0), 0) for path in paths)
    return Forecast(
        daily=round(sum(used.values()) / len(used)),
        exhausted_on=_day(_percentile(ends, _MIDDLE), today, days),
        earliest_on=_day(_percentile(ends, _LOW), today, days),
        latest_on=_day(_percentile(ends, _HIGH), today, days),
        unused=Range(_percentile(rest, _LOW), _percentile(rest, _MIDDLE), _percentile(rest, _HIGH)),
        until=until,
    )


def _history(used: Mapping[date, int], today: date, known_since: date | None) -> dict[date, int] | None:
    """Use on each of the last days, as far back as it is known; corrections may be negative."""
    start = today - timedelta(weeks=HISTORY_WEEKS)
    first = min((day for day, amount in used.items() if amount and start <= day < today), default=None)
    if known_since is not None:
        first = max(known_since, start)
    if first is None or (today - first).days < LEAST_HISTORY_DAYS:
        return None
    days = (first + timedelta(days=number) for number in range((today - first).days))
    return {day: max(used.get(day, 0), 0) for day in days}


def _futures(history: Mapping[date, int], today: date, days: int, count: int) -> list[list[int]]:
    """Running sums of use, one list for each future."""
    by_weekday: list[list[int]] = [[] for _ in range(7)]
    for day, amount in history.items():
        by_weekday[day.weekday()].append(amount)
    draw = random.Random(_SEED)  # noqa: S311 - a simulation, not a secret
    weeks = -(-days // 7)
    futures = []
    for _ in range(count):
        drawn = [0] * (7 * weeks)
        for place in range(7):
            drawn[place::7] = draw.choices(by_weekday[(today.weekday() + 1 + place) % 7], k=weeks)
        futures.append(list(accumulate(drawn[:days])))
    return futures


def _exhausted_after(future: Sequence[int], left: int) -> int:
    """The number of days that it suffices for; all of them when it lasts."""
    return bisect_right(future, left)


def _day(suffices: int, today: date, days: int) -> date | None:
    return None if suffices >= days else today + timedelta(days=suffices + 1)


def _percentile(ordered: Sequence[int], percent: int) -> int:
    """The nearest rank: a value that one of the futures really has."""
    return ordered[max(-(-percent * len(ordered) // 100) - 1, 0)]
