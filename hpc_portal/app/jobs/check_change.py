"""Whether a change makes sense for a job as it stands; pure."""

from dataclasses import dataclass
from datetime import datetime

from hpc_portal.app.errors import Problem
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.wish import HeldBy
from schedulers.array_tasks import first_missing
from schedulers.jobspec import ArraySpec, JobSpec
from schedulers.protocol import (
    CancelTasks,
    HoldJob,
    JobChange,
    ReleaseJob,
    RequeueJob,
    SetNice,
    SetWalltime,
)
from schedulers.units import format_walltime

_OVER = (Phase.ENDED, Phase.SETTLED, Phase.REFUSED)


@dataclass(frozen=True, slots=True)
class JobNow:
    """What a change depends on."""

    spec: JobSpec
    phase: Phase
    is_being_cancelled: bool
    held_by: HeldBy | None
    """With the wishes that are not carried out yet."""
    tasks_waiting: int
    tasks_running: int
    running_since: datetime | None = None
    """When the run that runs longest started."""
    is_external: bool = False
    """It came to the cluster past the portal, which holds no budget for it."""
    partition_most_seconds: int | None = None
    """The partition's own limit; None where it is not known."""


def needs_administrator(job: JobNow, change: JobChange) -> bool:
    """Whether only an administrator may do that, whoever's job it is."""
    match change:
        case HoldJob(by_administrator):
            return by_administrator
        case ReleaseJob():
            return job.held_by is HeldBy.ADMINISTRATOR
        case SetNice(nice):
            return nice < 0
        case _:
            return False


def objection(job: JobNow, change: JobChange, *, now: datetime) -> Problem | None:
    """Why the change cannot be, in words; None when it can."""
    if job.phase in _OVER:
        return Problem("change", "The job is over: nothing of it can be changed any more.")
    if job.is_being_cancelled:
        return Problem("change", "The job is being cancelled.")
    if job.is_external:
        return Problem("change", "The job came past the portal: change it with the cluster's own commands.")
    found: Problem | None
    match change:
        case HoldJob(by_administrator):
            found = _hold_objection(job, by_administrator=by_administrator)
        case ReleaseJob():
            found = None if job.held_by else Problem("change", "The job is not held.")
        case RequeueJob():
            found = None if job.tasks_running else Problem("change", "Nothing of the job runs now.")
        case SetWalltime(seconds):
            found = _walltime_objection(job, seconds, now=now)
        case SetNice():
            found = None if job.tasks_waiting else _nothing_waits()
        case CancelTasks(tasks):
            found = _tasks_objection(job.spec.array, tasks)
    return found


def _hold_objection(job: JobNow, *, by_administrator: bool) -> Problem | None:
    if not job.tasks_waiting:
        return _nothing_waits()
    if job.held_by is HeldBy.ADMINISTRATOR or (job.held_by and not by_administrator):
        return Problem("change", "The job is held already.")
    return None


def _nothing_waits() -> Problem:
    return Problem("change", "Nothing of the job waits any more: it has started.")


def _walltime_objection(job: JobNow, seconds: int, *, now: datetime) -> Problem | None:
    if seconds == job.spec.resources.walltime_seconds:
        return Problem("walltime_seconds", "The job has this time limit already.")
    most = job.partition_most_seconds
    if most is not None and seconds > most:
        return Problem(
            "walltime_seconds",
            "Partition %(partition)s allows %(most)s at most.",
            {"partition": job.spec.partition or "", "most": format_walltime(most)},
        )
    if job.running_since and seconds <= (elapsed := (now - job.running_since).total_seconds()):
        return Problem(
            "walltime_seconds",
            "It has run for %(elapsed)s already. Cancel it, or give it a later end.",
            {"elapsed": format_walltime(int(elapsed))},
        )
    return None


def _tasks_objection(array: ArraySpec | None, tasks: ArraySpec) -> Problem | None:
    if array is None:
        return Problem("tasks", "The job is no array: cancel it as a whole.")
    missing = first_missing(tasks, array)
    if missing is None:
        return None
    return Problem("tasks", "The array has no task %(task)s.", {"task": missing})
