"""What projects had in storage over some days, added up from the days' samples."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Connection, distinct, func, select

from quotas.storage_tables import StorageSample
from quotas.tables import Project, table_of

_SAMPLES, _PROJECTS = table_of(StorageSample), table_of(Project)


@dataclass(frozen=True, slots=True)
class StorageUsed:
    """Days without a sample are not guessed: they are missing in both figures."""

    days: int = 0
    """On which it was measured; of an organisation, on which any of its projects was."""
    byte_days: int = 0

    @property
    def average_bytes(self) -> int:
        """Of the days on which it was measured."""
        return self.byte_days // self.days if self.days else 0


def storage_used(
    conn: Connection,
    *,
    since: date,
    until: date,
    by_organisation: bool = False,
    projects: Collection[UUID] | None = None,
) -> dict[UUID, StorageUsed]:
    """By project or organisation, of the local days from `since` up to, not including, `until`.

    `projects` narrows it. Those without any sample are left out.
    """
    owner = _PROJECTS.c.organisation_id if by_organisation else _PROJECTS.c.id
    statement = (
        select(
            owner.label("owner"),
            func.count(distinct(_SAMPLES.c.day)).label("days"),
            func.sum(_SAMPLES.c.allocated_bytes).label("byte_days"),
        )
        .join_from(_SAMPLES, _PROJECTS, _PROJECTS.c.id == _SAMPLES.c.project_id)
        .where(_SAMPLES.c.day >= since, _SAMPLES.c.day < until)
        .group_by(owner)
    )
    if projects is not None:
        statement = statement.where(_PROJECTS.c.id.in_(list(projects)))
    return {row.owner: StorageUsed(row.days, int(row.byte_days)) for row in conn.execute(statement)}


def storage_days(conn: Connection, project_id: UUID, *, since: date, until: date) -> list[tuple[date, int]]:
    """One project's samples: days and bytes, the first day in front."""
    rows = conn.execute(
        select(_SAMPLES.c.day, _SAMPLES.c.allocated_bytes)
        .where(_SAMPLES.c.project_id == project_id, _SAMPLES.c.day >= since, _SAMPLES.c.day < until)
        .order_by(_SAMPLES.c.day)
    )
    return [(row.day, row.allocated_bytes) for row in rows]
