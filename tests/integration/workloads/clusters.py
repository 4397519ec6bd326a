"""Hand a template's job to a started backend as the portal does: its files in a workspace, then the job."""

import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from schedulers.dask.backend import DaskScheduler
from schedulers.dask.link import EmbeddedCluster
from schedulers.dask.node import default_runtime_paths
from schedulers.dask.store import MemoryPlacementStore
from schedulers.job_variables import SCRIPT_NAME
from schedulers.jobspec import JobSpec
from schedulers.jobstate import TaskSnapshot
from schedulers.protocol import JobRef
from tests.contract.benches import LICENSES, MAIN, Behaviour, Bench, node_config
from tests.integration.dask_backend.farm import connected, farm
from tests.integration.workloads.runner import prepare

_STRAGGLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A job that a backend has, and where it works."""

    bench: Bench
    job: JobRef
    workspace: Path

    async def ended(self) -> list[TaskSnapshot]:
        """All runs of its only task, once the job is over."""
        return sorted((await self.bench.ended(self.job)).tasks, key=lambda run: run.attempt)

    @property
    def output(self) -> str:
        """What its ranks printed."""
        return "\n".join(path.read_text() for path in sorted(self.workspace.glob("slurm-*.out*")))

    def stragglers(self) -> list[str]:
        """What stays when the job is over. Python's own helpers end a moment after those that they help."""
        deadline = time.monotonic() + _STRAGGLE_SECONDS
        while (found := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def processes(self) -> list[str]:
        """Command lines of whatever on this machine still belongs to the job, as far as we may look."""
        mark = f"HPC_JOB_ID={self.job.job_id}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


async def hand_in(bench: Bench, spec: JobSpec) -> HandedIn:
    """Submit it; its program sees the Python that runs the tests."""
    submission = replace(bench.submission(Behaviour.SUCCEEDS), spec=spec)
    workspace = Path(submission.workspace)
    prepare(workspace, spec)
    script = (workspace / ".script").rename(workspace / SCRIPT_NAME)
    for path in (script, *(workspace / one.path for one in spec.inputs)):
        path.chmod(0o755)  # whoever the job runs as
    return HandedIn(bench, await bench.hand_over(submission), workspace)


@asynccontextmanager
async def one_dask_node() -> AsyncIterator[Bench]:
    """The portal's own kind of cluster within this process, with one node."""
    folder = Path(tempfile.mkdtemp(prefix="hpc-"))  # short, for sockets
    os.chmod(folder, 0o755)  # noqa: PTH101, S103 - open to the accounts of jobs
    scheduler = DaskScheduler(
        "danang",
        EmbeddedCluster(replace(node_config(folder), runtime_paths=default_runtime_paths())),
        MemoryPlacementStore(),
        partitions=[MAIN],
        licenses=LICENSES,
        grace_seconds=10.0,
    )
    await scheduler.start()
    try:
        yield Bench(scheduler, folder / "workspaces")
    finally:
        await scheduler.close()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def two_dask_nodes() -> AsyncIterator[Bench]:
    """The portal's own kind of cluster, with the nodes n1 and n2."""
    with farm() as built:
        built.start_scheduler()
        built.start_worker("n1")
        built.start_worker("n2")
        scheduler = await connected(built, MemoryPlacementStore(), nodes=2)
        try:
            yield Bench(scheduler, built.folder / "workspaces")
        finally:
            await scheduler.close()
