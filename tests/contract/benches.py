"""Puts a backend under the contract suite: makes jobs with a known behaviour and waits for them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from schedulers.cluster import Node, NodeState, Partition
from schedulers.dask.backend import DaskScheduler
from schedulers.dask.link import EmbeddedCluster
from schedulers.dask.node import NodeConfig, declared_gpus
from schedulers.dask.store import MemoryPlacementStore
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobSnapshot, JobState
from schedulers.memory import MemoryScheduler
from schedulers.protocol import (
    Accepted,
    Carried,
    ChangeRequest,
    JobChange,
    JobRef,
    Scheduler,
    Submission,
    SubmitOutcome,
)

N1 = Node("n1", NodeState.UP, cpus=4, memory_mib=4096, gpus={"h100": 2})
LICENSES = {"vcs": 1}

_ONE_CLUSTER = pytest.mark.xdist_group("slurm")
BACKENDS = ("memory", "dask", pytest.param("slurm-tcp", marks=_ONE_CLUSTER))
OVER_UNIX_SOCKET = pytest.param("slurm-unix", marks=_ONE_CLUSTER)


class Behaviour(Enum):
    """What a job does, as a shell command that a real backend runs and the memory bench acts out."""

    SUCCEEDS = "exit 0"
    EXITS_WITH_3 = "exit 3"
    IS_KILLED = "kill -9 $$"
    STAYS = "exec sleep 300"
    SAVES_ONCE = 'test "$HPC_RESTART_COUNT" -ge 1 || exit 75'
    SAVES_FOR_EVER = "exit 75"


@dataclass
class Bench:
    """One started backend, the node that its jobs run on, and the jobs that a test gave it."""

    scheduler: Scheduler
    workspaces: Path
    behaviours: dict[UUID, Behaviour] = field(default_factory=dict)
    node: Node = N1
    other_nodes: frozenset[str] = frozenset()
    licenses: Mapping[str, int] = field(default_factory=lambda: LICENSES)
    longest_walltime_seconds: int = 3600
    patience_seconds: float = 120.0

    async def submit(self, behaviour: Behaviour, **facts: Any) -> JobRef:  # noqa: ANN401 - fields of JobSpec
        """Hand a job over."""
        return await self.hand_over(self.submission(behaviour, **facts))

    async def hand_over(self, submission: Submission) -> JobRef:
        """The same for a submission."""
        (outcome,) = await self.scheduler.submit([submission])
        return accepted(submission, outcome)

    def submission(self, behaviour: Behaviour, **facts: Any) -> Submission:  # noqa: ANN401 - the same
        """A job as the portal would hand it over, its workspace made."""
        job_id = uuid4()
        letters = job_id.hex.translate(str.maketrans("0123456789", "ghijklmnop"))
        facts.setdefault("name", f"contract-{letters}")  # alike in nothing, not even without its numbers
        facts.setdefault("resources", ResourceRequest(memory_mib_per_node=64, walltime_seconds=600))
        workspace = self.workspace(job_id)
        self.behaviours[job_id] = behaviour
        return Submission(
            job_id=job_id,
            spec=JobSpec(argv=("/bin/sh", "-c", behaviour.value), **facts),
            cluster_user="an",
            organisation="uni",
            project="lab",
            workspace=str(workspace),
            submitted_at=datetime.now(UTC),
            cluster_uid=20_001,
        )

    def workspace(self, job_id: UUID) -> Path:
        """A new folder for a job."""
        made = self.workspaces / "uni" / "lab" / "an" / str(job_id)
        made.mkdir(parents=True)
        return made

    @property
    def whole_node(self) -> ResourceRequest:
        """All CPUs of the node."""
        return ResourceRequest(ntasks=self.node.cpus, memory_mib_per_node=64, walltime_seconds=600)

    async def snapshot(self, job: JobRef) -> JobSnapshot:
        """All that is known of one job."""
        return (await self.scheduler.observe({job.job_id: job})).jobs[job.job_id]

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait for real processes, or let the memory scheduler go on."""
        began = time.monotonic()
        while not await condition():
            waited = time.monotonic() - began
            if waited > self.patience_seconds:
                seen = await self.scheduler.observe({job.job_id: job for job in await self.find_all()})
                message = f"it did not come to pass: {seen}, {await self.scheduler.cluster()}"
                raise AssertionError(message)
            await self.let_pass(waited)

    async def find_all(self) -> list[JobRef]:
        """All jobs of this test that the scheduler has."""
        found = await self.scheduler.find(dict.fromkeys(self.behaviours, "an"))
        return [
            JobRef(job_id, known.scheduler_job_id)
            for job_id, known in found.items()
            if isinstance(known, Accepted)
        ]

    def now(self) -> datetime:
        """The backend's own time: what runs already started before it."""
        return datetime.now(UTC)

    async def let_pass(self, waited_seconds: float) -> None:
        """Real time passes: the longer it took so far, the rarer a look."""
        await asyncio.sleep(max(0.02, waited_seconds / 20))

    async def ended(self, job: JobRef) -> JobSnapshot:
        """The job's last snapshot, once all of it has ended."""

        async def has_ended() -> bool:
            seen = await self.snapshot(job)
            return seen.is_closed and all(task.has_ended for task in seen.tasks)

        await self.until(has_ended)
        return await self.snapshot(job)

    async def running(self, job: JobRef, count: int = 1) -> None:
        """Wait until so many of the job's tasks run."""

        async def is_running() -> bool:
            seen = await self.snapshot(job)
            return sum(task.state == "RUNNING" for task in seen.tasks) >= count

        await self.until(is_running)

    async def clear(self) -> None:
        """End and forget everything, for the next test."""
        known = await self.find_all()
        await self.scheduler.cancel(known)
        for job in known:
            await self.ended(job)
        await self.scheduler.forget(known)
        self.behaviours.clear()


