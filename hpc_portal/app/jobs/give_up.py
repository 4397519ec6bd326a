"""Give up: end jobs that their scheduler does not know any more and that nobody wants."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import FORGOTTEN, Phase
from hpc_portal.app.jobs.refs import REF, ref_of
from hpc_portal.app.tables import Job, JobTask
from schedulers.errors import SchedulerUnavailable
from schedulers.jobstate import JobSnapshot, JobState, JobUsage, TaskSnapshot
from schedulers.protocol import Feature, JobRef, RunKey

log = structlog.get_logger()

_ON_ITS_WAY = timedelta(minutes=1)
"""So old a wish to cancel must be: the scheduler may not have heard of it, nor told."""
_FORGOTTEN_AFTER = timedelta(hours=1)
"""An accounting daemon may hear of an end that late, or of the job at all."""

_Unwanted: TypeAlias = Mapping[UUID, JobRef]
_Ends: TypeAlias = Mapping[RunKey, TaskSnapshot]


async def given_up(
    context: ControllerContext, unknown_since: Mapping[UUID, datetime], *, at: datetime
) -> dict[UUID, JobSnapshot]:
    """How unknown jobs end of which the cancellation was asked for; that wish confirms that nobody waits.

    Where the scheduler's own word is all there is, nothing of them will start; runs that were seen to start
    and not to end keep their job open, for nobody knows what to charge. Where an accounting daemon should
    know what they used, it is asked once more after an hour; then they end as it says, and those of their
    runs that it does not know end as CANCELLED, for which nothing is charged. Should it remember later, they
    are corrected like any revised record.
    """
    is_own_meter = Feature.METERS_USAGE in context.scheduler.features
    wait = timedelta() if is_own_meter else _FORGOTTEN_AFTER
    unknown = {job_id for job_id, since in unknown_since.items() if at - since >= wait}
    if not unknown:
        return {}
    unwanted = await context.read(lambda connection: _unwanted(connection, context, unknown, at=at))
    if is_own_meter or not unwanted:
        return {job_id: JobSnapshot(job.scheduler_job_id, is_closed=True) for job_id, job in unwanted.items()}
    try:
        known = await context.scheduler.accounted(unwanted.values())
    except SchedulerUnavailable:  # it may remember when it is back
        return {}
    jobs = sorted(job.scheduler_job_id for job in unwanted.values())
    log.warning("track.given_up", scheduler=context.scheduler.name, jobs=jobs)
    return await context.read(lambda connection: _ended(connection, unwanted, known, at=at))


def _unwanted(
    connection: Connection, context: ControllerContext, unknown: Collection[UUID], *, at: datetime
) -> _Unwanted:
    rows = connection.execute(
        select(*REF).where(
            col(Job.phase) == Phase.TRACKED,
            col(Job.scheduler) == context.scheduler.name,
            ~col(Job.is_external),
            col(Job.cancel_requested_at) <= at - _ON_ITS_WAY,
        )
    )
    return {row.id: ref_of(row) for row in rows if row.scheduler_job_id and row.id in unknown}


def _ended(
    connection: Connection, unwanted: _Unwanted, known: _Ends, *, at: datetime
) -> dict[UUID, JobSnapshot]:
    """The runs that the accounting knows as it tells them, and other open ones as cancelled now."""
    runs: dict[UUID, list[TaskSnapshot]] = defaultdict(list)
    lost = set(unwanted) - {job_id for job_id, _, _ in known}
    for (job_id, _, _), run in known.items():
        runs[job_id].append(run)
    nothing = JobUsage(started_at=None, ended_at=at, elapsed_seconds=0, allocated_tres={})
    rows = connection.execute(
        select(
            col(JobTask.job_id), col(JobTask.task_index), col(JobTask.attempt), col(JobTask.started_at)
        ).where(col(JobTask.job_id).in_(list(unwanted)), col(JobTask.ended_at).is_(None))
    )
    for row in rows:
        if (row.job_id, row.task_index, row.attempt) in known:
            continue
        run = TaskSnapshot(
            row.task_index,
            row.attempt,
            JobState.CANCELLED,
            reason=FORGOTTEN,
            started_at=row.started_at,
            ended_at=at,
            usage=nothing,
        )
        runs[row.job_id].append(run)
        lost.add(row.job_id)
    return {
        job_id: JobSnapshot(
            job.scheduler_job_id,
            pending_reason=FORGOTTEN if job_id in lost else "",
            tasks=tuple(runs[job_id]),
            is_closed=True,
        )
        for job_id, job in unwanted.items()
    }
