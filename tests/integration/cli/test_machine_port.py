"""The port for machines of the real processes: metrics, health, and that nobody else's port is taken."""

import json
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.portal_processes import OPERATOR, Processes, wait_until


def test_web_and_controller_each_tell_their_own_metrics(tmp_path: Path) -> None:
    environment = {"HPC_PORTAL_STATE_DIR": str(tmp_path / "state"), "HPC_PORTAL_METRICS_PORT": "0"}
    with Processes(tmp_path, environment) as processes:
        processes.start("serve", *OPERATOR, "serve", "--port", "0")
        wait_until(lambda: len(_ports(processes)) == 2, what="both ports for machines")
        wait_until(lambda: any("dispatch" in _loops(port) for port in _ports(processes)), what="a step")

        for port in _ports(processes):
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
            assert httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).json()["schema"] == "ok"
            assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 404


def _ports(processes: Processes) -> list[int]:
    lines = [json.loads(line) for line in processes.log("serve").splitlines() if line.startswith("{")]
    return [line["port"] for line in lines if line["event"] == "machine_port.listening"]


def _loops(port: int) -> set[str]:
    """The loops that a process has counted steps of."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    return {
        sample.labels["loop"]
        for family in text_string_to_metric_families(text)
        if family.name == "hpc_loop_steps"
        for sample in family.samples
    }
