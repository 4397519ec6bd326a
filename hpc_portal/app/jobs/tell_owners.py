"""Tells people of their jobs as they asked at submit: at the start, at the end, at a failure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, and_, delete, or_, select, update
from sqlmodel import col

from hpc_portal.app.db import AnyRow
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.tables import JobNotice
from hpc_portal.app.tables import Job
from quotas.tables import Project
from schedulers.jobstate import JobState
from schedulers.units import format_walltime

TELL_SECONDS = 3.0
_BATCH = 100
_OVER = (Phase.SETTLED, Phase.REFUSED)
"""Not when it is ENDED: only then it is known what the job cost."""
_NO_FAILURE = (JobState.COMPLETED, JobState.CANCELLED)


class TellOwnersStep:
    """One pass over what is still to be told of one cluster's jobs."""

    def __init__(self, context: ControllerContext) -> None:
        self._context = context

    async def __call__(self) -> bool:
        """Whether there may be more to do at once.

        Raises:
            LeaseLost: another controller is active; nobody was told.
        """
        due = await self._context.read(self._due)
        if due:
            await self._context.write(lambda connection: tell(connection, due, at=self._context.clock.now()))
        return len(due) == _BATCH

    def _due(self, connection: Connection) -> Sequence[AnyRow]:
        return connection.execute(
            select(
                *(col(Job.id), col(Job.user_id), col(Job.name), col(Job.phase), col(Job.state)),
                *(col(Job.state_reason), col(Job.started_at), col(Job.ended_at), col(Job.charged_vnd)),
                *(col(Job.tasks_total), col(Job.tasks_completed)),
                col(Project.name).label("project"),
                *(col(JobNotice.at_begin), col(JobNotice.at_end), col(JobNotice.at_failure)),
            )
            .join(JobNotice, col(JobNotice.job_id) == col(Job.id))
            .join(Project, col(Project.id) == col(Job.project_id))
            .where(
                col(Job.scheduler) == self._context.scheduler.name,
                or_(
                    col(Job.phase).in_(_OVER),
                    and_(col(JobNotice.at_begin), col(Job.started_at).is_not(None)),
                ),
            )
            .order_by(col(Job.id))
            .limit(_BATCH)
        ).all()


def tell(connection: Connection, jobs: Sequence[AnyRow], *, at: datetime) -> None:
    """Tell of each job what is due, and note that it was told."""
    for job in jobs:
        for kind, facts in _news(job):
            facts |= {"job": job.name, "job_id": str(job.id), "project": job.project}
            notify(connection, to=[job.user_id], kind=kind, facts=facts, at=at, key=f"{kind}:{job.id}")
    _note_told(connection, jobs)


def _news(job: AnyRow) -> Iterator[tuple[NoticeKind, dict[str, object]]]:
    if job.at_begin and job.started_at:
        yield NoticeKind.JOB_STARTED, {"started_at": job.started_at.isoformat()}
    has_failed = job.phase is Phase.REFUSED or job.state not in _NO_FAILURE
    if job.phase in _OVER and (job.at_end or (job.at_failure and has_failed)):
        ran = (job.ended_at - job.started_at).total_seconds() if job.started_at and job.ended_at else 0
        yield (
            NoticeKind.JOB_FAILED if has_failed else NoticeKind.JOB_ENDED,
            {
                "state": "REFUSED" if job.phase is Phase.REFUSED else str(job.state),
                "reason": f"{job.state_reason}." if job.state_reason else "",
                "took": format_walltime(int(ran)),
                "completed": job.tasks_completed,
                "tasks": job.tasks_total,
                "cost_vnd": job.charged_vnd,
            },
        )


def _note_told(connection: Connection, jobs: Sequence[AnyRow]) -> None:
    over = [job.id for job in jobs if job.phase in _OVER or not (job.at_end or job.at_failure)]
    going_on: list[UUID] = [job.id for job in jobs if job.id not in over]
    if over:
        connection.execute(delete(JobNotice).where(col(JobNotice.job_id).in_(over)))
    if going_on:
        connection.execute(
            update(JobNotice).where(col(JobNotice.job_id).in_(going_on)).values(at_begin=False)
        )
