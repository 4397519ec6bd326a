"""What a partition has to do before a job starts there, for an estimate of when that may be."""

from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.jobs.expected_start import WorkAhead
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.tables import Job
from schedulers.jobspec import ResourceRequest
from schedulers.tres import Tres, add, times

_MOST_JOBS = 1000


def work_ahead(
    connection: Connection, *, cluster: str, partition: str, job_id: UUID | None = None
) -> WorkAhead:
    """What runs there, and what waits: all of it or, for a job that waits itself, what was submitted before.

    Of a very long queue only the front is added up.
    """
    statement = (
        select(
            col(Job.id),
            col(Job.spec),
            col(Job.tasks_total),
            col(Job.tasks_running),
            (col(Job.tasks_completed) + col(Job.tasks_failed) + col(Job.tasks_cancelled)).label("ended"),
        )
        .where(
            col(Job.scheduler) == cluster,
            col(Job.partition) == partition,
            under_way(),
        )
        .order_by(col(Job.id))
        .limit(_MOST_JOBS)
    )
    if job_id is not None:
        is_before = (col(Job.id) < job_id) | (col(Job.tasks_running) > 0)
        statement = statement.where(is_before, col(Job.id) != job_id)
    work: dict[Tres, int] = {}
    longest = waiting = 0
    for row in connection.execute(statement):
        asked = ResourceRequest.model_validate(row.spec.get("resources", {}))
        walltime = asked.walltime_seconds or 0
        work = add(work, times(asked.tres, walltime * (row.tasks_total - row.ended)))
        longest = max(longest, walltime)
        waiting += row.tasks_total - row.ended - row.tasks_running
    return WorkAhead(work, longest, waiting)
