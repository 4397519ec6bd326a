"""A whole portal for benchmarks: web and controller as in production, one embedded node, one rich project."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hpc_portal.app.clock import SystemClock
from tests.portal_processes import CLUSTER_UID_BASE, OPERATOR, Processes, issue_token, wait_until
from tests.ports import free_port
from tests.small_city import City, build_city

CLUSTER = "bench"
PROJECT = "chips"
TRUE = {
    "name": "true",
    "argv": ["/bin/true"],
    "resources": {"walltime_seconds": 60, "memory_mib_per_node": 64},
}


@dataclass(frozen=True)
class BenchPortal:
    """A portal that runs, and a client signed in to it."""

    city: City
    folder: Path
    client: httpx.Client
    token: str
    url: str

    def submit(self, spec: dict[str, Any]) -> str:
        """Submit a job specification; its id."""
        answer = self.client.post("/api/v1/jobs", json={"project": PROJECT, "spec": spec})
        answer.raise_for_status()
        return str(answer.json()["id"])


@contextlib.contextmanager
def running_portal(
    url: str | None = None, *, with_controller: bool = True, cpus: int = 2
) -> Iterator[BenchPortal]:
    """Start it on a database of its own (SQLite unless a URL is given), and remove everything at the end."""
    folder = Path(tempfile.mkdtemp(prefix="hpc-bench-", dir="/var/tmp"))
    folder.chmod(0o711)
    database = url or f"sqlite:///{folder}/portal.db"
    city = build_city(database, folder, clock=SystemClock(), cluster_name=CLUSTER, budget={"VND": 10**15})
    token = issue_token(city.services, city.chips.member.user_id)
    port = free_port()
    environment = {
        "HPC_PORTAL_STATE_DIR": str(folder),
        "HPC_PORTAL_DATABASE_URL": database,
        "HPC_PORTAL_CLUSTER_NAME": CLUSTER,
        "HPC_PORTAL_NODE_CPUS": "2",
        **({"HPC_PORTAL_CLUSTER_UID_BASE": str(CLUSTER_UID_BASE)} if os.geteuid() == 0 else {}),
    }
    address = f"http://127.0.0.1:{port}"
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with (
            Processes(folder, environment) as processes,
            httpx.Client(base_url=address, headers=headers, timeout=60) as client,
        ):
            if with_controller:
                processes.start("web", *OPERATOR, "web", "--port", str(port))
                processes.start("controller", *OPERATOR, "controller")
            else:
                processes.start("web", OPERATOR[0], "-m", "tests.benchmarks.bare_app", str(port))
            portal = BenchPortal(city, folder, client, token, address)
            wait_until(lambda: _answers(client), what="the web process")
            if with_controller:
                portal_warm_up(portal)
            yield portal
    finally:
        city.services.commits.close()
        city.services.engine.dispose()
        shutil.rmtree(folder, ignore_errors=True)


def portal_warm_up(portal: BenchPortal) -> None:
    """One job from end to end: the node, its sandbox and all caches are up afterwards."""
    job_id = portal.submit(TRUE)
    wait_until(lambda: phase_of(portal, job_id) == "settled", what="the first job")


def phase_of(portal: BenchPortal, job_id: str) -> str:
    """Where the portal stands with a job."""
    return str(portal.client.get(f"/api/v1/jobs/{job_id}").raise_for_status().json()["phase"])


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/api/v1/me").is_success
    except httpx.TransportError:
        return False
