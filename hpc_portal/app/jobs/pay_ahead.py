"""Set aside what tasks of rolling arrays may use, before they start: a task without budget waits."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.tables import JobTask
from quotas.roll_hold import roll_hold, rolling_jobs
from schedulers.dask.placement import BUDGET
from schedulers.dask.store import Placement

log = structlog.get_logger()


def pay_ahead(
    connection: Connection, placements: Sequence[Placement], *, at: datetime
) -> tuple[Sequence[Placement], dict[UUID, str]]:
    """Those of these placements that are paid for, and why the jobs of the others had better wait.

    A job whose hold is not rolling paid for all of its tasks when it was submitted. Of the others, each task
    that was placed and is not settled needs its unit; what is left of the budget pays for the next ones.
    """
    rolling = rolling_jobs(connection, {placement.job_id for placement in placements})
    if not rolling:
        return placements, {}
    by_job: dict[UUID, list[Placement]] = defaultdict(list)
    for placement in placements:
        by_job[placement.job_id].append(placement)
    unsettled = _unsettled(connection, rolling)
    unpaid: set[tuple[UUID, int, int]] = set()
    waiting: dict[UUID, str] = {}
    for job_id in sorted(rolling):
        running, ended = unsettled.get(job_id, (0, 0))
        under_way, wanted = running + ended, by_job[job_id]
        held = roll_hold(connection, job_id=job_id, units=under_way + len(wanted), at=at)
        if left := wanted[max(held - under_way, 0) :]:
            unpaid |= {placement.key for placement in left}
            waiting[job_id] = "" if ended else BUDGET  # what ended and is not settled may free some
            log.info("placements.unpaid", job_id=str(job_id), runs=len(left))
    return [placement for placement in placements if placement.key not in unpaid], waiting


def _unsettled(connection: Connection, jobs: set[UUID]) -> dict[UUID, tuple[int, int]]:
    """By job: runs that were placed and have not ended, and those that ended and are not settled."""
    rows = connection.execute(
        select(
            col(JobTask.job_id),
            func.count(col(JobTask.task_index)),
            func.count(col(JobTask.ended_at)),
        )
        .where(col(JobTask.job_id).in_(jobs), col(JobTask.settled_at).is_(None))
        .group_by(col(JobTask.job_id))
    )
    return {job_id: (placed - ended, ended) for job_id, placed, ended in rows}
