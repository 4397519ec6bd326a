"""How long after the 201 a job runs on an idle node, and how fast 10,000 waiting tasks are cancelled."""

import statistics
import time
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.tables import Job, JobTask
from tests.benchmarks.portal import TRUE, BenchPortal, phase_of, running_portal
from tests.portal_processes import wait_until

pytestmark = pytest.mark.benchmark

SUBMITS = 100
TASKS = 10_000
SLEEPER = {"name": "sleep", "argv": ["/bin/sleep", "600"], "resources": {"walltime_seconds": 900}}


def started_at(portal: BenchPortal, job_id: str) -> datetime | None:
    with portal.city.services.engine.connect() as connection:
        statement = select(col(JobTask.started_at)).where(col(JobTask.job_id) == UUID(job_id))
        return connection.execute(statement).scalar()


def test_accepted_to_running(capsys: pytest.CaptureFixture[str]) -> None:
    waits = []
    with running_portal() as portal:
        for _ in range(SUBMITS):
            job_id = portal.submit(TRUE)
            answered_at = time.time()
            wait_until(lambda job=job_id: phase_of(portal, job) == "settled", what="the job")  # type: ignore[misc]
            started = started_at(portal, job_id)
            assert started
            waits.append((started.timestamp() - answered_at) * 1000)
    waits.sort()
    with capsys.disabled():
        print("\n## From HTTP 201 to the started process, idle node")
        print(f"p50 {statistics.median(waits):.1f} ms   p99 {waits[int(len(waits) * 0.99) - 1]:.1f} ms")


def test_cancelling_waiting_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    with running_portal() as portal:
        job_id = portal.submit({**SLEEPER, "array": {"expression": f"0-{TASKS - 1}"}})
        wait_until(lambda: started_at(portal, job_id) is not None, what="the first tasks")
        began = time.perf_counter()
        portal.client.post(f"/api/v1/jobs/{job_id}/cancel").raise_for_status()
        accepted = time.perf_counter() - began
        after = portal.submit(TRUE)
        wait_until(lambda: is_over(portal, job_id), what="the cancelled array")
        cancelled = time.perf_counter() - began
        wait_until(lambda: is_over(portal, after), what="a job submitted meanwhile")
        next_ran = time.perf_counter() - began
    with capsys.disabled():
        print(f"\n## Cancel of an array with {TASKS} waiting and 2 running tasks")
        print(f"wish stored {accepted * 1000:.0f} ms, all ended {cancelled * 1000:.0f} ms")
        print(f"a job submitted right after the wish had run after {next_ran * 1000:.0f} ms")


def is_over(portal: BenchPortal, job_id: str) -> bool:
    with portal.city.services.engine.connect() as connection:
        statement = select(col(Job.ended_at)).where(col(Job.id) == UUID(job_id))
        return connection.execute(statement).scalar() is not None
