"""Cancel: record the wish; the controller carries it out, also when the scheduler is away for a while."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select, update
from sqlmodel import col

from hpc_portal.app import audit, events, permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.errors import JobNotFound
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.lock_jobs import lock_jobs
from hpc_portal.app.jobs.refs import REF, ref_of
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job
from schedulers.jobstate import JobState

_TELL_AGAIN = timedelta(minutes=1)
"""A scheduler may say no for the moment, or forget what it was told when it dies right after."""
_OVER = (Phase.ENDED, Phase.SETTLED, Phase.REFUSED)


def request_cancel(services: Services, actor: Actor, job_ids: Sequence[UUID]) -> list[UUID]:
    """Ask for jobs to be cancelled: all of them or, when one may not be, none.

    Returns those for which this call recorded the wish; jobs that are over, or asked before, are left out.

    Raises:
        JobNotFound: one does not exist or is not visible to the actor.
        NotAllowed: the actor sees one but may not cancel it.
    """
    now = services.clock.now()

    def work(connection: Connection) -> list[UUID]:
        rows = {row.id: row for row in connection.execute(_JOBS.where(col(Job.id).in_(job_ids)))}
        for job_id in job_ids:
            _require_may_cancel(actor, job_id, rows.get(job_id))
        found = record_wishes(connection, col(Job.id).in_(job_ids), by=actor.username, at=now)
        for job_id in sorted(found):
            if rows[job_id].user_id != actor.user_id:
                audit.record(
                    connection, at=now, actor=actor, action="job.cancel_requested", subject=str(job_id)
                )
        return [job_id for job_id in dict.fromkeys(job_ids) if job_id in found]

    wished = transact(services.engine, work)
    if wished:
        services.wake.notify()
    return wished


def record_wishes(
    connection: Connection, which: ColumnElement[bool], *, by: str, at: datetime
) -> frozenset[UUID]:
    """Record the wish for all jobs of a WHERE clause that go on and have none; the caller knows who may.

    The database decides, not what was read: a job may end, or be cancelled by another, meanwhile. The caller
    commits, and wakes the controller.
    """
    go_on = (which, col(Job.phase).not_in(_OVER), col(Job.cancel_requested_at).is_(None))
    lock_jobs(connection, *go_on)
    recorded = connection.execute(
        update(Job).where(*go_on).values(cancel_requested_at=at).returning(col(Job.id), col(Job.project_id))
    ).all()
    told = [
        Event(row.id, row.project_id, "job.cancel_requested", {"by": by})
        for row in sorted(recorded, key=lambda row: row.id)
    ]
    events.record(connection, told, at=at)
    return frozenset(row.id for row in recorded)


_JOBS = select(
    col(Job.id),
    col(Job.phase),
    col(Job.cancel_requested_at),
    col(Job.user_id),
    col(Job.project_id),
    col(Job.organisation_id),
)


def _require_may_cancel(actor: Actor, job_id: UUID, row: AnyRow | None) -> None:
    if row is None:
        raise JobNotFound(job_id)
    is_own = actor.looks_after(row.user_id)
    permissions.require(
        actor,
        Action.CANCEL_OWN if is_own else Action.CANCEL_ANY,
        organisation_id=row.organisation_id,
        project_id=row.project_id,
        hidden_as=JobNotFound(job_id),
    )


class CancelStep:
    """The controller's part: ends what no scheduler has, and tells the scheduler about the rest.

    Once, and again each minute for what has not ended by then.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context = context
        self._told: dict[UUID, datetime] = {}
        """When each was told last."""

    async def __call__(self) -> bool:
        """One pass over all wishes; never more to do at once.

        Raises:
            LeaseLost: another controller is active.
            SchedulerUnavailable: the wishes stay and are told again.
        """
        wishes = await self._context.read(self._wishes)
        if any(row.phase is Phase.ACCEPTED for row in wishes):
            await self._context.write(self._end_undispatched)
        now = self._context.clock.now()
        tracked = {row.id: ref_of(row) for row in wishes if row.phase is Phase.TRACKED}
        told = {job_id: at for job_id, at in self._told.items() if job_id in tracked}
        due = [job_id for job_id in tracked if job_id not in told or now - told[job_id] >= _TELL_AGAIN]
        if due:
            await self._context.scheduler.cancel([tracked[job_id] for job_id in due])
        self._told = told | dict.fromkeys(due, now)
        return False

    def _wishes(self, connection: Connection) -> Sequence[AnyRow]:
        """All of them: were it only the oldest, those on a node out of reach would hold up the others."""
        return connection.execute(
            select(*REF, col(Job.phase))
            .where(
                col(Job.scheduler) == self._context.scheduler.name,
                col(Job.phase).in_([Phase.ACCEPTED, Phase.TRACKED]),
                col(Job.cancel_requested_at).is_not(None),
            )
            .order_by(col(Job.cancel_requested_at))
        ).all()

    def _end_undispatched(self, connection: Connection) -> None:
        """A job that was never handed over ends at once; its budget is released when it is settled."""
        now = self._context.clock.now()
        rows = connection.execute(
            update(Job)
            .where(
                col(Job.scheduler) == self._context.scheduler.name,
                col(Job.phase) == Phase.ACCEPTED,
                col(Job.cancel_requested_at).is_not(None),
            )
            .values(
                phase=Phase.ENDED,
                state=JobState.CANCELLED,
                state_reason="",
                ended_at=now,
                tasks_cancelled=col(Job.tasks_total),
            )
            .returning(col(Job.id), col(Job.project_id))
        ).all()
        told = [Event(row.id, row.project_id, "job.state", {"state": JobState.CANCELLED}) for row in rows]
        events.record(connection, told, at=now)
