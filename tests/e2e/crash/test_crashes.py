"""Processes die at random instants; no job is lost, none runs twice, every đồng is where it belongs."""

import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
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
from tests.e2e.crash.conftest import CLUSTER, OpenCity
from tests.portal_processes import (
    CLUSTER_UID_BASE,
    OPERATOR,
    Client,
    Processes,
    issue_token,
    wait_until,
)
from tests.ports import free_port
from tests.small_city import City

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "50"))
"""In all, shared between the tests; a longer watch: `CRASH_ROUNDS=500 make test TESTS=tests/e2e/crash`."""
ROUNDS_BETWEEN_JOBS = 5
SCRIPT = """#!/bin/bash
echo "${HPC_ARRAY_TASK_ID:-0} $HPC_RESTART_COUNT" >> starts
sleep 0.$((RANDOM % 4))
echo done
"""
"""Each start leaves a line behind: a second start of the same run would be seen."""

pytestmark = [pytest.mark.timeout(900)]


@dataclass
class Submitter(threading.Thread):
    """A person who submits jobs without pause, each under a key of its own, until told to stop."""

    client: Client
    accepted: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            array = {"array": {"expression": "0-4"}} if number % 4 == 0 else {}
            resources = {"walltime_seconds": 120, "memory_mib_per_node": 64}
            spec = {"name": f"job-{number}", "script": SCRIPT, "resources": resources, **array}
            try:
                answer = self.client.request(
                    "POST",
                    "/api/v1/jobs",
                    json={"project": "chips", "spec": spec},
                    headers={"Idempotency-Key": f"submission-{number}"},
                )
            except httpx.HTTPError as error:
                self.problems.append(f"submission-{number}: {error!r}")
                return
            if answer.is_success:
                self.accepted.append(answer.json()["id"])
            else:
                self.problems.append(answer.text)
            time.sleep(0.15)


def settings(folder: Path, url: str, **more: str) -> dict[str, str]:
    """The environment of every process of one portal."""
    as_root = {"HPC_PORTAL_CLUSTER_UID_BASE": str(CLUSTER_UID_BASE)} if os.geteuid() == 0 else {}
    return {
        "HPC_PORTAL_STATE_DIR": str(folder),
        "HPC_PORTAL_DATABASE_URL": url,
        "HPC_PORTAL_CLUSTER_NAME": CLUSTER,
        "HPC_PORTAL_LEASE_SECONDS": "3",
        "HPC_PORTAL_NODE_CPUS": "4",
        **as_root,
        **more,
    }


def await_next_job(submitter: Submitter) -> None:
    before = len(submitter.accepted)
    wait_until(
        lambda: len(submitter.accepted) > before or bool(submitter.problems), what="the next accepted job"
    )


def run_rounds(
    processes: Processes, submitter: Submitter, *, victims: list[str], rounds: int, seed: int
) -> None:
    """Kill -9 a random process at a random instant and start it again, so many times.

    Now and then it waits for the next accepted job: on a slow machine the web process would otherwise be
    killed in its start each time, and nobody could submit anything in between.
    """
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    submitter.start()
    try:
        for number in range(rounds):
            if number % ROUNDS_BETWEEN_JOBS == 0:
                await_next_job(submitter)
            assert submitter.problems == []
            time.sleep(chance.uniform(0.0, 2.5))
            victim = chance.choice(victims)
            processes.kill(victim)
            time.sleep(chance.choice([0.0, 0.0, 0.3]))
            processes.start(victim)
            processes.revive()
    finally:
        submitter.stop.set()
        submitter.join()


def require_nothing_lost_nothing_twice(
    city: City, processes: Processes, submitter: Submitter, folder: Path
) -> None:
    """The promises, checked against the database, the workspaces and the ledger."""
    assert submitter.problems == []
    assert len(submitter.accepted) == len(set(submitter.accepted)) > 0
    engine = city.services.engine

    def all_settled() -> bool:
        processes.revive()
        return unsettled(city) == 0

    wait_until(all_settled, what="every job to settle", seconds=240)
    with engine.connect() as connection:
        jobs = {str(row.id): row for row in connection.execute(select(Job.__table__))}  # type: ignore[attr-defined]
        runs: list[Any] = list(connection.execute(select(JobTask.__table__)))  # type: ignore[attr-defined]
        assert verify(connection) == []
        records = connection.execute(select(func.count()).select_from(AccountingRecord)).scalar_one()
        money = balance(connection, city.chips.project_id, SystemClock().now()).by_asset["VND"]
    assert set(submitter.accepted) <= set(jobs)
    assert {job.state for job in jobs.values()} == {JobState.COMPLETED}
    assert records == len(runs)
    require_each_task_started_once(jobs.values(), runs)
    for job in jobs.values():
        starts = Counter((folder / "workspaces" / job.workspace / "starts").read_text().splitlines())
        assert len(starts) == job.tasks_total, f"{job.id}: {starts}"
        assert set(starts.values()) == {1}, f"{job.id} ran twice: {starts}"
    assert money.held == 0
    assert money.consumed == sum(job.charged_vnd for job in jobs.values())


