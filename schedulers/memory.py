"""A scheduler in memory with a hand-driven clock: it starts what fits, and ends only what a test ends.

    scheduler = MemoryScheduler()
    await scheduler.submit([submission])
    scheduler.finish(submission.job_id, exit_code=0)

Nothing here waits: `advance` moves the time, and walltimes run out on the way.
"""

import asyncio
import math
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from schedulers import tres
from schedulers.array_tasks import TaskSet
from schedulers.cluster import (
    ClusterSnapshot,
    License,
    Node,
    NodeState,
    Partition,
    check_fits,
)
from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import DependencyKind
from schedulers.jobstate import ExitCode, JobSnapshot, JobState, JobUsage, StateFlag, TaskSnapshot
from schedulers.memory_nodes import Held, find_room, in_use, lacks_licenses
from schedulers.protocol import (
    Accepted,
    CancelTasks,
    Carried,
    ChangeOutcome,
    ChangeRequest,
    Feature,
    HoldJob,
    JobRef,
    Observation,
    Refused,
    ReleaseJob,
    RequeueJob,
    RunKey,
    SetNice,
    SetWalltime,
    Submission,
    SubmitOutcome,
    Uncertain,
)

ONE_NODE = (Node("n1", NodeState.UP, cpus=64, memory_mib=256 * 1024, gpus={"h100": 8}),)
NODE_WATTS = 100
"""What a node of this cluster draws while a job has it."""
GPU_BUSY_SHARE = 0.75
"""Of the time that a job has a GPU of this cluster, it is at work for so much."""
DEFAULT_FEATURES = frozenset({Feature.PUSHES_CHANGES, Feature.METERS_USAGE})
FIRST_INSTANT = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime = FIRST_INSTANT) -> None:
        self._now = start

    def now(self) -> datetime:
        """The instant that the test has reached."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on; jobs of a MemoryScheduler see it at `MemoryScheduler.advance` only."""
        self._now += timedelta(seconds=seconds)


class SubmitScenario(StrEnum):
    """How the next submits go."""

    ACCEPT = "accept"
    LOSE_ANSWER = "lose_answer"
    """The job is accepted, the answer gets lost: Uncertain."""
    LOSE_REQUEST = "lose_request"
    """The request gets lost on its way: Uncertain, and the scheduler never has the job."""
    REFUSE = "refuse"


@dataclass(slots=True)
class _Run:
    snapshot: TaskSnapshot
    version: int


@dataclass(slots=True)
class _Job:
    submission: Submission
    scheduler_job_id: str
    waiting: deque[tuple[int, int]]
    """(task_index, attempt) in the order they will start."""
    runs: dict[tuple[int, int], _Run] = field(default_factory=dict)
    live: dict[tuple[int, int], _Run] = field(default_factory=dict)
    """Those of `runs` that have not ended."""
    pending_reason: str = ""
    held_reason: str = ""
    """Why nothing more of it starts; "" when it is not held."""
    version: int = 0

    @property
    def rank(self) -> int:
        """Higher starts first."""
        return self.submission.priority - self.submission.spec.nice

    @property
    def has_ended(self) -> bool:
        return not self.waiting and not self.live


