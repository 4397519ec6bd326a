"""Parts of the portal and of Slurm die amid a burst: nothing is lost, runs twice, or is wrongly charged."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app.clock import SystemClock
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, JobTask
from quotas.balance import balance
from quotas.tables import AccountingRecord
from quotas.verify import verify
from schedulers.jobstate import JobState
from scripts.slurm_cluster import daemons
from tests.e2e.slurm.conftest import Portal
from tests.portal_processes import wait_until

pytestmark = [pytest.mark.timeout(900)]

JOBS = 40
SCRIPT = '#!/bin/sh\necho "${HPC_ARRAY_TASK_ID:-0} $HPC_RESTART_COUNT" >> starts\nsleep 1\n'
"""Each start leaves a line behind: a second start of the same run would be seen."""
SMALL = {"walltime_seconds": 120, "memory_mib_per_node": 16}


@dataclass
class Burst(threading.Thread):
    """A person who submits jobs one after the other, each under a key of its own."""

    portal: Portal
    accepted: list[str] = field(default_factory=list)
    problems: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        try:
            for number in range(JOBS):
                array = {"array": {"expression": "0-2"}} if number % 4 == 0 else {}
                self.accepted.append(
                    self.portal.submit(
                        f"job-{number}", script=SCRIPT, partition="short", resources=SMALL, **array
                    )
                )
                time.sleep(0.2)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the test shows it
            self.problems.append(problem)


def test_killed_parts_lose_nothing_and_run_nothing_twice(portal: Portal) -> None:
    burst = Burst(portal)
    burst.start()
    wait_until(lambda: bool(burst.accepted or burst.problems), what="the first accepted job")
    for victim in ("slurmrestd", "controller", "slurmctld", "slurmrestd", "controller", "web"):
        time.sleep(1.3)
        if victim in portal.processes.running:
            portal.processes.kill(victim)
            portal.processes.start(victim)
            continue
        # slurmctld is stopped: killed, it forgets by itself what happened since it last saved its state
        end = daemons.stop if victim == "slurmctld" else daemons.kill
        end(portal.slurm, victim)
        daemons.start(portal.slurm, victim)
    burst.join(120)
    assert (burst.problems, len(set(burst.accepted))) == ([], JOBS)

    engine = portal.city.services.engine

    def all_settled() -> bool:
        with engine.connect() as connection:
            unsettled = select(func.count()).select_from(Job).where(col(Job.phase) != Phase.SETTLED)
            return connection.execute(unsettled).scalar_one() == 0

    wait_until(all_settled, what="every job to settle", seconds=300)
    with engine.connect() as connection:
        jobs: list[Any] = list(connection.execute(select(Job.__table__)))  # type: ignore[attr-defined]
        runs: list[Any] = list(connection.execute(select(JobTask.__table__)))  # type: ignore[attr-defined]
        records = connection.execute(select(func.count()).select_from(AccountingRecord)).scalar_one()
        assert verify(connection) == []
        money = balance(connection, portal.city.chips.project_id, SystemClock().now()).by_asset["VND"]
    assert {str(job.id) for job in jobs} == set(burst.accepted)
    assert Counter(job.state for job in jobs) == {JobState.COMPLETED: JOBS}
    assert records == len(runs) == sum(job.tasks_total for job in jobs)
    for job in jobs:
        starts = (portal.workspaces / job.workspace / "starts").read_text().splitlines()
        assert sorted(starts) == [f"{task} 0" for task in range(job.tasks_total)], job.id
    known = portal.slurm.run(
        "sacct", "--noheader", "--allusers", "--allocations", "--array", "--format=JobID"
    )
    numbers = {line.split("_")[0] for line in known.split()}
    assert {job.scheduler_job_id for job in jobs} <= numbers
    assert (money.held, money.consumed) == (0, sum(job.charged_vnd for job in jobs))
