"""A real web process and a real controller with a cluster of its own, which send their traces somewhere."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hpc_portal.app.clock import SystemClock
from tests.portal_processes import OPERATOR, Processes, issue_token, wait_until
from tests.ports import free_port
from tests.small_city import City, build_city
from tests.small_collector import SmallCollector

SECRET = "tapeout-of-the-npu"
"""A name that must stay in the portal."""


@dataclass(frozen=True)
class TracedPortal:
    """The processes, and somebody who calls them."""

    processes: Processes
    city: City
    url: str
    token: str

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 - whatever httpx sends
    ) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        return httpx.request(method, self.url + path, headers=sent, timeout=30, trust_env=False, **more)

    def submit(self, *, headers: Mapping[str, str] | None = None, script: str = "#!/bin/sh\ntrue\n") -> str:
        resources = {"walltime_seconds": 60, "memory_mib_per_node": 64}
        spec = {"name": SECRET, "script": script, "resources": resources}
        body = {"project": self.city.chips.account, "spec": spec}
        reply = self.call("POST", "/api/v1/jobs", json=body, headers=headers)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["id"])

    def settled(self, job_id: str) -> None:
        wait_until(
            lambda: bool(self.call("GET", f"/api/v1/jobs/{job_id}").json()["settled_at"]),
            what="the job to be settled",
        )

    def lines(self, process: str, event: str) -> list[dict[str, Any]]:
        lines = [line for line in self.processes.log(process).splitlines() if line.startswith("{")]
        return [told for line in lines if (told := json.loads(line))["event"] == event]

    def origins(self, event: str) -> dict[str, dict[str, str]]:
        """What the controller's log says of where jobs came from, by their ids."""
        return {
            job_id: origin
            for line in self.lines("controller", event)
            for job_id, origin in line["origins"].items()
        }


@contextmanager
def traced_portal(folder: Path, collector: SmallCollector, **more: str) -> Iterator[TracedPortal]:
    url = f"sqlite:///{folder}/portal.db"
    city = build_city(url, folder, clock=SystemClock(), cluster_name="real")
    port = free_port()
    environment = {
        "HPC_PORTAL_STATE_DIR": str(folder),
        "HPC_PORTAL_DATABASE_URL": url,
        "HPC_PORTAL_CLUSTER_NAME": "real",
        "HPC_PORTAL_NODE_CPUS": "2",
        "HPC_PORTAL_CLUSTER_UID_BASE": "61000",
        "HPC_PORTAL_TRACING__ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-collector-key=let-us-in",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        **more,
    }
    with Processes(folder, environment) as processes:
        processes.start("controller", *OPERATOR, "controller")
        processes.start("web", *OPERATOR, "web", "--port", str(port))
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(address), what="the web process")
        yield TracedPortal(processes, city, address, issue_token(city.services, city.chips.member.user_id))
    city.services.commits.close()
    city.services.engine.dispose()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", trust_env=False, timeout=30).is_success
    except httpx.TransportError:
        return False
