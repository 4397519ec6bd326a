"""The controller dies while jobs are changed: each wish is carried out exactly once."""

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app.tables import Job, JobEvent, JobTask
from quotas.verify import verify
from tests.e2e.crash.conftest import OpenCity
from tests.e2e.crash.test_crashes import settings, unsettled
from tests.portal_processes import OPERATOR, Client, Processes, issue_token, wait_until
from tests.ports import free_port
from tests.small_city import City

ROUNDS = 6
SCRIPT = """#!/bin/bash
echo "${HPC_RESTART_COUNT:-0}" >> starts
until [ -e go ]; do sleep 0.1; done
"""
"""It runs until it is told to go on, and leaves a line behind for each start."""

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("crash-changes")]


class Changes:
    """One person who changes one job while the controller comes and goes."""

    def __init__(self, client: Client, job: str) -> None:
        self.client = client
        self.path = f"/api/v1/jobs/{job}"

    def job(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.request("GET", self.path).json()
        return found

    def ask(self, change: str, **facts: object) -> None:
        reply = self.client.request("POST", f"{self.path}/changes", json={"change": change, **facts})
        assert reply.status_code == 202, reply.text

    def until_decided(self) -> None:
        def are_decided() -> bool:
            items = self.client.request("GET", f"{self.path}/changes").json()["items"]
            return all(item["state"] == "carried" for item in items)

        wait_until(are_decided, what="every wish to be carried out", seconds=120)

    def until_running(self, attempt: int) -> None:
        def runs() -> bool:
            items = self.client.request("GET", f"{self.path}/tasks").json()["items"]
            newest = [(task["attempt"], task["state"]) for task in items]
            return newest == [(attempt, "RUNNING")] and self.job()["tasks_running"] == 1

        wait_until(runs, what=f"attempt {attempt} to run", seconds=120)


def test_kill_9_amid_changes_carries_each_of_them_out_once(folder: Path, open_city: OpenCity) -> None:
    url = f"sqlite:///{folder}/portal.db"
    city = open_city(url)
    port = free_port()
    client = Client(f"http://127.0.0.1:{port}", issue_token(city.services, city.chips.member.user_id))
    chance = random.Random(3)  # noqa: S311 - a test's dice
    with Processes(folder, settings(folder, url)) as processes:
        processes.start("controller", *OPERATOR, "controller")
        processes.start("web", *OPERATOR, "web", "--port", str(port))
        resources = {"walltime_seconds": 300, "memory_mib_per_node": 64}
        spec = {"name": "changed", "script": SCRIPT, "resources": resources}
        reply = client.request("POST", "/api/v1/jobs", json={"project": "chips", "spec": spec})
        assert reply.status_code == 201, reply.text
        changes = Changes(client, reply.json()["id"])
        for number in range(ROUNDS):
            changes.until_running(number)
            changes.ask("walltime", walltime_seconds=400 + number)
            changes.ask("requeue")
            time.sleep(chance.choice([0.0, 0.05, 0.2]))
            processes.kill("controller")
            processes.start("controller")
            changes.until_decided()
        changes.until_running(ROUNDS)
        (folder / "workspaces" / workspace_of(city) / "go").touch()
        wait_until(lambda: unsettled(city) == 0, what="the job to settle", seconds=120)
    require_each_once(city, folder)


def workspace_of(city: City) -> str:
    with city.services.engine.connect() as connection:
        return str(connection.execute(select(col(Job.workspace))).scalar_one())


def require_each_once(city: City, folder: Path) -> None:
    """As many runs as wishes, told and paid for once each."""
    with city.services.engine.connect() as connection:
        job = connection.execute(select(Job.__table__)).one()  # type: ignore[attr-defined]
        runs = connection.execute(
            select(col(JobTask.attempt), col(JobTask.state), col(JobTask.is_requeued)).order_by(
                col(JobTask.attempt)
            )
        ).all()
        events = Counter(
            dict(
                connection.execute(
                    select(col(JobEvent.kind), func.count()).group_by(col(JobEvent.kind))
                ).all()
            )
        )
        assert verify(connection) == []
    assert [(run.attempt, run.is_requeued) for run in runs] == [
        *((number, True) for number in range(ROUNDS)),
        (ROUNDS, False),
    ]
    assert job.state == "COMPLETED"
    assert job.spec["resources"]["walltime_seconds"] == 400 + ROUNDS - 1
    assert (events["job.change_requested"], events["job.changed"]) == (2 * ROUNDS, 2 * ROUNDS)
    starts = (folder / "workspaces" / job.workspace / "starts").read_text().split()
    assert starts == [str(number) for number in range(ROUNDS + 1)]
