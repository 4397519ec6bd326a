"""Since when jobs were submitted, as people say it and as it stands in addresses."""

from datetime import datetime, timedelta
from enum import StrEnum

from hpc_portal.app.reports.period import local_day, parse_day
from quotas.slice_run import day_begins_at


class Since(StrEnum):
    """What goes along with the clock; beside these a day such as `2026-11-26` will do."""

    TODAY = "today"
    """Since the city's last midnight."""
    WEEK = "7d"
    MONTH = "30d"


_LATELY = {Since.WEEK: timedelta(days=7), Since.MONTH: timedelta(days=30)}


def begin_of(since: str, *, now: datetime) -> datetime | None:
    """The instant that is meant; None for nothing.

    Raises:
        InvalidEntry: it is no day, either.
    """
    if since in _LATELY:
        return now - _LATELY[Since(since)]
    day = local_day(now) if since == Since.TODAY else parse_day(since, "since")
    return day_begins_at(day) if day else None
