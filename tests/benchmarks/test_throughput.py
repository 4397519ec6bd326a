"""Jobs per second from submit to settled, against bare supervised launches and against HyperQueue."""

import asyncio
import tempfile
import time
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from tests.benchmarks.portal import PROJECT, TRUE, BenchPortal, running_portal
from tests.benchmarks.yardsticks import (
    hyperqueue_array_tasks_per_second,
    hyperqueue_single_jobs_per_second,
    supervised_launches_per_second,
)
from tests.portal_processes import wait_until

pytestmark = pytest.mark.benchmark

TASKS = 10_000
JOBS = 2_000
ROUNDS = 3
PATIENCE = 300.0


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def show(title: str, figures: dict[str, list[float]], ours: str) -> None:
    """Print each figure's median and range, and our ratio to every reference."""
    print(f"\n## {title}")
    for name, values in figures.items():
        print(f"{name:42} {median(values):9.0f} /s   ({min(values):.0f} - {max(values):.0f})")
    for name, values in figures.items():
        if name != ours:
            ratios = [mine / theirs for mine, theirs in zip(figures[ours], values, strict=True)]
            print(f"{ours} / {name}: {median(ratios):.2f}")


def settled(portal: BenchPortal) -> int:
    with portal.city.services.engine.connect() as connection:
        return connection.execute(
            select(func.count()).select_from(Job).where(col(Job.phase) == Phase.SETTLED)
        ).scalar_one()


def array_tasks_per_second(portal: BenchPortal) -> float:
    before = settled(portal)
    began = time.perf_counter()
    job_id = portal.submit({**TRUE, "array": {"expression": f"0-{TASKS - 1}"}})
    wait_until(lambda: settled(portal) == before + 1, what="the array", seconds=PATIENCE)
    elapsed = time.perf_counter() - began
    with portal.city.services.engine.connect() as connection:
        completed = connection.execute(
            select(col(Job.tasks_completed)).where(col(Job.id) == UUID(job_id))
        ).scalar_one()
    assert completed == TASKS
    return TASKS / elapsed


def single_jobs_per_second(portal: BenchPortal) -> float:
    before = settled(portal)
    began = time.perf_counter()
    asyncio.run(submit_all(portal))
    wait_until(lambda: settled(portal) == before + JOBS, what="all jobs", seconds=PATIENCE)
    return JOBS / (time.perf_counter() - began)


async def submit_all(portal: BenchPortal) -> None:
    headers = {"Authorization": f"Bearer {portal.token}"}
    async with httpx.AsyncClient(base_url=portal.url, headers=headers, timeout=60) as client:
        left = iter(range(JOBS))

        async def submit() -> None:
            for _ in left:
                answer = await client.post("/api/v1/jobs", json={"project": PROJECT, "spec": TRUE})
                answer.raise_for_status()

        await asyncio.gather(*(submit() for _ in range(8)))


def test_array_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    figures: dict[str, list[float]] = {"portal": [], "L2 (bare launches)": [], "HyperQueue": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            figures["L2 (bare launches)"].append(supervised_launches_per_second(Path(folder)))
        with running_portal() as portal:
            figures["portal"].append(array_tasks_per_second(portal))
        with tempfile.TemporaryDirectory() as folder:
            figures["HyperQueue"].append(hyperqueue_array_tasks_per_second(Path(folder), tasks=TASKS))
    with capsys.disabled():
        show(f"One array of {TASKS} tasks of /bin/true, submit to settled", figures, "portal")


def test_single_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    figures: dict[str, list[float]] = {"portal": [], "L2 (bare launches)": [], "HyperQueue": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            figures["L2 (bare launches)"].append(supervised_launches_per_second(Path(folder)))
        with running_portal() as portal:
            figures["portal"].append(single_jobs_per_second(portal))
        with tempfile.TemporaryDirectory() as folder:
            figures["HyperQueue"].append(hyperqueue_single_jobs_per_second(Path(folder), jobs=JOBS))
    with capsys.disabled():
        show(f"{JOBS} single jobs of /bin/true, submit to settled", figures, "portal")
