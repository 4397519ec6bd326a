"""When a job that waits would probably start, from what is known of its cluster; asks nobody."""

from sqlalchemy import Connection

from hpc_portal.app.clusters import is_out
from hpc_portal.app.jobs.expected_start import ExpectedStart, expected_start
from hpc_portal.app.jobs.queries import JobDetail
from hpc_portal.app.jobs.work_ahead import work_ahead
from hpc_portal.app.services import Services


def start_of_waiting(services: Services, connection: Connection, job: JobDetail) -> ExpectedStart | None:
    """Of the first task; None for a job of which something has started or nothing will.

    That the reader may see the job is the caller's to know.
    """
    if job.is_over or job.started_at is not None or job.cancel_requested_at is not None:
        return None
    now = services.clock.now()
    if job.holder is not None:
        return ExpectedStart(now, None, "Held")
    if is_out(services, job.scheduler):
        return ExpectedStart(now, None, "SchedulerUnavailable")
    cluster = next((one for one in services.clusters.get() if one.name == job.scheduler), None)
    if cluster is None:
        return None
    ahead = work_ahead(connection, cluster=job.scheduler, partition=job.partition, job_id=job.id)
    released = job.spec.model_copy(update={"hold": False, "partition": job.partition})
    return expected_start(released, cluster, ahead, now=now)
