"""The days that a report covers: whole local days, both ends included."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from hpc_portal.app.errors import InvalidEntry, Problem
from schedulers.units import CITY_TIME
from workloads.template import N_

LONGEST_DAYS = 5 * 366
YEARS = range(2000, 2200)
"""Days outside of these are slips of the pen."""
_NO_YEAR = N_("must lie between the years %(first)s and %(last)s")
_YEARS_KNOWN = {"first": str(YEARS.start), "last": str(YEARS.stop - 1)}


@dataclass(frozen=True, slots=True)
class Period:
    """From the first to the last day."""

    since: date
    last: date

    @property
    def until(self) -> date:
        """The first day after it."""
        return self.last + timedelta(days=1)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.until - self.since).days


def period(since: date | None, last: date | None, *, now: datetime) -> Period:
    """What was asked for; by default this month and the two before it, which roll-ups answer at once.

    Raises:
        InvalidEntry: it ends before it begins, is longer than five years, or in another century.
    """
    for field, day in (("since", since), ("last", last)):
        if day is not None and day.year not in YEARS:
            raise InvalidEntry([Problem(field, _NO_YEAR, _YEARS_KNOWN)])
    end = last or months_before(local_day(now), -1) - timedelta(days=1)
    begin = since or months_before(end, 2)
    if begin > end:
        text = N_("must not be before the first day, %(since)s")
        raise InvalidEntry([Problem("last", text, {"since": begin.isoformat()})])
    if (end - begin).days >= LONGEST_DAYS:
        text = N_("must be at most %(days)s days before the last one, %(last)s")
        raise InvalidEntry([Problem("since", text, {"days": LONGEST_DAYS, "last": end.isoformat()})])
    return Period(begin, end)


def local_day(at: datetime) -> date:
    """The day of the city."""
    return at.astimezone(CITY_TIME).date()


def months_before(day: date, count: int) -> date:
    """The first of the month that lies so many months before."""
    number = day.year * 12 + day.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)


def parse_month(text: str, field: str = "month") -> date:
    """The first of `2026-11`.

    Raises:
        InvalidEntry: it is no month.
    """
    try:
        year, month = text.split("-")
        first = date(int(year), int(month), 1)
    except ValueError:
        problem = Problem(field, "%(text)s is no month such as 2026-11", {"text": repr(text[:20])})
        raise InvalidEntry([problem]) from None
    if first.year not in YEARS:
        raise InvalidEntry([Problem(field, _NO_YEAR, _YEARS_KNOWN)])
    return first


def parse_day(text: str, field: str) -> date | None:
    """`2026-11-26`; None for nothing.

    Raises:
        InvalidEntry: it is no day, or one of another century.
    """
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        problem = Problem(field, "%(text)s is no day such as 2026-11-26", {"text": repr(text[:20])})
        raise InvalidEntry([problem]) from None
    if day.year not in YEARS:
        raise InvalidEntry([Problem(field, _NO_YEAR, _YEARS_KNOWN)])
    return day
