"""Changes of jobs under way on a Dask cluster: what they do to the queue, and what nodes are told."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from schedulers.array_tasks import TaskSet
from schedulers.dask.book import Job, Run
from schedulers.dask.foreman import Foreman, run_key
from schedulers.dask.placement import HELD_BY_ADMINISTRATOR, HELD_BY_USER, PRIORITY
from schedulers.protocol import (
    CancelTasks,
    Carried,
    ChangeOutcome,
    ChangeRequest,
    HoldJob,
    Refused,
    ReleaseJob,
    RequeueJob,
    SetNice,
    SetWalltime,
)
from schedulers.units import format_walltime


def change_job(foreman: Foreman, request: ChangeRequest, *, now: float) -> ChangeOutcome:
    """Make one change; again is fine. What nodes must be told is in the foreman's parcels afterwards."""
    job = foreman.book.jobs.get(request.job.scheduler_job_id)
    if job is None or job.has_ended:
        return Refused(f"The cluster has no job {request.job.scheduler_job_id} that goes on.")
    if job.is_cancelled:
        return Refused("The job is being cancelled.")
    match request.change:
        case HoldJob(by_administrator):
            hold(foreman, job, HELD_BY_ADMINISTRATOR if by_administrator else HELD_BY_USER)
        case ReleaseJob():
            release(foreman, job)
        case RequeueJob(started_before):
            requeue(foreman, job, started_before)
        case SetWalltime(walltime_seconds):
            return set_walltime(foreman, job, walltime_seconds, now=now)
        case SetNice(nice):
            set_nice(foreman, job, nice)
        case CancelTasks(tasks):
            foreman.drop_tasks(job, TaskSet([tasks]), now=now)
        case _:
            assert_never(request.change)
    return Carried()


def hold(foreman: Foreman, job: Job, reason: str) -> None:
    """Start no more of it, and take back what nodes have of it but have not started."""
    job.held_reason = job.reason = reason
    foreman.queue.remove(job.entry)
    for run in job.live.values():
        if run.started_at is None and len(run.share.nodes) == 1 and not run.is_recalled:
            run.is_recalled = True
            foreman.parcel(run.share.nodes[0]).recall_keys.add(run_key(run, 0))
    foreman.book.touch(job)


def release(foreman: Foreman, job: Job) -> None:
    """Back into the queue, in the place that it had."""
    if job.held_reason:
        job.held_reason, job.reason = "", PRIORITY
        foreman.enqueue(job)
        foreman.book.touch(job)


def requeue(foreman: Foreman, job: Job, started_before: datetime | None) -> None:
    """End what was placed before that instant, as far as it has started; it goes back to the queue then."""
    for run in job.live.values():
        if run.started_at is not None and (
            started_before is None or run.placed_at < started_before.timestamp()
        ):
            run.is_to_requeue = True
            foreman.tell_to_end(run)


def set_walltime(foreman: Foreman, job: Job, seconds: int, *, now: float) -> ChangeOutcome:
    """Another limit for what waits and for what runs; a run that is past it ends at once as TIMEOUT."""
    partition = foreman.pool.partitions.get(job.entry.partition)
    if partition and seconds > partition.max_walltime_seconds:
        return Refused(
            f"Partition {partition.name} allows {format_walltime(partition.max_walltime_seconds)}."
        )
    spec = job.submission.spec
    resources = spec.resources.model_copy(update={"walltime_seconds": seconds})
    job.submission = replace(job.submission, spec=spec.model_copy(update={"resources": resources}))
    job.entry.demand = replace(job.entry.demand, walltime_seconds=seconds)
    job.command = replace(job.command, walltime_seconds=seconds)
    job.has_new_walltime = True
    for run in job.live.values():
        for rank, node in enumerate(run.share.nodes):
            foreman.parcel(node).walltimes[run_key(run, rank)] = seconds
        _expect_end(foreman, run, seconds, now=now)
    return Carried()


def set_nice(foreman: Foreman, job: Job, nice: int) -> None:
    """Another place in the queue."""
    foreman.queue.remove(job.entry)
    job.entry.priority = -nice
    foreman.enqueue(job)


def _expect_end(foreman: Foreman, run: Run, seconds: int, *, now: float) -> None:
    """Plan with the new limit: backfill counts on when the run's share will be free."""
    work = foreman.floor.works.get(run.share.slot)
    if work and work.entry is run.job.entry:
        work.slot.demand = replace(work.slot.demand, walltime_seconds=seconds)
        work.slot.ends_at = (run.started_at or now) + seconds
