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
from hpc_portal.app.tables import Job, JobTask
from schedulers.errors import SchedulerUnavailable
from schedulers.jobstate import JobSnapshot, JobState, JobUsage, TaskSnapshot
from schedulers.protocol import Feature

log = structlog.get_logger()

_ON_ITS_WAY = timedelta(minutes=1)
"""So old a wish to cancel must be: the scheduler may not have heard of it, nor told."""
_FORGOTTEN_AFTER = timedelta(hours=1)
"""An accounting daemon may hear of an end that late, or of the job at all."""

_Unwanted: TypeAlias = Mapping[str, UUID]
"""By the scheduler's id."""


async def given_up(
    context: ControllerContext, unknown_since: Mapping[str, datetime], *, at: datetime
) -> dict[UUID, JobSnapshot]:
    """How unknown jobs end of which the cancellation was asked for; that wish confirms that nobody waits.

    Where the scheduler's own word is all there is, nothing of them will start; runs that were seen to start
    and not to end keep their job open, for nobody knows what to charge. Where an accounting daemon should
    know what they used, it is asked once more after an hour; then their open runs end as CANCELLED, and
    nothing is charged for them. Should it remember later, they are corrected like any revised record.
    """
    is_own_meter = Feature.METERS_USAGE in context.scheduler.features
    wait = timedelta() if is_own_meter else _FORGOTTEN_AFTER
    unknown = {key for key, since in unknown_since.items() if at - since >= wait}
    if not unknown:
        return {}
    unwanted = await context.read(lambda connection: _unwanted(connection, context, unknown, at=at))
    if is_own_meter or not unwanted:
        return {job_id: JobSnapshot(key, is_closed=True) for key, job_id in unwanted.items()}
    try:
        known = {key for key, _, _ in await context.scheduler.usage(unwanted)}
    except SchedulerUnavailable:  # it may remember when it is back
        return {}
    forgotten = {key: job_id for key, job_id in unwanted.items() if key not in known}
    if forgotten:
        log.warning("track.given_up", scheduler=context.scheduler.name, jobs=sorted(forgotten))
    return await context.read(lambda connection: _ended(connection, forgotten, at=at))


def _unwanted(
    connection: Connection, context: ControllerContext, unknown: Collection[str], *, at: datetime
) -> _Unwanted:
    rows = connection.execute(
        select(col(Job.scheduler_job_id), col(Job.id)).where(
            col(Job.phase) == Phase.TRACKED,
            col(Job.scheduler) == context.scheduler.name,
            ~col(Job.is_external),
            col(Job.cancel_requested_at) <= at - _ON_ITS_WAY,
        )
    )
    return {key: job_id for key, job_id in rows if key and key in unknown}


def _ended(connection: Connection, forgotten: _Unwanted, *, at: datetime) -> dict[UUID, JobSnapshot]:
    """Forgotten jobs, with their open runs as cancelled now."""
    open_runs: dict[UUID, list[TaskSnapshot]] = defaultdict(list)
    nothing = JobUsage(started_at=None, ended_at=at, elapsed_seconds=0, allocated_tres={})
    rows = connection.execute(
        select(
            col(JobTask.job_id), col(JobTask.task_index), col(JobTask.attempt), col(JobTask.started_at)
        ).where(col(JobTask.job_id).in_(list(forgotten.values())), col(JobTask.ended_at).is_(None))
    )
    for row in rows:
        run = TaskSnapshot(
            row.task_index,
            row.attempt,
            JobState.CANCELLED,
            reason=FORGOTTEN,
            started_at=row.started_at,
            ended_at=at,
            usage=nothing,
        )
        open_runs[row.job_id].append(run)
    return {
        job_id: JobSnapshot(key, pending_reason=FORGOTTEN, tasks=tuple(open_runs[job_id]), is_closed=True)
        for key, job_id in forgotten.items()
    }
