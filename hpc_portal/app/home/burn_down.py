"""How a project's đồng went down over the last weeks, and how far they will carry it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from uuid import UUID

from sqlalchemy import Connection

from hpc_portal.app.reports.daily_use import daily_use
from hpc_portal.app.reports.forecast import Forecast, forecast
from hpc_portal.app.reports.period import local_day
from quotas.balance import balance
from quotas.money import VND
from quotas.usage_report import Dimension

SHOWN_DAYS = 28
_FUTURES = 100
"""Fewer than a report follows: a glance may be a day off, and must be quick."""


@dataclass(frozen=True, slots=True)
class BurnDown:
    """One project's đồng."""

    left: Sequence[int]
    """At the end of each of the last `SHOWN_DAYS` days, as if all of today's budget had been there from the
    first; the last one is now."""
    granted: int
    days: Sequence[date]
    forecast: Forecast | None
    """None where the history is too short to say anything."""
    last_day: date
    """The last on which any of it may be used."""


def burn_down(connection: Connection, project_id: UUID, *, at: datetime) -> BurnDown | None:
    """None for a project whose budget is not in đồng. That the reader may see it is the caller's to know."""
    found = balance(connection, project_id, at)
    amounts = found.by_asset.get(VND)
    if amounts is None:
        return None
    today = local_day(at)
    used = daily_use(connection, Dimension.PROJECT, today=today, only=[project_id])
    by_day = used.get(project_id, {}).get(VND, {})
    days = [today - timedelta(days=number) for number in range(SHOWN_DAYS)]
    left = amounts.available + amounts.held
    ends = [allocation.valid_to for allocation in found.allocations if VND in allocation.by_asset]
    last_day = local_day(max(ends) - timedelta(seconds=1))
    return BurnDown(
        left=[*accumulate((by_day.get(day, 0) for day in days[:-1]), initial=left)][::-1],
        granted=amounts.granted,
        days=days[::-1],
        forecast=forecast(by_day, left=left, today=today, last_day=last_day, futures=_FUTURES),
        last_day=last_day,
    )
