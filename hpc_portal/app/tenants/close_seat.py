"""Close a student's project: nothing new starts, what runs goes on, and the rest goes back to the course."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow
from hpc_portal.app.tables import Job
from hpc_portal.app.tenants.change_state import JobsThen, StateChange, cancel_jobs, record_state
from hpc_portal.app.tenants.tables import Invitation
from quotas.allocation_lines import lock_with_parent
from quotas.allocation_states import close
from quotas.amounts import Asset
from quotas.tables import Project, TenantState


@dataclass(frozen=True, slots=True)
class ClosedSeat:
    """What closing it did."""

    returned: Mapping[Asset, int]
    """What was free, and is the course's again, unless its own time is over, too: then it expired.
    What jobs hold follows when they have ended."""
    jobs_cancelled: int


def close_seat(  # noqa: PLR0913 - what becomes of one seat
    connection: Connection,
    seat: AnyRow,
    *,
    actor: Actor,
    reason: str,
    jobs: JobsThen,
    at: datetime,
) -> ClosedSeat | None:
    """Close it; None when it was closed before. The caller records events first, commits and wakes.

    `seat` has project_id and allocation_id.
    """
    was = connection.execute(
        select(col(Project.state)).where(col(Project.id) == seat.project_id).with_for_update()
    ).scalar_one()
    if was is TenantState.CLOSED:
        return None
    wanted = StateChange(TenantState.CLOSED, reason, jobs)
    connection.execute(
        update(Project).where(col(Project.id) == seat.project_id).values(state=TenantState.CLOSED)
    )
    record_state(connection, seat.project_id, was, TenantState.CLOSED, reason, actor=actor, at=at)
    connection.execute(
        update(Invitation)
        .where(
            col(Invitation.project_id) == seat.project_id,
            col(Invitation.accepted_at).is_(None),
            col(Invitation.revoked_at).is_(None),
        )
        .values(revoked_at=at)
    )
    cancelled = cancel_jobs(
        connection, col(Job.project_id) == seat.project_id, wanted, by=actor.username, at=at
    )
    part, whole = lock_with_parent(connection, seat.allocation_id)
    goes_back = whole is not None and not whole.has_ended and at < whole.valid_to
    left = {asset: line.free for asset, line in part.lines.items() if line.free and goes_back}
    close(
        connection,
        allocation_id=seat.allocation_id,
        actor_id=actor.user_id if actor.user_id.int else None,
        reason=reason,
        at=at,
    )
    return ClosedSeat(left, cancelled)