@dataclass
class MemoryBench(Bench):
    """Acts the behaviours out on a memory scheduler; its time passes only while a test waits."""

    def now(self) -> datetime:
        """A second later."""
        memory = self.scheduler
        assert isinstance(memory, MemoryScheduler)
        memory.advance(1)
        return memory.clock.now()

    async def let_pass(self, waited_seconds: float) -> None:
        """Half a minute passes, and programs that end by themselves end."""
        del waited_seconds
        memory = self.scheduler
        assert isinstance(memory, MemoryScheduler)
        memory.advance(30)
        for job_id, task_index, attempt in memory.running():
            match self.behaviours[job_id]:
                case Behaviour.SUCCEEDS:
                    memory.finish(job_id, task_index)
                case Behaviour.EXITS_WITH_3:
                    memory.finish(job_id, task_index, exit_code=3)
                case Behaviour.IS_KILLED:
                    memory.finish(job_id, task_index, signal=9)
                case Behaviour.SAVES_ONCE:
                    memory.finish(job_id, task_index, exit_code=0 if attempt else 75)
                case Behaviour.SAVES_FOR_EVER:
                    memory.finish(job_id, task_index, exit_code=75)
                case Behaviour.STAYS:
                    pass


async def change(bench: Bench, job: JobRef, *changes: JobChange) -> None:
    """Every one of them must be carried out."""
    outcomes = await bench.scheduler.change([ChangeRequest(job, one) for one in changes])
    assert outcomes == [Carried() for _ in changes]


async def runs_again(bench: Bench, job: JobRef) -> None:
    """Wait until it runs after its first requeue."""

    async def does() -> bool:
        tasks = (await bench.snapshot(job)).tasks
        return any(task.attempt == 1 and task.state is JobState.RUNNING for task in tasks)

    await bench.until(does)


def on_dask(job_id: UUID) -> JobRef:
    """A job of a Dask cluster, where its own id is its number."""
    return JobRef(job_id, str(job_id))


def accepted(submission: Submission, outcome: SubmitOutcome) -> JobRef:
    """The job that the scheduler took."""
    assert isinstance(outcome, Accepted), outcome
    return JobRef(
        submission.job_id, outcome.scheduler_job_id, submission.cluster_user, submission.submitted_at
    )


MAIN = Partition(
    "main",
    ("*",),
    max_walltime_seconds=Bench.longest_walltime_seconds,
    default_walltime_seconds=600,
    is_default=True,
)


def node_config(folder: Path, *, name: str = N1.name, cpus: int = N1.cpus) -> NodeConfig:
    """A node of this machine, isolated as well as whoever runs the tests can."""
    return NodeConfig(
        name=name,
        state_dir=str(folder / f"state-{name}"),
        workspace_root=str(folder / "workspaces"),
        cpus=cpus,
        memory_mib=N1.memory_mib,
        gpus=declared_gpus(N1.gpus),
        isolation="auto",
        allow_unisolated_tenants=True,
        idle_exit_seconds=5.0,
    )


def embedded_scheduler(folder: Path, store: MemoryPlacementStore) -> DaskScheduler:
    """A backend on an embedded cluster whose state is in this folder; not started."""
    return DaskScheduler(
        "danang",
        EmbeddedCluster(node_config(folder)),
        store,
        partitions=[MAIN],
        licenses=LICENSES,
        grace_seconds=1.0,
    )
