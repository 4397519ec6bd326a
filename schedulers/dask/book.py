"""Every job that this cluster has, its runs, and the log of what changed: the answers to `observe`. Pure."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from schedulers.array_tasks import TaskSet
from schedulers.dask.messages import Command, RunReport
from schedulers.dask.queue import Entry
from schedulers.dask.store import Share
from schedulers.jobstate import ExitCode, JobSnapshot, JobState, JobUsage, StateFlag, TaskSnapshot
from schedulers.protocol import JobRef, Submission

TaskKey = tuple[int, int]
"""(task_index, attempt)."""


@dataclass(slots=True, eq=False)
class Run:
    """One attempt of one task, from its placement on. Times are Unix seconds on the node's clock."""

    job: "Job"
    task_index: int
    attempt: int
    share: Share
    state: JobState = JobState.PENDING
    is_requeued: bool = False
    reason: str = ""
    exit_code: ExitCode | None = None
    started_at: float | None = None
    ended_at: float | None = None
    cpu_seconds: float = 0.0
    max_rss_mib: int = 0
    gpu_busy_seconds: float | None = None
    is_recalled: bool = False
    """Its node was asked to give it back, should it not have started."""
    placed_at: float = 0.0
    """On the portal's clock, as all that the portal compares it with."""
    is_to_requeue: bool = False
    """It is told to end, and goes back to the queue then."""
    ranks: dict[int, RunReport] | None = None
    """Ends of single ranks, when it spans several nodes and some of them have ended."""
    version: int = 0

    @property
    def key(self) -> TaskKey:
        """Names it within its job."""
        return self.task_index, self.attempt

    @property
    def successor(self) -> TaskKey:
        """Names the attempt that would follow."""
        return self.task_index, self.attempt + 1

    @property
    def has_ended(self) -> bool:
        """Whether this attempt is over."""
        return self.state.is_terminal

    def snapshot(self) -> TaskSnapshot:
        """What the portal sees of it."""
        return TaskSnapshot(
            task_index=self.task_index,
            attempt=self.attempt,
            state=self.state,
            flags=_REQUEUED if self.is_requeued else _NO_FLAGS,
            reason=self.reason,
            exit_code=self.exit_code,
            started_at=_instant(self.started_at),
            ended_at=_instant(self.ended_at),
            nodes=self.share.nodes,
            gpu_indices=self.share.gpu_indices or None,
            usage=self.usage() if self.has_ended else None,
        )

    def usage(self) -> JobUsage | None:
        """What it used; None while it runs."""
        if self.ended_at is None:
            return None
        held = self.ended_at - self.started_at if self.started_at is not None else 0.0
        return JobUsage(
            started_at=_instant(self.started_at),
            ended_at=datetime.fromtimestamp(self.ended_at, UTC),
            elapsed_seconds=0 if self.started_at is None else max(1, math.ceil(held)),
            allocated_tres=self.job.entry.demand.tres(
                self.share.gpu_types, sum(self.share.whole_cpus.values()) or None
            ),
            cpu_seconds=self.cpu_seconds,
            max_rss_mib=self.max_rss_mib,
            gpu_busy_seconds=self.gpu_busy_seconds,
        )


_REQUEUED = frozenset({StateFlag.REQUEUED})
_NO_FLAGS: frozenset[StateFlag] = frozenset()


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@dataclass(slots=True, eq=False)
class Job:
    """One submission. Tasks that wait are an iterator and a count, not rows."""

    submission: Submission
    job_id: str
    """Ours and the scheduler's: the UUID in text."""
    entry: Entry
    command: Command
    upcoming: Iterator[int]
    """Tasks that were never placed, in order."""
    returned: deque[TaskKey] = field(default_factory=deque)
    """Attempts that go before them: requeued, or placed in vain."""
    runs: dict[TaskKey, Run] = field(default_factory=dict)
    live: dict[TaskKey, Run] = field(default_factory=dict)
    """Those of `runs` that have not ended."""
    log: dict[TaskKey, Run] = field(default_factory=dict)
    """Those of `runs` that may be shown, the latest change last."""
    recalled: dict[int, int] = field(default_factory=dict)
    """How many attempts of a task never started, by task; they count as no restart."""
    is_cancelled: bool = False
    dropped: TaskSet = field(default_factory=TaskSet)
    """Tasks that are cancelled while the others go on."""
    held_reason: str = ""
    """Why nothing more of it starts, in the words of squeue(1); "" when it is not held."""
    has_new_walltime: bool = False
    """Its walltime was changed: nodes may have runs of it that were started with another one."""
    reason: str = ""
    version: int = 0

    def take_tasks(self, count: int) -> list[TaskKey]:
        """Up to `count` attempts that are to be placed next; the caller counts `entry.waiting` down."""
        taken: list[TaskKey] = []
        while len(taken) < count:
            if self.returned:
                taken.append(self.returned.popleft())
                continue
            index = next(self.upcoming, None)
            if index is None:
                break
            taken.append((index, 0))
        return taken

    def restarts(self, task_index: int, attempt: int) -> int:
        """How often the task had been started before this attempt."""
        return attempt - self.recalled.get(task_index, 0)

    def is_unwanted(self, task_index: int) -> bool:
        """Whether the task, or the whole job, was cancelled."""
        return self.is_cancelled or task_index in self.dropped

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs or waits."""
        return not self.entry.waiting and not self.live

    @property
    def is_closed(self) -> bool:
        """Whether no further task will start: nothing waits, and nothing placed was yet to be heard of."""
        return not self.entry.waiting and all(key in self.log for key in self.live)


class Book:
    """Jobs by id and a log of changes with one growing version for all."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.version = 0
        self._log: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        """A new job; seen by `observe` at once."""
        self.jobs[job.job_id] = job
        self.touch(job)

    def forget(self, job_id: str) -> Job | None:
        """Drop a job."""
        self._log.pop(job_id, None)
        return self.jobs.pop(job_id, None)

    def touch(self, job: Job) -> None:
        """The job itself changed: its reason, or whether it is closed."""
        if self.jobs.get(job.job_id) is not job:
            return
        self.version += 1
        job.version = self.version
        self._log.pop(job.job_id, None)
        self._log[job.job_id] = job

    def show(self, run: Run) -> None:
        """The run changed in a way that the portal should see."""
        job = run.job
        self.touch(job)
        run.version = job.version
        job.log.pop(run.key, None)
        job.log[run.key] = run

    def snapshots(self, refs: Mapping[UUID, JobRef], since: int | None) -> dict[UUID, JobSnapshot]:
        """Whole snapshots of these jobs, or of those that changed after `since` only what did."""
        if since is None:
            known = ((job_id, self.jobs.get(ref.scheduler_job_id)) for job_id, ref in refs.items())
            return {job_id: _snapshot(job, job.log.values()) for job_id, job in known if job}
        return {
            job.submission.job_id: _snapshot(job, reversed(list(_changed_runs(job, since))))
            for job in self._changed_jobs(since)
            if job.submission.job_id in refs
        }

    def _changed_jobs(self, since: int) -> Iterator[Job]:
        for job in reversed(self._log.values()):
            if job.version <= since:
                return
            yield job


def _changed_runs(job: Job, since: int) -> Iterator[Run]:
    for run in reversed(job.log.values()):
        if run.version <= since:
            return
        yield run


def _snapshot(job: Job, runs: Iterable[Run]) -> JobSnapshot:
    return JobSnapshot(
        scheduler_job_id=job.job_id,
        pending_reason=job.reason if job.entry.waiting else "",
        tasks=tuple(run.snapshot() for run in runs),
        is_closed=job.is_closed,
    )
