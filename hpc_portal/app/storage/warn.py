"""Say that 80 or 100 % of a project's storage is used: once each time that it comes to that."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.recipients import leads, managers
from quotas.measured_storage import tell_threshold
from quotas.storage_standing import storage_standings
from quotas.tables import Project

_THRESHOLDS = (100, 80)
"""Per cent."""


def warn(connection: Connection, project_id: UUID, *, at: datetime) -> None:
    """Tell leads and managers of a threshold that they were not told of since less was used.

    In the transaction that records the figure: so it is told exactly once.
    """
    standing = storage_standings(connection, at=at, projects=[project_id])[project_id]
    percent = next((one for one in _THRESHOLDS if standing.percent >= one), 0)
    if percent <= tell_threshold(connection, project_id, percent):
        return
    project = connection.execute(
        select(col(Project.account), col(Project.organisation_id)).where(col(Project.id) == project_id)
    ).one()
    notify(
        connection,
        to=leads(connection, project_id) | managers(connection, project.organisation_id),
        kind=NoticeKind.STORAGE_FULL if standing.is_full else NoticeKind.STORAGE_USED,
        facts={
            "project": project.account,
            "percent": percent,
            "used_bytes": standing.allocated_bytes,
            "lines": {"storage": standing.granted_gib},
            "measured_at": standing.measured_at and standing.measured_at.isoformat(),
        },
        at=at,
        key=f"storage:{project_id}:{percent}:{at.isoformat()}",
    )
