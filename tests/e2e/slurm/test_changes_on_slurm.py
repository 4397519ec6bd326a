"""Jobs on a real Slurm held, extended, requeued and cancelled in part, and paid for to the last đồng."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.clock import SystemClock
from hpc_portal.app.tables import Job
from quotas.balance import balance
from quotas.verify import verify
from scripts.slurm_cluster import daemons
from tests.e2e.slurm.conftest import Portal
from tests.portal_processes import wait_until

pytestmark = [pytest.mark.timeout(900)]

SMALL = {"walltime_seconds": 120, "memory_mib_per_node": 64}
UNTIL_GO = """#!/bin/bash
echo "${HPC_RESTART_COUNT:-0}" >> starts
until [ -e go ]; do sleep 0.2; done
"""


def change(portal: Portal, job_id: str, kind: str, **facts: object) -> None:
    body = {"change": kind, **facts}
    answer = portal.client.request("POST", f"/api/v1/jobs/{job_id}/changes", json=body)
    assert answer.status_code == 202, answer.text


def until_decided(portal: Portal, job_id: str) -> list[tuple[str, str, str]]:
    """What was asked and what became of it, oldest first."""
    found: list[tuple[str, str, str]] = []

    def is_decided() -> bool:
        items = portal.get(f"/jobs/{job_id}/changes")["items"]
        found[:] = [(item["change"], item["state"], item["refusal"]) for item in reversed(items)]
        return all(state != "requested" for _, state, _ in found)

    wait_until(is_decided, what="every change to be decided", seconds=180)
    return found


def workspace(portal: Portal, job_id: str) -> Path:
    with portal.city.services.engine.connect() as connection:
        wanted = select(col(Job.workspace)).where(col(Job.id) == UUID(job_id))
        return portal.workspaces / str(connection.execute(wanted).scalar_one())


def shown(portal: Portal, job_id: str) -> str:
    """The job as Slurm itself tells of it."""
    return portal.slurm.run("scontrol", "show", "job", portal.get(f"/jobs/{job_id}")["scheduler_job_id"])


def require_exact_ledger(portal: Portal, *jobs: str) -> None:
    charged = sum(portal.wait_for(job, phase="settled")["charged_vnd"] for job in jobs)
    with portal.city.services.engine.connect() as connection:
        assert verify(connection) == []
        money = balance(connection, portal.city.chips.project_id, SystemClock().now()).by_asset["VND"]
    assert (money.held, money.consumed) == (0, charged)


def test_a_running_job_gets_more_time_and_is_run_again(portal: Portal) -> None:
    job_id = portal.submit("again", script=UNTIL_GO, partition="short", resources=SMALL)
    portal.wait_for(job_id, state="RUNNING", tasks_running=1)
    change(portal, job_id, "walltime", walltime_seconds=600)
    assert until_decided(portal, job_id) == [("walltime", "carried", "")]
    assert "TimeLimit=00:10:00" in shown(portal, job_id)
    wait_until((workspace(portal, job_id) / "starts").exists, what="the script to start")
    change(portal, job_id, "requeue")
    assert until_decided(portal, job_id)[1] == ("requeue", "carried", "")

    def runs_again() -> bool:
        tasks = portal.get(f"/jobs/{job_id}/tasks")["items"]
        return [(task["attempt"], task["state"]) for task in tasks] == [(1, "RUNNING")]

    wait_until(runs_again, what="the second run", seconds=240)
    (workspace(portal, job_id) / "go").touch()
    assert portal.wait_for(job_id, phase="settled")["state"] == "COMPLETED"
    assert (workspace(portal, job_id) / "starts").read_text().split() == ["0", "1"]
    require_exact_ledger(portal, job_id)


def test_an_array_is_held_loses_tasks_and_goes_on(portal: Portal) -> None:
    job_id = portal.submit(
        "parts", script=UNTIL_GO, partition="short", resources=SMALL, array={"expression": "0-5%1"}
    )
    portal.wait_for(job_id, state="RUNNING", tasks_running=1)
    change(portal, job_id, "hold")
    change(portal, job_id, "cancel_tasks", tasks="2-4")
    assert {state for _, state, _ in until_decided(portal, job_id)} == {"carried"}
    held = portal.wait_for(job_id, tasks_cancelled=3, tasks_pending=2)
    assert held["held_by"] == "user"
    assert held["pending_reason"]["raw"] == "JobHeldUser"
    (workspace(portal, job_id) / "go").touch()
    portal.wait_for(job_id, tasks_completed=1, tasks_running=0)
    change(portal, job_id, "release")
    ended = portal.wait_for(job_id, phase="settled")
    assert (ended["tasks_completed"], ended["tasks_cancelled"]) == (3, 3)
    require_exact_ledger(portal, job_id)


@pytest.fixture
def partition(portal: Portal) -> Iterator[str]:
    """One of this test's own, so that its limit can be changed without harm to others."""
    name = f"own{uuid4().hex[:6]}"
    portal.slurm.run("scontrol", "create", f"PartitionName={name}", "Nodes=eda01", "MaxTime=02:00:00")

    def is_seen() -> bool:
        clusters = portal.get("/clusters")["items"]
        return name in {partition["name"] for one in clusters for partition in one["partitions"]}

    wait_until(is_seen, what="the new partition to be seen", seconds=120)
    yield name
    portal.slurm.run("scontrol", "delete", f"PartitionName={name}")


def test_a_change_that_slurm_refuses_is_told_and_gives_the_budget_back(
    portal: Portal, partition: str
) -> None:
    job_id = portal.submit("refused", script=UNTIL_GO, partition=partition, resources=SMALL)
    portal.wait_for(job_id, state="RUNNING", tasks_running=1)
    portal.processes.kill("controller")  # nobody tells the portal of the new limit
    portal.slurm.run("scontrol", "update", f"PartitionName={partition}", "MaxTime=00:05:00")
    change(portal, job_id, "walltime", walltime_seconds=600)
    portal.processes.start("controller")
    ((kind, state, refusal),) = until_decided(portal, job_id)
    assert (kind, state) == ("walltime", "refused")
    assert partition in refusal
    (workspace(portal, job_id) / "go").touch()
    assert portal.wait_for(job_id, phase="settled")["spec"]["resources"]["walltime_seconds"] == 120
    require_exact_ledger(portal, job_id)


def test_while_slurm_is_away_a_change_waits_and_is_carried_out_later(portal: Portal) -> None:
    job_id = portal.submit("later", script=UNTIL_GO, partition="short", resources=SMALL)
    portal.wait_for(job_id, state="RUNNING", tasks_running=1)
    daemons.stop(portal.slurm, "slurmctld")
    change(portal, job_id, "walltime", walltime_seconds=300)
    assert portal.get(f"/jobs/{job_id}/changes")["items"][0]["state"] == "requested"
    daemons.start(portal.slurm, "slurmctld")
    assert until_decided(portal, job_id) == [("walltime", "carried", "")]
    assert "TimeLimit=00:05:00" in shown(portal, job_id)
    (workspace(portal, job_id) / "go").touch()
    require_exact_ledger(portal, job_id)
