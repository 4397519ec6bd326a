"""A slurmrestd that is slow, broken and cut off by turns, and dies: each job is in Slurm exactly once."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app.clock import SystemClock
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, JobTask
from quotas.balance import balance
from quotas.verify import verify
from schedulers.jobstate import JobState
from scripts.slurm_cluster import daemons
from scripts.slurm_cluster.instance import Instance
from tests.e2e.chaos.bad_gateway import BadGateway, Mood
from tests.e2e.slurm.conftest import Portal, running_portal
from tests.portal_processes import wait_until

JOBS = 24
SCRIPT = '#!/bin/sh\necho "0 $HPC_RESTART_COUNT" >> starts\nsleep 1\n'
SMALL = {"walltime_seconds": 120, "memory_mib_per_node": 16}
MOOD_SECONDS = 1.5

pytestmark = [pytest.mark.timeout(900)]


@contextmanager
def changing_moods(portal: Portal, gateway: BadGateway) -> Iterator[None]:
    """Every mood for a while, and a slurmrestd that is killed in between; then all is well."""
    dice = random.Random(11)  # noqa: S311 - a test's dice

    def play() -> None:
        moods = [mood for mood in Mood if mood is not Mood.GOOD]
        dice.shuffle(moods)
        for mood in moods:
            gateway.mood = mood
            time.sleep(MOOD_SECONDS)
        daemons.kill(portal.slurm, "slurmrestd")
        time.sleep(MOOD_SECONDS)
        daemons.start(portal.slurm, "slurmrestd")
        gateway.mood = Mood.GOOD

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    yield
    thread.join()


def test_a_slurmrestd_in_any_mood_gets_each_job_exactly_once(
    slurm: Instance, folder: Path, postgres_url: str
) -> None:
    parts = urlsplit(slurm.rest_url)
    assert parts.hostname
    assert parts.port
    with (
        BadGateway((parts.hostname, parts.port)) as gateway,
        running_portal(slurm, folder, postgres_url, rest_url=gateway.url) as portal,
    ):
        with changing_moods(portal, gateway):
            jobs = [submit(portal, number) for number in range(JOBS)]
        wait_until(lambda: unsettled(portal) == 0, what="every job to settle", seconds=400)
        require_each_once(portal, jobs)
        assert set(gateway.met) == set(Mood), f"not every mood met a request: {gateway.met}"


def submit(portal: Portal, number: int) -> str:
    time.sleep(MOOD_SECONDS * len(Mood) / JOBS)
    return portal.submit(f"job-{number}", script=SCRIPT, partition="short", resources=SMALL)


def unsettled(portal: Portal) -> int:
    with portal.city.services.engine.connect() as connection:
        statement = select(func.count()).select_from(Job).where(col(Job.phase) != Phase.SETTLED)
        return connection.execute(statement).scalar_one()


def require_each_once(portal: Portal, submitted: list[str]) -> None:
    """By the portal's tables, by each job's own file, and by what slurmdbd says of their comments."""
    with portal.city.services.engine.connect() as connection:
        jobs: list[Any] = list(connection.execute(select(Job.__table__)))  # type: ignore[attr-defined]
        runs: list[Any] = list(connection.execute(select(JobTask.__table__)))  # type: ignore[attr-defined]
        assert verify(connection) == []
        money = balance(connection, portal.city.chips.project_id, SystemClock().now()).by_asset["VND"]
    assert sorted(str(job.id) for job in jobs) == sorted(submitted)
    assert Counter(job.state for job in jobs) == {JobState.COMPLETED: JOBS}
    assert len(runs) == JOBS
    assert (money.held, money.consumed) == (0, sum(job.charged_vnd for job in jobs))
    for job in jobs:
        assert (portal.workspaces / job.workspace / "starts").read_text() == "0 0\n", job.id
    known = portal.slurm.run(
        *("sacct", "--noheader", "--allusers", "--allocations", "--parsable2", "--format=WorkDir")
    )
    folders = Counter(Path(line).name for line in known.split())
    assert {str(job.id): folders[Path(job.workspace).name] for job in jobs} == dict.fromkeys(submitted, 1)
