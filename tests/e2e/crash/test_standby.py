"""Two controllers on one database: one is active, and one that slept through its lease does no harm."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.tables import Job, Lease
from quotas.verify import verify
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.e2e.crash.conftest import OpenCity
from tests.e2e.crash.test_crashes import SCRIPT, settings
from tests.portal_processes import OPERATOR, Processes, wait_until
from tests.small_city import City

JOBS = 12


def submit(city: City, count: int) -> None:
    spec = JobSpec(
        name="once",
        script=SCRIPT,
        resources=ResourceRequest(walltime_seconds=120, memory_mib_per_node=64),
    )

    async def each() -> None:
        for _ in range(count):
            await submit_job(city.services, city.chips.member, SubmitRequest(project="chips", spec=spec))

    asyncio.run(each())


def holder(city: City) -> int:
    """Process id of the active controller; 0 when there is none."""
    with city.services.engine.connect() as connection:
        found = connection.execute(select(col(Lease.holder))).scalar()
    return int(found.rpartition(":")[2]) if found else 0


def counted(city: City, *phases: Phase) -> Callable[[int], bool]:
    def reached(expected: int) -> bool:
        with city.services.engine.connect() as connection:
            statement = select(func.count()).select_from(Job).where(col(Job.phase).in_(phases))
            return connection.execute(statement).scalar_one() >= expected

    return reached


@pytest.mark.xdist_group("crash-serve")
@pytest.mark.timeout(600)
def test_a_controller_that_slept_through_its_lease_starts_nothing_twice(
    folder: Path, postgres_url: str, open_city: OpenCity
) -> None:
    city = open_city(postgres_url)
    settled = counted(city, Phase.SETTLED)
    with Processes(folder, settings(folder, postgres_url)) as processes:
        processes.start("first", *OPERATOR, "controller")
        processes.start("second", *OPERATOR, "controller")
        wait_until(lambda: holder(city) != 0, what="an active controller")
        submit(city, JOBS)
        wait_until(lambda: settled(1), what="the first job")
        asleep = holder(city)
        os.kill(asleep, signal.SIGSTOP)
        submit(city, JOBS)
        wait_until(lambda: holder(city) not in (0, asleep), what="the standby", seconds=180)
        os.kill(asleep, signal.SIGCONT)
        submit(city, JOBS)
        wait_until(lambda: settled(3 * JOBS), what="every job", seconds=180)
        with city.services.engine.connect() as connection:
            assert verify(connection) == []
            jobs: list[Any] = list(connection.execute(select(Job.__table__)))  # type: ignore[attr-defined]
    for job in jobs:
        starts = Counter((folder / "workspaces" / job.workspace / "starts").read_text().splitlines())
        assert list(starts.values()) == [1], f"{job.id}: {starts}"