class MemoryScheduler:
    """Implements the whole contract; public beyond it are the hands of the test.

    `started` lists every (job_id, task_index, attempt) that ever started, in order: the proof that
    nothing ran twice. Not thread-safe: use it from one event loop.
    """

    def __init__(  # noqa: PLR0913 - a test names the one or two that it cares about
        self,
        name: str = "memory",
        *,
        clock: ManualClock | None = None,
        nodes: Sequence[Node] = ONE_NODE,
        partitions: Sequence[Partition] | None = None,
        licenses: Mapping[str, int] | None = None,
        features: frozenset[Feature] = DEFAULT_FEATURES,
    ) -> None:
        self.clock = clock or ManualClock()
        self.scenario = SubmitScenario.ACCEPT
        self.is_available = True
        self.started: list[tuple[UUID, int, int]] = []
        self._name = name
        self._features = features
        self._nodes = {node.name: node for node in nodes}
        day = 86_400
        default = Partition("main", tuple(self._nodes), 7 * day, day // 24, is_default=True)
        self._partitions = tuple(partitions or (default,))
        self._licenses = dict(licenses or {})
        self._jobs: dict[str, _Job] = {}
        self._ids: dict[UUID, str] = {}
        self.accounting: dict[RunKey, TaskSnapshot] = {}
        """Every run that ended, with what it used; a test may revise it."""
        self._last_id = 0
        self._version = 0
        self._changed = asyncio.Event()

    # The contract

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self._name

    @property
    def features(self) -> frozenset[Feature]:
        """As given."""
        return self._features

    async def start(self) -> None:
        """There is nothing to recover: what was submitted is still here."""
        self._require_available()

    async def close(self) -> None:
        """Jobs stay as they are."""

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        """Take the jobs in and start what fits, unless `scenario` says otherwise."""
        self._require_available()
        outcomes = [self._submit_one(submission) for submission in submissions]
        self._start_what_fits()
        return outcomes

    async def find(self, users: Mapping[UUID, str]) -> Mapping[UUID, Accepted | Uncertain]:
        """Those jobs that were accepted of their users and not forgotten."""
        self._require_available()
        there = {job.submission.job_id: job for job in self._jobs.values()}
        return {
            job_id: Accepted(there[job_id].scheduler_job_id)
            for job_id, user in users.items()
            if job_id in there and there[job_id].submission.cluster_user == user
        }

    async def cancel(self, jobs: Collection[JobRef]) -> None:
        """Drop what waits and end what runs, at once."""
        self._require_available()
        for job in self._known(jobs):
            self._drop_waiting(job)
            for run in list(job.live.values()):
                self._end(job, run, JobState.CANCELLED, "Cancelled", ExitCode(signal=15))
        self._start_what_fits()

    async def change(self, requests: Sequence[ChangeRequest]) -> Sequence[ChangeOutcome]:
        """Make each change at once."""
        self._require_available()
        outcomes = [self._change_one(request) for request in requests]
        self._start_what_fits()
        return outcomes

    async def observe(self, jobs: Mapping[UUID, JobRef], *, since: int | None = None) -> Observation:
        """Whole snapshots, or only tasks that changed after `since`."""
        self._require_available()
        self._changed.clear()
        after = -1 if since is None else since
        return Observation(
            cursor=self._version,
            jobs={
                job.submission.job_id: JobSnapshot(
                    scheduler_job_id=job.scheduler_job_id,
                    pending_reason=job.pending_reason if job.waiting else "",
                    tasks=tuple(run.snapshot for run in job.runs.values() if run.version > after),
                    is_closed=not job.waiting,
                )
                for job in self._known(jobs.values())
                if job.version > after
            },
        )

    async def forget(self, jobs: Collection[JobRef]) -> None:
        """Drop the jobs; `find` knows them no more."""
        self._require_available()
        for job in list(self._known(jobs)):
            del self._jobs[job.scheduler_job_id]
            del self._ids[job.submission.job_id]

    async def wait_for_change(self, timeout_seconds: float) -> bool:
        """True as soon as something changed after the last `observe`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def accounted(self, jobs: Collection[JobRef]) -> Mapping[RunKey, TaskSnapshot]:
        """Whether or not snapshots carry it; of forgotten jobs, too."""
        self._require_available()
        wanted = {job.job_id for job in jobs}
        return {key: run for key, run in self.accounting.items() if key[0] in wanted}

    async def cluster(self) -> ClusterSnapshot:
        """Nodes with what running jobs hold of them."""
        self._require_available()
        return self._cluster()

    # The hands of the test

    def advance(self, seconds: float) -> None:
        """Move the clock; runs that reach their walltime on the way end as TIMEOUT at that very instant."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while due := [item for item in self._deadlines() if item[0] <= until]:
            at, job, run = min(due, key=lambda item: item[0])
            self.clock.advance((at - self.clock.now()).total_seconds())
            self._end(job, run, JobState.TIMEOUT, "TimeLimit", ExitCode(signal=15))
            self._start_what_fits()
        self.clock.advance((until - self.clock.now()).total_seconds())

    def finish(
        self,
        job: UUID | str,
        task_index: int = 0,
        *,
        exit_code: int = 0,
        signal: int = 0,
        state: JobState | None = None,
    ) -> None:
        """End the running attempt of a task as its program would, or in any other `state`.

        Raises:
            KeyError: the job is unknown or this task is not running.
        """
        found = self._jobs[self._ids[job] if isinstance(job, UUID) else job]
        runs = {run.snapshot.task_index: run for run in found.live.values()}
        code = ExitCode(exit_code, signal)
        ended = state or (JobState.COMPLETED if code.is_success else JobState.FAILED)
        reason = "" if code.is_success else "NonZeroExitCode"
        self._end(found, runs[task_index], ended, reason, code)
        self._start_what_fits()

    def finish_all(self, *, exit_code: int = 0) -> None:
        """End everything that runs now, and what starts in its place, until nothing runs or waits."""
        while running := self.running():
            for job_id, task_index, _ in running:
                self.finish(job_id, task_index, exit_code=exit_code)

    def fail_node(self, name: str) -> None:
        """The node goes down and takes its runs with it: NODE_FAIL, requeued where the spec says so."""
        self._nodes[name] = replace(self._nodes[name], state=NodeState.DOWN, reason="Not responding")
        for job in self._jobs.values():
            for run in list(job.live.values()):
                if name in run.snapshot.nodes:
                    self._end(job, run, JobState.NODE_FAIL, "NodeDown", None)
        self._start_what_fits()

    def restore_node(self, name: str) -> None:
        """The node takes jobs again."""
        self._nodes[name] = replace(self._nodes[name], state=NodeState.UP, reason="")
        self._start_what_fits()

    def begin_anew(self) -> None:
        """Forget every job, and give the same numbers again; the accounting stays."""
        self._jobs.clear()
        self._ids.clear()
        self._last_id = 0

    def running(self) -> list[tuple[UUID, int, int]]:
        """(job_id, task_index, attempt) of everything that runs now."""
        return [
            (job.submission.job_id, run.snapshot.task_index, run.snapshot.attempt)
            for job in self._jobs.values()
            for run in list(job.live.values())
        ]

    # Inside

    def _require_available(self) -> None:
        if not self.is_available:
            message = f"{self._name} does not answer"
            raise SchedulerUnavailable(message)

    def _known(self, refs: Iterable[JobRef]) -> Iterator[_Job]:
        return (job for ref in refs if (job := self._known_as(ref)))

    def _known_as(self, ref: JobRef) -> _Job | None:
        job = self._jobs.get(ref.scheduler_job_id)
        return job if job and job.submission.job_id == ref.job_id else None

    def _submit_one(self, submission: Submission) -> SubmitOutcome:
        if submission.job_id in self._ids:
            return Accepted(self._ids[submission.job_id])
        if self.scenario is SubmitScenario.LOSE_REQUEST:
            return Uncertain("the connection broke while sending")
        if self.scenario is SubmitScenario.REFUSE:
            return Refused("this scheduler refuses everything")
        if misfits := check_fits(submission.spec, self._cluster()):
            return Refused(misfits[0].message)
        self._last_id += 1
        job_id = str(self._last_id)
        waiting = deque((index, 0) for index in submission.spec.task_indices())
        job = _Job(submission, job_id, waiting, held_reason="JobHeldUser" if submission.is_held else "")
        self._jobs[job_id] = job
        self._ids[submission.job_id] = job_id
        self._touch(job)
        if self.scenario is SubmitScenario.LOSE_ANSWER:
            return Uncertain("the connection broke while waiting for the answer")
        return Accepted(job_id)

    def _change_one(self, request: ChangeRequest) -> ChangeOutcome:
        job = self._known_as(request.job)
        if job is None or job.has_ended:
            return Refused(f"Job {request.job.scheduler_job_id} is unknown or has ended.")
        spec = job.submission.spec
        match request.change:
            case HoldJob(by_administrator):
                job.held_reason = "JobHeldAdmin" if by_administrator else "JobHeldUser"
            case ReleaseJob():
                job.held_reason = ""
            case RequeueJob(started_before):
                self._requeue(job, started_before)
            case SetWalltime(seconds):
                partition = self._cluster().partition(spec.partition)
                if partition and seconds > partition.max_walltime_seconds:
                    return Refused(f"Partition {partition.name} allows less.")
                resources = spec.resources.model_copy(update={"walltime_seconds": seconds})
                longer = spec.model_copy(update={"resources": resources})
                job.submission = replace(job.submission, spec=longer)
            case SetNice(nice):
                job.submission = replace(
                    job.submission, spec=spec.model_copy(update={"nice": 0}), priority=-nice
                )
            case CancelTasks(tasks):
                self._cancel_tasks(job, TaskSet([tasks]))
        return Carried()

    def _requeue(self, job: _Job, started_before: datetime | None) -> None:
        for run in list(job.live.values()):
            before = run.snapshot
            if started_before and before.started_at and before.started_at >= started_before:
                continue
            ended = replace(
                before,
                state=JobState.CANCELLED,
                reason="Requeued",
                exit_code=ExitCode(signal=15),
                ended_at=self.clock.now(),
                flags=frozenset({StateFlag.REQUEUED}),
            )
            job.waiting.appendleft((before.task_index, before.attempt + 1))
            self._write(job, self._metered(job, ended))

    def _cancel_tasks(self, job: _Job, tasks: TaskSet) -> None:
        for run in list(job.live.values()):
            if run.snapshot.task_index in tasks:
                self._end(job, run, JobState.CANCELLED, "Cancelled", ExitCode(signal=15))
        dropped = [task for task in job.waiting if task[0] in tasks]
        job.waiting = deque(task for task in job.waiting if task[0] not in tasks)
        for task_index, attempt in dropped:
            self._write_never_ran(job, task_index, attempt)

    def _write_never_ran(self, job: _Job, task_index: int, attempt: int) -> None:
        ended = TaskSnapshot(task_index, attempt, JobState.CANCELLED, ended_at=self.clock.now())
        self._write(job, self._metered(job, ended))

    def _touch(self, job: _Job) -> int:
        self._version += 1
        job.version = self._version
        self._changed.set()
        return self._version

    def _write(self, job: _Job, snapshot: TaskSnapshot) -> None:
        key = snapshot.task_index, snapshot.attempt
        job.runs[key] = _Run(snapshot, self._touch(job))
        if snapshot.has_ended:
            job.live.pop(key, None)
        else:
            job.live[key] = job.runs[key]

    def _drop_waiting(self, job: _Job) -> None:
        for task_index, attempt in job.waiting:
            if attempt:
                self._write_never_ran(job, task_index, attempt)
        if job.waiting:
            job.waiting.clear()
            self._touch(job)

    def _end(self, job: _Job, run: _Run, state: JobState, reason: str, code: ExitCode | None) -> None:
        before = run.snapshot
        policy = job.submission.spec.requeue
        wants_again = (
            policy.on_node_fail
            if state is JobState.NODE_FAIL
            else (code and code.code in policy.on_exit_codes)
        )
        is_requeued = bool(wants_again) and before.attempt < policy.max_requeues
        ended = replace(
            before,
            state=state,
            reason=reason,
            exit_code=code,
            ended_at=self.clock.now(),
            flags=frozenset({StateFlag.REQUEUED}) if is_requeued else frozenset(),
        )
        if is_requeued:
            job.waiting.appendleft((before.task_index, before.attempt + 1))
        self._write(job, self._metered(job, ended))

    def _metered(self, job: _Job, snapshot: TaskSnapshot) -> TaskSnapshot:
        metered = replace(snapshot, usage=self._usage(job, snapshot))
        self.accounting[job.submission.job_id, snapshot.task_index, snapshot.attempt] = metered
        return metered if Feature.METERS_USAGE in self._features else snapshot

    def _usage(self, job: _Job, snapshot: TaskSnapshot) -> JobUsage:
        ended_at = snapshot.ended_at or self.clock.now()
        elapsed = (ended_at - snapshot.started_at).total_seconds() if snapshot.started_at else 0
        seconds, resources = math.ceil(elapsed), job.submission.spec.resources
        gpus = resources.tres.get(tres.GPU, 0)
        return JobUsage(
            started_at=snapshot.started_at,
            ended_at=ended_at,
            elapsed_seconds=seconds,
            allocated_tres=resources.tres,
            gpu_busy_seconds=GPU_BUSY_SHARE * gpus * seconds if gpus else None,
            energy_joules=seconds * NODE_WATTS * resources.nodes,
        )

    def _deadlines(self) -> Iterator[tuple[datetime, _Job, _Run]]:
        for job in self._jobs.values():
            limit = timedelta(seconds=job.submission.spec.resources.walltime_seconds or 3600)
            for run in list(job.live.values()):
                if run.snapshot.started_at:
                    yield run.snapshot.started_at + limit, job, run

    def _start_what_fits(self) -> None:
        """Strictly in order of priority and submission: whoever does not fit stops those behind it."""
        order = sorted(self._jobs.values(), key=lambda job: -job.rank)
        blocked = False
        for job in order:
            spec = job.submission.spec
            throttle = (spec.array and spec.array.throttle) or math.inf
            reason = job.held_reason or self._unmet_dependency(job) or ("Priority" if blocked else "")
            while job.waiting and not reason:
                reason = "JobArrayTaskLimit" if len(job.live) >= throttle else self._start_next(job)
            blocked = blocked or reason in {"Resources", "Licenses"}
            if job.waiting and reason != job.pending_reason:
                job.pending_reason = reason
                self._touch(job)

    def _unmet_dependency(self, job: _Job) -> str:
        """Why the job waits for others; "" when it does not. Jobs that were forgotten are over and done."""
        known = [
            (dependency.kind, self._jobs[dependency.scheduler_job_id])
            for dependency in job.submission.dependencies
            if dependency.scheduler_job_id in self._jobs
        ]
        for kind, other in known:
            states = [run.snapshot.state for run in other.runs.values()]
            completed = states.count(JobState.COMPLETED) == other.submission.spec.task_count
            unwanted = {DependencyKind.AFTEROK: not completed, DependencyKind.AFTERNOTOK: completed}
            if other.has_ended and unwanted.get(kind):
                return "DependencyNeverSatisfied"
        return "" if all(other.has_ended for _, other in known) else "Dependency"

    def _start_next(self, job: _Job) -> str:
        """Start the job's next task; the reason when it has to wait."""
        spec = job.submission.spec
        if spec.begin_at and spec.begin_at > self.clock.now():
            return "BeginTime"
        cluster = self._cluster()
        if lacks_licenses(spec, cluster):
            return "Licenses"
        nodes = find_room(spec, cluster)
        if nodes is None:
            return "Resources"
        task_index, attempt = job.waiting.popleft()
        self.started.append((job.submission.job_id, task_index, attempt))
        now = self.clock.now()
        self._write(job, TaskSnapshot(task_index, attempt, JobState.RUNNING, started_at=now, nodes=nodes))
        return ""

    def _cluster(self) -> ClusterSnapshot:
        now = self.clock.now()
        idle = ClusterSnapshot(
            name=self._name,
            as_of=now,
            partitions=self._partitions,
            nodes=tuple(
                replace(node, allocated_cpus=0, allocated_memory_mib=0, allocated_gpus={})
                for node in self._nodes.values()
            ),
            licenses=tuple(License(feature, total, 0) for feature, total in self._licenses.items()),
        )
        held = (
            Held(job.submission.spec, run.snapshot.nodes)
            for job in self._jobs.values()
            for run in job.live.values()
        )
        return in_use(idle, held, at=now)
