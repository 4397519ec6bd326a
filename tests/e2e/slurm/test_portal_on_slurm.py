"""One portal in front of a real Slurm cluster and a Dask cluster: submit, run, read, charge, lose parts."""

from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.clock import SystemClock
from hpc_portal.app.tables import JobTask
from quotas.balance import balance
from quotas.verify import verify
from scripts.slurm_cluster import daemons
from tests.e2e.slurm.conftest import DASK, SLURM, Portal
from tests.portal_processes import wait_until

pytestmark = [pytest.mark.timeout(900)]

SMALL = {"walltime_seconds": 120, "memory_mib_per_node": 64, "cpus_per_task": 4}
"""Four CPUs for three seconds are one đồng."""
WHO = "#!/bin/sh\necho i am $(id -un) of $SLURM_CLUSTER_NAME\ncat greeting\nsleep 4\n"
GREETING = [{"path": "greeting", "content": "xin chào\n"}]


READS = (
    WHO
    + 'cat "$HPC_PROJECT_FILES/lib/cells.lib"\necho x > "$HPC_PROJECT_FILES/lib/new" && echo WROTE\ntrue\n'
)
"""Alice's account is neither the portal's nor in its group."""


def upload(portal: Portal, path: str, content: bytes) -> None:
    query = {"path": path, "size_bytes": str(len(content))}
    url = f"/api/v1/projects/chips/uploads/{uuid4()}"
    answer = portal.client.request("PUT", url, params=query, content=content)
    assert answer.is_success, answer.text


def log_of(portal: Portal, job_id: str) -> str:
    answer = portal.client.request("GET", f"/api/v1/jobs/{job_id}/log")
    assert answer.is_success, answer.text
    return answer.text


def require_exact_ledger(portal: Portal, charged: int) -> None:
    with portal.city.services.engine.connect() as connection:
        assert verify(connection) == []
        money = balance(connection, portal.city.chips.project_id, SystemClock().now()).by_asset["VND"]
    assert (money.held, money.consumed) == (0, charged)


def test_jobs_on_slurm_and_on_dask_in_one_list_and_one_ledger(portal: Portal) -> None:
    upload(portal, "lib/cells.lib", b"cells of the project\n")
    on_slurm = portal.submit("s", script=READS, partition="short", resources=SMALL, inputs=GREETING)
    assert portal.submit("s", script=READS, partition="short", resources=SMALL, inputs=GREETING) == on_slurm
    on_dask = portal.submit("d", script="#!/bin/sh\nsleep 4\n", partition=f"{DASK}:main", resources=SMALL)
    jobs = [portal.wait_for(job, phase="settled") for job in (on_slurm, on_dask)]
    assert [(job["state"], job["scheduler"]) for job in jobs] == [("COMPLETED", SLURM), ("COMPLETED", DASK)]
    assert "i am alice of" in log_of(portal, on_slurm)
    assert "xin chào" in log_of(portal, on_slurm)
    assert "cells of the project" in log_of(portal, on_slurm)
    assert "WROTE" not in log_of(portal, on_slurm)
    assert {job["id"] for job in portal.get("/jobs")["items"]} == {on_slurm, on_dask}
    assert all(job["charged_vnd"] > 0 for job in jobs)
    require_exact_ledger(portal, sum(job["charged_vnd"] for job in jobs))
    with portal.city.services.engine.connect() as connection:
        run = connection.execute(
            select(JobTask.__table__).where(col(JobTask.job_id) == on_slurm)  # type: ignore[attr-defined]
        ).one()
    accounted = portal.slurm.run(
        "sacct",
        "--noheader",
        "--parsable2",
        "--allocations",
        f"--jobs={jobs[0]['scheduler_job_id']}",
        "--format=ElapsedRaw,User,Account",
    ).strip()
    assert accounted == f"{run.elapsed_seconds}|alice|chips"


def test_a_chain_on_slurm_is_kept_by_slurm_and_ends_where_it_breaks(portal: Portal) -> None:
    first = portal.submit("first", script="#!/bin/sh\nsleep 5\nexit 3\n", partition="short", resources=SMALL)
    portal.wait_for(first, phase="tracked")
    after = [{"kind": "afterok", "job_id": first}]
    second = portal.submit("second", script=WHO, partition="short", resources=SMALL, dependencies=after)
    there = portal.wait_for(second, phase="tracked", state_reason="Dependency")
    shown = portal.slurm.run("scontrol", "show", "job", there["scheduler_job_id"])
    assert "Dependency=afterok:" in shown
    assert portal.wait_for(first, phase="settled")["state"] == "FAILED"
    ended = portal.wait_for(second, phase="settled")
    assert (ended["state"], ended["state_reason"]) == ("CANCELLED", "DependencyNeverSatisfied")
    assert ended["charged_vnd"] == 0


def test_while_slurm_does_not_answer_jobs_are_taken_and_run_later(portal: Portal) -> None:
    def outages() -> list[tuple[str, str]]:
        return [
            (one["name"], outage["part"])
            for one in portal.get("/clusters")["items"]
            for outage in one["outages"]
        ]

    daemons.stop(portal.slurm, "slurmctld")
    wait_until(lambda: outages() == [(SLURM, "scheduler")], what="the outage to be noticed")
    waits = portal.submit("waits", script=WHO, partition="short", resources=SMALL, inputs=GREETING)
    runs = portal.submit("runs", script="#!/bin/sh\ntrue\n", partition=f"{DASK}:main", resources=SMALL)
    assert portal.wait_for(runs, phase="settled")["state"] == "COMPLETED"
    assert portal.get(f"/jobs/{waits}")["scheduler_job_id"] is None
    daemons.start(portal.slurm, "slurmctld")
    wait_until(lambda: outages() == [], what="the end of the outage")
    portal.wait_for(waits, state="COMPLETED")
    daemons.stop(portal.slurm, "slurmdbd")
    ended = portal.submit("ended", script=WHO, partition="short", resources=SMALL, inputs=GREETING)
    portal.wait_for(ended, state="COMPLETED")
    wait_until(lambda: (SLURM, "accounting") in outages(), what="slurmdbd to be missed")
    daemons.start(portal.slurm, "slurmdbd")
    jobs = [portal.wait_for(job, phase="settled") for job in (waits, ended, runs)]
    wait_until(lambda: outages() == [], what="the end of the outage")
    require_exact_ledger(portal, sum(job["charged_vnd"] for job in jobs))
