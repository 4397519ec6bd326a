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
        wait_until(lambda: all("main" in _partitions(port) for port in _ports(processes)), what="a report")

        for port in _ports(processes):
            assert _told(port, "/healthz").status_code == 200
            assert _told(port, "/readyz").json()["schema"] == "ok"
            assert _told(port, "/").status_code == 404


def _told(port: int, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=30)


def _ports(processes: Processes) -> list[int]:
    lines = [json.loads(line) for line in processes.log("serve").splitlines() if line.startswith("{")]
    return [line["port"] for line in lines if line["event"] == "machine_port.listening"]


def _loops(port: int) -> set[str]:
    """The loops that a process has counted steps of."""
    return _labels(port, "hpc_loop_steps", "loop")


def _partitions(port: int) -> set[str]:
    """The partitions that machines which make nodes may ask about: the Dask cluster's."""
    return _labels(port, "hpc_wanted_tres", "partition")


def _labels(port: int, metric: str, label: str) -> set[str]:
    text = _told(port, "/metrics").text
    return {
        sample.labels[label]
        for family in text_string_to_metric_families(text)
        if family.name == metric
        for sample in family.samples
    }
