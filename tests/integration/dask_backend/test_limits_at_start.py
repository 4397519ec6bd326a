"""Limits on a real Dask cluster: they hold at every start, for each level, and a changed one at once."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from schedulers.cluster import LicenseSupply
from schedulers.dask.placement import ConcurrentLimits
from schedulers.dask.store import MemoryPlacementStore
from schedulers.jobspec import ArraySpec, ResourceRequest
from schedulers.jobstate import JobSnapshot
from schedulers.protocol import JobRef, Submission
from tests.contract.benches import Behaviour, Bench, embedded_scheduler, on_dask

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hpc-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def sleepers(bench: Bench, user: str, tasks: int, **facts: object) -> Submission:
    """An array whose tasks run until they are cancelled."""
    submission = bench.submission(Behaviour.SUCCEEDS, array=ArraySpec(expression=f"0-{tasks - 1}"), **facts)
    spec = submission.spec.model_copy(update={"argv": ("/bin/sh", "-c", "exec sleep 300")})
    return replace(submission, spec=spec, user=user)


def running(seen: JobSnapshot) -> int:
    return sum(task.state == "RUNNING" for task in seen.tasks)


async def until_waiting(bench: Bench, job: JobRef, reason: str) -> None:
    """Wait until the job is told so."""

    async def is_told() -> bool:
        return (await bench.snapshot(job)).pending_reason == reason

    await bench.until(is_told)


async def test_a_person_at_their_limit_waits_while_others_of_the_project_run(folder: Path) -> None:
    store = MemoryPlacementStore()
    store.concurrent_limits = {
        ("member", "lab/an"): ConcurrentLimits(max_running_tasks=1),
        ("project", "lab"): ConcurrentLimits(max_running_tasks=3),
    }
    scheduler = embedded_scheduler(folder, store)
    await scheduler.start()
    bench = Bench(scheduler, folder / "workspaces")
    try:
        an, binh = sleepers(bench, "an", 3), sleepers(bench, "binh", 2)
        await scheduler.submit([an])
        await scheduler.submit([binh])
        await bench.running(on_dask(binh.job_id), 2)
        await bench.running(on_dask(an.job_id), 1)
        await until_waiting(bench, on_dask(an.job_id), "AssocGrpJobsLimit")
        assert running(await bench.snapshot(on_dask(an.job_id))) == 1

        store.concurrent_limits = {("project", "lab"): ConcurrentLimits(max_running_tasks=4)}
        await bench.running(on_dask(an.job_id), 2)
        assert running(await bench.snapshot(on_dask(binh.job_id))) == 2
        await until_waiting(bench, on_dask(an.job_id), "AssocGrpJobsLimit")
        assert running(await bench.snapshot(on_dask(an.job_id))) == 2
        await bench.clear()
    finally:
        await scheduler.close()


async def test_gpus_of_one_type_are_limited_for_an_organisation_across_its_people(folder: Path) -> None:
    store = MemoryPlacementStore()
    store.concurrent_limits = {("organisation", "uni"): ConcurrentLimits(max_tres={"gres/gpu:h100": 1})}
    scheduler = embedded_scheduler(folder, store)
    await scheduler.start()
    bench = Bench(scheduler, folder / "workspaces")
    asked = ResourceRequest(memory_mib_per_node=64, walltime_seconds=600, gpus_per_node={"h100": 1})
    try:
        an, binh = (sleepers(bench, user, 1, resources=asked) for user in ("an", "binh"))
        await scheduler.submit([an])
        await bench.running(on_dask(an.job_id))
        await scheduler.submit([binh])
        await until_waiting(bench, on_dask(binh.job_id), "AssocGrpGRES")
        await scheduler.cancel([on_dask(an.job_id)])
        await bench.running(on_dask(binh.job_id))
        await bench.clear()
    finally:
        await scheduler.close()


async def test_a_licence_used_outside_is_waited_for_and_taken_when_it_comes_back(folder: Path) -> None:
    store = MemoryPlacementStore()
    store.license_supplies = {"vcs": LicenseSupply(1, outside=1)}
    scheduler = embedded_scheduler(folder, store)
    await scheduler.start()
    bench = Bench(scheduler, folder / "workspaces")
    asked = ResourceRequest(walltime_seconds=60, memory_mib_per_node=64, licenses={"vcs": 1})
    try:
        submission = bench.submission(Behaviour.SUCCEEDS, resources=asked)
        await scheduler.submit([submission])
        job = on_dask(submission.job_id)
        await until_waiting(bench, job, "Licenses")
        (licence,) = (await scheduler.cluster()).licenses
        assert (licence.total, licence.used, licence.outside) == (1, 1, 1)
        store.license_supplies = {}
        assert (await bench.ended(job)).tasks[0].state == "COMPLETED"
    finally:
        await scheduler.close()
