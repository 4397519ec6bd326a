"""What grants in force will still use, as far as the days that are over tell: kept for some minutes.

To add up weeks of the whole city takes longer than all else that a page of idle grants does, and it hangs on
days that are over: what becomes of them later is a late record now and then. What is left of a grant changes
with each job, so that nothing of it is here.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, bindparam, select
from sqlmodel import col

from hpc_portal.app.reports.daily_use import daily_use
from hpc_portal.app.reports.forecast import ways_to_spend
from hpc_portal.app.reports.period import local_day
from quotas.amounts import STORAGE, Asset
from quotas.tables import Allocation, AllocationLine, AllocationState
from quotas.usage_report import Dimension

KEPT_SECONDS = 300
_FUTURES = 60
"""Rougher than a project's own forecast: there may be hundreds of lines."""
LINES_IN_FORCE = (
    col(Allocation.state) == AllocationState.ACTIVE,
    col(AllocationLine.asset) != STORAGE,
    col(Allocation.valid_from) <= bindparam("at"),
    col(Allocation.valid_to) > bindparam("at"),
)
"""Conditions on lines of allocations; with `at`, a UTC time."""
_LINES = (
    select(
        col(Allocation.id), col(Allocation.valid_from), col(Allocation.valid_to), col(AllocationLine.asset)
    )
    .join_from(Allocation, AllocationLine, col(AllocationLine.allocation_id) == col(Allocation.id))
    .where(*LINES_IN_FORCE)
)


@dataclass(frozen=True, slots=True)
class GrantOutlooks:
    """As seen from one local day."""

    today: date
    ways: Mapping[tuple[UUID, Asset], Sequence[int]]
    """By allocation and asset: what each of some futures uses until the grant ends, the least first.

    Without those whose history is too short to say anything.
    """


def grant_outlooks(connection: Connection, at: datetime) -> GrantOutlooks:
    """Of all grants in force."""
    today = local_day(at)
    lines = connection.execute(_LINES, {"at": at}).all()
    assets: dict[UUID, set[Asset]] = defaultdict(set)
    for row in lines:
        assets[row.id].add(row.asset)
    used = daily_use(connection, Dimension.ALLOCATION, today=today, assets=assets)
    ways: dict[tuple[UUID, Asset], Sequence[int]] = {}
    for row in lines:
        found = ways_to_spend(
            used.get(row.id, {}).get(row.asset, {}),
            today=today,
            last_day=local_day(row.valid_to - timedelta(seconds=1)),
            known_since=local_day(row.valid_from),
            futures=_FUTURES,
        )
        if found is not None:
            ways[row.id, row.asset] = found
    return GrantOutlooks(today, ways)
