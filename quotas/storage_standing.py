"""How a project stands with storage: what it may have at once, and what was measured of it."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, select

from quotas.amounts import BYTES_PER_GIB, STORAGE, comfortable_gib
from quotas.standing import stopped_ones
from quotas.storage_tables import StorageUse
from quotas.tables import Allocation, AllocationLine, AllocationState, LedgerAccount, table_of


@dataclass(frozen=True, slots=True)
class StorageStanding:
    """One project at one instant."""

    granted_gib: int | None = None
    """What allocations in force give; None: none ever had a line for storage, so that nothing limits it."""
    allocated_bytes: int = 0
    entries: int = 0
    unreadable: int = 0
    measured_at: datetime | None = None
    """None before the first measurement."""
    asked_at: datetime | None = None

    @property
    def percent(self) -> int:
        """Of what is granted, rounded down; 0 where nothing limits it."""
        if self.granted_gib is None or not self.allocated_bytes:
            return 0
        return 100 * self.allocated_bytes // (self.granted_gib * BYTES_PER_GIB) if self.granted_gib else 100

    @property
    def is_full(self) -> bool:
        """Nothing may be added to it."""
        return self.percent >= 100  # noqa: PLR2004 - per cent

    @property
    def is_waiting(self) -> bool:
        """Somebody asked for a new figure, which is not there yet."""
        return self.asked_at is not None and (self.measured_at is None or self.measured_at < self.asked_at)

    @property
    def missing_gib(self) -> int:
        """So much more, and four fifths of it would be used; at least 1."""
        return max(comfortable_gib(self.allocated_bytes) - (self.granted_gib or 0), 1)


def storage_standings(
    conn: Connection, *, at: datetime, projects: Collection[UUID] | None = None
) -> dict[UUID, StorageStanding]:
    """Of these projects, or of all that have a grant of storage or were measured."""
    grants = _granted(conn, at, projects)
    found = {
        row.project_id: StorageStanding(
            grants.get(row.project_id),
            row.allocated_bytes,
            row.entries,
            row.unreadable,
            row.measured_at,
            row.asked_at,
        )
        for row in conn.execute(_narrowed(_MEASURED, _USES.c.project_id, projects))
    }
    unmeasured = {project: StorageStanding(gib) for project, gib in grants.items() if project not in found}
    unknown = {project: StorageStanding() for project in projects or ()}
    return unknown | found | unmeasured


def full_storages(conn: Connection, *, at: datetime) -> dict[UUID, StorageStanding]:
    """Those of all projects to which nothing may be added."""
    standings = storage_standings(conn, at=at)
    return {project: standing for project, standing in standings.items() if standing.is_full}


def _granted(conn: Connection, at: datetime, projects: Collection[UUID] | None) -> Mapping[UUID, int]:
    """GiB by project, of those that have begun to have a line for storage: 0 once none is in force."""
    rows = conn.execute(_narrowed(_BEGUN, _ALLOCATIONS.c.project_id, projects), {"at": at}).all()
    stopped = stopped_ones(conn, {row.id: row.parent_id for row in rows})
    found: Counter[UUID] = Counter()
    for row in rows:
        is_in_force = row.state == AllocationState.ACTIVE and at < row.valid_to and row.id not in stopped
        found[row.project_id] += row.balance if is_in_force else 0
    return found


def _narrowed(
    statement: Select[*tuple[Any, ...]],
    column: Any,  # noqa: ANN401 - of any table
    projects: Collection[UUID] | None,
) -> Select[*tuple[Any, ...]]:
    return statement if projects is None else statement.where(column.in_(list(projects)))


_USES = table_of(StorageUse)
_ALLOCATIONS, _LINES, _ACCOUNTS = table_of(Allocation), table_of(AllocationLine), table_of(LedgerAccount)
_MEASURED = select(_USES)
_BEGUN = (
    select(
        _ALLOCATIONS.c.id,
        _ALLOCATIONS.c.parent_id,
        _ALLOCATIONS.c.project_id,
        _ALLOCATIONS.c.state,
        _ALLOCATIONS.c.valid_to,
        _ACCOUNTS.c.balance,
    )
    .join_from(_LINES, _ALLOCATIONS, _ALLOCATIONS.c.id == _LINES.c.allocation_id)
    .join(_ACCOUNTS, _ACCOUNTS.c.id == _LINES.c.available_id)
    .where(_LINES.c.asset == STORAGE, _ALLOCATIONS.c.valid_from <= bindparam("at"))
)
"""Jobs hold and use nothing of it, so that what is available of a line is all of it."""
