"""The Slurm backend on a real cluster: jobs are shell commands of a user of that cluster."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobSnapshot, JobState, TaskSnapshot
from schedulers.protocol import Accepted, JobRef, RunKey, Submission
from schedulers.slurm.backend import SlurmScheduler
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.tokens import MintedTokens
from scripts.slurm_cluster import config
from scripts.slurm_cluster.instance import Instance

PATIENCE_SECONDS = 280.0
WAITS_FOR_GATE = "until test -e gate; do sleep 0.2; done; "
"""Begins the command of a job that goes on when the test says so, see `open_gate`."""
CONF = "/etc/slurm/slurm.conf"
SMALL = ResourceRequest(memory_mib_per_node=64, walltime_seconds=600)


@dataclass
class Portal:
    """What the portal's controller does with a cluster, by hand."""

    scheduler: SlurmScheduler
    instance: Instance
    key: Path

    def submission(self, command: str, *, user: str = "alice", **facts: Any) -> Submission:  # noqa: ANN401 - fields of JobSpec
        """A job in a workspace that its user may write."""
        job_id = uuid4()
        workspace = self.instance.workspace / str(job_id)
        workspace.mkdir()
        workspace.chmod(0o777)
        facts.setdefault("name", f"story-{job_id.hex[:8]}")
        facts.setdefault("resources", SMALL)
        facts.setdefault("partition", "short")
        return Submission(
            job_id=job_id,
            spec=JobSpec(argv=("/bin/sh", "-c", command), **facts),
            cluster_user=user,
            organisation="uni",
            project="lab",
            workspace=str(workspace),
            submitted_at=datetime.now(UTC),
        )

    async def submit(self, command: str, **facts: Any) -> JobRef:  # noqa: ANN401 - fields of JobSpec
        """A job that Slurm has."""
        return await self.hand_over(self.submission(command, **facts))

    async def hand_over(self, submission: Submission) -> JobRef:
        """The same for a submission."""
        (outcome,) = await self.scheduler.submit([submission])
        assert isinstance(outcome, Accepted), outcome
        user = submission.cluster_user
        return JobRef(submission.job_id, outcome.scheduler_job_id, user, datetime.now(UTC))

    async def until(self, condition: Callable[[], Awaitable[bool]], *, every_seconds: float = 0.2) -> None:
        """Wait for a condition; while Slurm is away it is not met."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if await condition():
                    return
            except SchedulerUnavailable as problem:
                print(f"not now: {problem}")
            if time.monotonic() > deadline:
                raise AssertionError(self.instance.run("squeue", "--all", "--states=all"))
            await asyncio.sleep(every_seconds)

    async def seen(self, job: JobRef) -> JobSnapshot | None:
        """All that is known of a job."""
        return (await self.scheduler.observe({job.job_id: job})).jobs.get(job.job_id)

    async def ended(self, job: JobRef) -> JobSnapshot:
        """The job once all of it has ended."""
        found: list[JobSnapshot] = []

        async def has_ended() -> bool:
            seen = await self.seen(job)
            if seen and seen.is_closed and all(task.has_ended for task in seen.tasks):
                found.append(seen)
            return bool(found)

        await self.until(has_ended)
        return found[0]

    async def end_of(self, job: JobRef) -> TaskSnapshot:
        """How the only run of a job ended."""
        (run,) = (await self.ended(job)).tasks
        return run

    async def running(self, job: JobRef) -> TaskSnapshot:
        """A run of the job that runs."""
        found: list[TaskSnapshot] = []

        async def runs() -> bool:
            seen = await self.seen(job)
            found.extend(task for task in (seen.tasks if seen else ()) if task.state is JobState.RUNNING)
            return bool(found)

        await self.until(runs)
        return found[0]

    async def waits(self, job: JobRef, reason: str) -> None:
        """Wait until the job waits for this reason."""

        async def says_so() -> bool:
            seen = await self.seen(job)
            return seen is not None and seen.pending_reason == reason

        await self.until(says_so)

    async def charged(self, job: JobRef, *, runs: int) -> dict[RunKey, TaskSnapshot]:
        """So many runs of a job with what they used, once slurmdbd has all of it.

        It must tell the ends that were observed, or the portal would correct them again and again.
        """
        found: dict[RunKey, TaskSnapshot] = {}

        async def is_known() -> bool:
            found.update(await self.scheduler.accounted([job]))
            return len(found) == runs

        await self.until(is_known)
        seen = await self.ended(job)
        observed = {(job.job_id, run.task_index, run.attempt): (run.state, run.flags) for run in seen.tasks}
        assert {key: (run.state, run.flags) for key, run in found.items()} == observed
        return found

    def open_gate(self, submission: Submission) -> None:
        """Let a job of WAITS_FOR_GATE go on."""
        Path(submission.workspace, "gate").touch()

    def started(self, job_id: UUID) -> int:
        """How often the program of a job that does `echo started >> started` did start."""
        file = self.instance.workspace / str(job_id) / "started"
        return len(file.read_text().split()) if file.exists() else 0

    @asynccontextmanager
    async def restarted(self) -> AsyncIterator["Portal"]:
        """The same cluster seen by a controller that remembers nothing."""
        scheduler = scheduler_of(self.instance, self.key)
        try:
            yield replace(self, scheduler=scheduler)
        finally:
            await scheduler.close()


@contextmanager
def configured(instance: Instance, **settings: int) -> Iterator[None]:
    """slurmctld with other numbers in its slurm.conf, and then with those that it had."""
    before = instance.run("cat", CONF)
    for name, value in settings.items():
        instance.run("sed", "--in-place", f"s/^{name}=.*/{name}={value}/", CONF)
    instance.run("scontrol", "reconfigure")
    try:
        yield
    finally:
        instance.run("tee", CONF, stdin=before)
        instance.run("scontrol", "reconfigure")


def scheduler_of(instance: Instance, key: Path) -> SlurmScheduler:
    client = SlurmClient(instance.rest_url, MintedTokens(key), polling_user="hpcportal", timeout_seconds=10.0)
    return SlurmScheduler(config.CLUSTER, client, admin_user="slurm", quiet_seconds=2.0, late_seconds=0.0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def portal(slurm: Instance, tmp_path: Path) -> AsyncIterator[Portal]:
    key = tmp_path / "jwt_hs256.key"
    key.write_bytes(slurm.jwt_key())
    key.chmod(0o600)
    scheduler = scheduler_of(slurm, key)
    await scheduler.start()
    yield Portal(scheduler, slurm, key)
    await scheduler.close()