def require_each_task_started_once(jobs: Iterable[Any], runs: Iterable[Any]) -> None:
    """Each task has one attempt that started. One that never did was taken back from a node and cost nothing.

    Taken back is what queues on a node behind a task that seems long, be it only because news of its end are
    late: see `Foreman.recall_from_slow_slots`.
    """
    started = Counter((run.job_id, run.task_index) for run in runs if run.started_at is not None)
    assert set(started.values()) == {1}, started.most_common(3)
    assert len(started) == sum(job.tasks_total for job in jobs)
    never = [run for run in runs if run.started_at is None]
    assert {(run.state, run.is_requeued) for run in never} <= {(JobState.CANCELLED, True)}
    assert {(run.elapsed_seconds, run.charged_vnd) for run in never} <= {(0, 0)}


def unsettled(city: City) -> int:
    with city.services.engine.connect() as connection:
        open_jobs = select(func.count()).select_from(Job).where(col(Job.phase) != Phase.SETTLED)
        return connection.execute(open_jobs).scalar_one()


@pytest.mark.xdist_group("crash-serve")
def test_kill_9_of_the_whole_portal_loses_nothing(folder: Path, open_city: OpenCity) -> None:
    url = f"sqlite:///{folder}/portal.db"
    city = open_city(url)
    port = free_port()
    client = Client(f"http://127.0.0.1:{port}", issue_token(city.services, city.chips.member.user_id))
    with Processes(folder, settings(folder, url)) as processes:
        processes.start("controller", *OPERATOR, "controller")
        processes.start("web", *OPERATOR, "web", "--port", str(port))
        submitter = Submitter(client)
        run_rounds(
            processes, submitter, victims=["controller", "web", "controller"], rounds=ROUNDS * 2 // 5, seed=1
        )
        require_nothing_lost_nothing_twice(city, processes, submitter, folder)


@pytest.mark.xdist_group("crash-dask")
def test_kill_9_of_any_process_of_a_spread_out_portal_loses_nothing(
    folder: Path, postgres_url: str, open_city: OpenCity
) -> None:
    city = open_city(postgres_url)
    port, dask_port = free_port(), free_port()
    address = f"tcp://127.0.0.1:{dask_port}"
    client = Client(f"http://127.0.0.1:{port}", issue_token(city.services, city.chips.member.user_id))
    node = {
        "HPC_NODE_NAME": "n1",
        "HPC_NODE_STATE_DIR": str(folder / "node"),
        "HPC_NODE_WORKSPACE_ROOT": str(folder / "workspaces"),
        "HPC_NODE_CPUS": "4",
        "HPC_NODE_MEMORY_MIB": "4096",
    }
    dask = (sys.executable, "-m", "dask")
    environment = settings(folder, postgres_url, HPC_PORTAL_DASK_SCHEDULER=address, **node)
    with Processes(folder, environment) as processes:
        processes.start("scheduler", *dask, "scheduler", "--port", str(dask_port), "--no-dashboard")
        worker = ("worker", address, "--preload", "schedulers.dask.plugin", "--no-nanny", "--no-dashboard")
        processes.start("worker", *dask, *worker, "--name", "n1", "--nthreads", "1")
        processes.start("controller", *OPERATOR, "controller")
        processes.start("standby", *OPERATOR, "controller")
        processes.start("web", *OPERATOR, "web", "--port", str(port))
        submitter = Submitter(client)
        victims = ["controller", "standby", "web", "worker", "scheduler"]
        run_rounds(processes, submitter, victims=victims, rounds=ROUNDS - ROUNDS * 2 // 5, seed=2)
        require_nothing_lost_nothing_twice(city, processes, submitter, folder)
