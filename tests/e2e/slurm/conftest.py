"""A portal of real processes in front of a real Slurm cluster and an embedded Dask cluster."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hpc_portal.app.accounts.map_cluster_user import AccountThere, map_cluster_user
from hpc_portal.app.accounts.operator import OPERATOR as AN_OPERATOR
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.settings import SlurmSettings
from scripts.slurm_cluster.instance import Instance
from tests.portal_processes import (
    CLUSTER_UID_BASE,
    OPERATOR,
    Client,
    Processes,
    issue_token,
    wait_until,
)
from tests.ports import free_port
from tests.small_city import City, build_city

SLURM, DASK = "slurm", "danang"
ALICE = AccountThere("alice", 5001)
"""She has an account on the test cluster, in the account of our project."""


@dataclass(frozen=True)
class Portal:
    """Everything that a story needs: who asks, where, and what runs."""

    city: City
    slurm: Instance
    processes: Processes
    client: Client
    workspaces: Path

    def submit(self, key: str, **spec: Any) -> str:  # noqa: ANN401 - fields of a JobSpec
        """The new job's id."""
        answer = self.client.request(
            "POST",
            "/api/v1/jobs",
            json={"project": "chips", "spec": {"name": key, **spec}},
            headers={"Idempotency-Key": key},
        )
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """What the API says."""
        answer = self.client.request("GET", f"/api/v1{path}")
        assert answer.is_success, answer.text
        return answer.json()

    def wait_for(self, job_id: str, **facts: object) -> Any:  # noqa: ANN401 - JSON
        """The job as soon as it is as wanted."""
        found: dict[str, Any] = {}

        def is_so() -> bool:
            found.update(self.get(f"/jobs/{job_id}"))
            return all(found[name] == value for name, value in facts.items())

        try:
            wait_until(is_so, what=f"{facts} of job {job_id}", seconds=180)
        except TimeoutError as error:
            error.add_note(f"it is {found}")
            raise
        return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: sockets live below it."""
    path = Path(tempfile.mkdtemp(prefix="hpc-", dir="/var/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running_portal(
    slurm: Instance, folder: Path, url: str, *, rest_url: str | None = None
) -> Iterator[Portal]:
    """Started, and both clusters have been seen; `rest_url` leads to slurmrestd by a detour."""
    rest_url = rest_url or slurm.rest_url
    key = folder / "jwt_hs256.key"
    key.write_bytes(slurm.jwt_key())
    key.chmod(0o600)
    workspaces = slurm.workspace / f"portal-{uuid4().hex[:8]}"
    settings = SlurmSettings(cluster_name=SLURM, url=rest_url, jwt_key=key, polling_user="hpcportal")
    city = build_city(url, folder, clock=SystemClock(), cluster_name=DASK, slurm=settings)
    map_cluster_user(city.services, AN_OPERATOR, "chips-member", cluster=SLURM, account=ALICE)
    port = free_port()
    client = Client(f"http://127.0.0.1:{port}", issue_token(city.services, city.chips.member.user_id))
    environment = {
        "HPC_PORTAL_STATE_DIR": str(folder),
        "HPC_PORTAL_DATABASE_URL": url,
        "HPC_PORTAL_WORKSPACE_ROOT": str(workspaces),
        "HPC_PORTAL_CLUSTER_NAME": DASK,
        "HPC_PORTAL_CLUSTER_UID_BASE": str(CLUSTER_UID_BASE) if os.geteuid() == 0 else "0",
        "HPC_PORTAL_NODE_CPUS": "4",
        "HPC_PORTAL_LEASE_SECONDS": "3",
        "HPC_PORTAL_SLURM__CLUSTER_NAME": SLURM,
        "HPC_PORTAL_SLURM__URL": rest_url,
        "HPC_PORTAL_SLURM__JWT_KEY": str(key),
        "HPC_PORTAL_SLURM__POLLING_USER": "hpcportal",
    }
    with Processes(folder, environment) as processes:
        processes.start("controller", *OPERATOR, "controller")
        processes.start("web", *OPERATOR, "web", "--port", str(port))
        portal = Portal(city, slurm, processes, client, workspaces)

        def both_seen() -> bool:
            clusters = portal.get("/clusters")["items"]
            return {node["name"] for one in clusters for node in one["nodes"]} >= {"gpu01", "local"}

        wait_until(both_seen, what="both clusters to report", seconds=120)
        yield portal
    city.services.commits.close()
    city.services.engine.dispose()


@pytest.fixture
def portal(slurm: Instance, folder: Path, postgres_url: str) -> Iterator[Portal]:
    with running_portal(slurm, folder, postgres_url) as found:
        yield found
