"""Run templates' jobs on a real Slurm cluster and on the embedded Dask node, side by side."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from hpc_portal.app.files.workspace import prepare_workspace
from schedulers.jobspec import JobSpec
from schedulers.jobstate import JobSnapshot
from schedulers.protocol import Accepted, JobRef, Scheduler, Submission
from workloads.template import Parameters, Results, Template

PATIENCE_SECONDS = 280.0


@dataclass(frozen=True)
class Cluster:
    """A scheduler that runs, and whose account its jobs belong to."""

    scheduler: Scheduler
    workspaces: Path
    user: str
    uid: int
    hands_over_files: bool
    """The portal gives the workspace to the account; else the node does."""


@dataclass(frozen=True)
class Workload:
    """A template with parameters as a person filled them in."""

    template: Template[Any]
    parameters: Mapping[str, Any]

    def params(self) -> Parameters:
        found: Parameters = self.template.validate(self.parameters)
        return found


@dataclass(frozen=True)
class Run:
    """A job that the cluster has."""

    cluster: Cluster
    job: JobRef
    workspace: Path

    async def seen(self) -> JobSnapshot | None:
        return (await self.cluster.scheduler.observe({self.job.job_id: self.job})).jobs.get(self.job.job_id)

    async def ended(self) -> JobSnapshot:
        """All that is known of it once every task has ended."""
        found: list[JobSnapshot] = []

        async def has_ended() -> bool:
            seen = await self.seen()
            if seen and seen.is_closed and all(task.has_ended for task in seen.tasks):
                found.append(seen)
            return bool(found)

        await until(has_ended, f"job {self.job.scheduler_job_id} to end")
        return found[0]

    def output(self) -> str:
        """What its tasks printed."""
        files = sorted([*self.workspace.glob("*.out"), *self.workspace.glob("logs/*")])
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')}" for file in files)


@dataclass(frozen=True)
class Outcome:
    """How a job ended and what it achieved."""

    snapshot: JobSnapshot
    results: Results
    output: str


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.2)


async def start(cluster: Cluster, spec: JobSpec) -> Run:
    """Hand a job over as the portal would."""
    job_id = uuid4()
    relative = f"uni/lab/{cluster.user}/{job_id}"
    owner = cluster.uid if cluster.hands_over_files else None
    workspace = await asyncio.to_thread(prepare_workspace, cluster.workspaces, relative, spec, owner=owner)
    submission = Submission(
        job_id=job_id,
        spec=spec,
        cluster_user=cluster.user,
        organisation="uni",
        project="lab",
        workspace=str(workspace),
        submitted_at=datetime.now(UTC),
        cluster_uid=cluster.uid,
    )
    (outcome,) = await cluster.scheduler.submit([submission])
    assert isinstance(outcome, Accepted), outcome
    return Run(cluster, JobRef(job_id, outcome.scheduler_job_id, cluster.user, datetime.now(UTC)), workspace)


async def outcome_of(run: Run, workload: Workload) -> Outcome:
    snapshot = await run.ended()
    results = await asyncio.to_thread(workload.template.parse, run.workspace, workload.params())
    return Outcome(snapshot, results, run.output())
