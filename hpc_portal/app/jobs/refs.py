"""What tells a scheduler which of its jobs is meant, from a stored job."""

from sqlmodel import col

from hpc_portal.app.db import AnyRow
from hpc_portal.app.tables import Job
from schedulers.protocol import JobRef

REF = (col(Job.id), col(Job.scheduler_job_id), col(Job.cluster_user), col(Job.dispatched_at))
"""The columns that `ref_of` reads."""


def ref_of(row: AnyRow) -> JobRef:
    """Of a job that the scheduler has, or had."""
    return JobRef(row.id, row.scheduler_job_id, row.cluster_user or "", row.dispatched_at)
