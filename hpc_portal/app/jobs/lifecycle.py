"""Phases of a job and what an observation changes: pure, no clock, no database."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from schedulers.jobstate import JobSnapshot, JobState, StateFlag, TaskSnapshot


class Phase(StrEnum):
    """Where *we* stand with a job; what the scheduler says is its `state`."""

    ACCEPTED = "accepted"
    """Priced, held and stored; no scheduler has heard of it."""
    DISPATCHING = "dispatching"
    """Claimed by a loop; the scheduler may or may not have the job. See find()."""
    TRACKED = "tracked"
    """The scheduler has it; we follow."""
    ENDED = "ended"
    """The scheduler is done with it; the money is not settled yet."""
    SETTLED = "settled"
    """Charged, released, closed for good."""
    REFUSED = "refused"
    """The scheduler said no; the hold was released."""


NEVER = "DependencyNeverSatisfied"
"""The reason of a job whose dependencies can never be met (squeue(1))."""
FORGOTTEN = "ForgottenByScheduler"
"""The reason of a job that was given up because neither its scheduler nor its accounting knows it."""


class JobOrigin(StrEnum):
    """How a job got to its cluster."""

    PORTAL = "portal"
    EXTERNAL = "external"
    """Past the portal, with sbatch: found in the cluster's accounting, and charged afterwards."""


RunId: TypeAlias = tuple[int, int]
"""(task_index, attempt)"""


@dataclass(frozen=True, slots=True)
class KnownRun:
    """What is stored of a run before an observation."""

    is_running: bool
    has_ended: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; the part of its row that observations change."""

    is_array: bool
    tasks_total: int
    state: JobState = JobState.PENDING
    state_reason: str = ""
    exit_code: int | None = None
    exit_signal: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    """Set when every task has ended; then the job's phase becomes ENDED."""
    tasks_running: int = 0
    tasks_completed: int = 0
    tasks_failed: int = 0
    tasks_cancelled: int = 0

    @property
    def tasks_ended(self) -> int:
        """Tasks that will not run again."""
        return self.tasks_completed + self.tasks_failed + self.tasks_cancelled


@dataclass(frozen=True, slots=True)
class Change:
    """What one observation changes."""

    progress: Progress
    runs: tuple[TaskSnapshot, ...]
    """Runs to write; those that tell nothing new are left out."""
    requeued: int = 0
    """How many of them ended only to run again."""


def apply(progress: Progress, known: Mapping[RunId, KnownRun], snapshot: JobSnapshot) -> Change:
    """What an observation changes; repeats and late messages change nothing.

    A run that was stored as ended stays as it was. UNKNOWN is never an end. The job itself ends when each
    of its tasks has, see `close`.
    """
    runs: list[TaskSnapshot] = []
    requeued = 0
    for task in snapshot.tasks:
        before = known.get((task.task_index, task.attempt), KnownRun(is_running=False, has_ended=False))
        if before.has_ended or task.state is JobState.UNKNOWN:
            continue
        is_running = not task.has_ended and task.state in (JobState.RUNNING, JobState.SUSPENDED)
        progress = replace(
            progress,
            tasks_running=progress.tasks_running + is_running - before.is_running,
            started_at=_earliest(progress.started_at, task.started_at),
        )
        if task.has_ended and StateFlag.REQUEUED in task.flags:
            requeued += 1
        elif task.has_ended:
            progress = _count_end(progress, task)
        runs.append(task)
    progress = replace(
        progress,
        state=_state_under_way(progress),
        state_reason=snapshot.pending_reason or _reason_that_stays(progress),
    )
    if progress.tasks_ended == progress.tasks_total:
        progress = _end(progress, runs, at=_latest_end(runs, progress))
    return Change(progress, tuple(runs), requeued)


def close(progress: Progress, *, at: datetime) -> Progress:
    """End a job of which no run is open and no further task will start: the rest was never started."""
    never_started = progress.tasks_total - progress.tasks_ended
    return _end(replace(progress, tasks_cancelled=progress.tasks_cancelled + never_started), [], at=at)


def recount(  # noqa: PLR0913 - what is stored of the runs, each by its name
    progress: Progress,
    *,
    completed: int,
    failed: int,
    exit_code: int | None,
    exit_signal: int | None,
    started_at: datetime | None,
    last: TaskSnapshot | None,
) -> Progress:
    """The same after what is stored of its runs was corrected: as many tasks ended, some of them otherwise.

    Args:
        progress: before.
        completed: tasks.
        failed: tasks that ended neither so nor by being cancelled.
        exit_code: the largest of any task that did not complete; None when none told one.
        exit_signal: the same of signals.
        started_at: of the earliest run.
        last: of a single job, its last run.
    """
    counted = replace(
        progress,
        tasks_completed=completed,
        tasks_failed=failed,
        tasks_cancelled=max(progress.tasks_ended - completed - failed, 0),
        exit_code=exit_code,
        exit_signal=exit_signal,
        started_at=_earliest(progress.started_at, started_at),
    )
    if progress.ended_at is None:
        return counted
    return _end(counted, [last] if last else [], at=progress.ended_at)


def _count_end(progress: Progress, task: TaskSnapshot) -> Progress:
    match task.state:
        case JobState.COMPLETED:
            return replace(progress, tasks_completed=progress.tasks_completed + 1)
        case JobState.CANCELLED:
            counted = replace(progress, tasks_cancelled=progress.tasks_cancelled + 1)
        case _:
            counted = replace(progress, tasks_failed=progress.tasks_failed + 1)
    if task.exit_code is None:
        return counted
    return replace(
        counted,
        exit_code=max(progress.exit_code or 0, task.exit_code.code),
        exit_signal=max(progress.exit_signal or 0, task.exit_code.signal),
    )


def _state_under_way(progress: Progress) -> JobState:
    if progress.tasks_running or (progress.is_array and progress.started_at):
        return JobState.RUNNING
    return JobState.PENDING


def _end(progress: Progress, runs: list[TaskSnapshot], *, at: datetime) -> Progress:
    """The end state: a single job's own; of an array, the worst kind of end that any task met."""
    last = next((run for run in reversed(runs) if run.has_ended), None)
    if not progress.is_array and last:
        state = last.state
        reason = (state is JobState.CANCELLED and _reason_that_stays(progress)) or last.reason
    elif progress.tasks_failed:
        state, reason = JobState.FAILED, f"{progress.tasks_failed} of {progress.tasks_total} tasks failed"
    elif progress.tasks_cancelled:
        state, reason = JobState.CANCELLED, _reason_that_stays(progress)
    else:
        state, reason = JobState.COMPLETED, ""
    succeeded = state is JobState.COMPLETED
    return replace(
        progress,
        state=state,
        state_reason=reason,
        exit_code=0 if succeeded else progress.exit_code,
        exit_signal=0 if succeeded else progress.exit_signal,
        ended_at=at,
    )


def _reason_that_stays(progress: Progress) -> str:
    """That a job could never start is why it ends, too, although then nothing of it waits any more."""
    if progress.state_reason == FORGOTTEN:
        return FORGOTTEN
    return NEVER if progress.state_reason == NEVER and not progress.started_at else ""


def _earliest(first: datetime | None, second: datetime | None) -> datetime | None:
    return min((at for at in (first, second) if at), default=None)


def _latest_end(runs: list[TaskSnapshot], progress: Progress) -> datetime:
    ends = [run.ended_at for run in runs if run.ended_at]
    found = max(ends, default=progress.started_at)
    if found is None:
        message = "a run ended without an end time"
        raise ValueError(message)
    return found
