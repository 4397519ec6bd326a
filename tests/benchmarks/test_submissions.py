"""Committed submissions a second over HTTP, against an empty POST and a one-row insert of the same server."""

import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator

import httpx
import pytest

from tests.benchmarks.load import CONNECTIONS, Load, post
from tests.benchmarks.portal import PROJECT, TRUE, running_portal
from tests.portal_processes import wait_until
from tests.ports import free_port

pytestmark = pytest.mark.benchmark

ROUNDS = 3


@pytest.fixture
def empty_url() -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/empty"
    command = [sys.executable, "-m", "tests.benchmarks.bare_app", str(port), "empty"]
    process = subprocess.Popen(command)

    def answers() -> bool:
        try:
            return httpx.post(url).is_success
        except httpx.TransportError:
            return False

    wait_until(answers, what="the empty app")
    yield url
    process.kill()
    process.wait()


def test_submissions(database_url: str, empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    body = {"project": PROJECT, "spec": TRUE}
    with running_portal(database_url, with_controller=False) as portal:
        measured: dict[str, list[Load]] = defaultdict(list)
        for _ in range(ROUNDS):
            measured["empty POST (F)"].append(post(empty_url))
            measured["one-row insert"].append(post(f"{portal.url}/bare/insert", token=portal.token))
            measured["submission"].append(post(f"{portal.url}/api/v1/jobs", token=portal.token, body=body))
            measured["submission, 1 connection"].append(
                post(f"{portal.url}/api/v1/jobs", token=portal.token, body=body, connections=1)
            )
        arrays = [submit_array(portal.client, tasks) for tasks in (1_000, 10_000, 100_000)]
    with capsys.disabled():
        kind = database_url.partition(":")[0]
        print(f"\n## Submissions with hold on {kind}, {CONNECTIONS} connections, one web process")
        medians = {}
        for name, loads in measured.items():
            rate = statistics.median(load.requests_per_second for load in loads)
            p99 = statistics.median(load.p99_ms for load in loads)
            medians[name] = rate
            print(f"{name:28} {rate:7.0f} /s   p99 {p99:6.1f} ms")
        print(f"submission / F: {medians['submission'] / medians['empty POST (F)']:.2f}")
        print(f"submission / one-row insert: {medians['submission'] / medians['one-row insert']:.2f}")
        one = medians["submission, 1 connection"]
        print(f"one hot project, {CONNECTIONS} connections / 1: {medians['submission'] / one:.2f}")
        for tasks, seconds in arrays:
            rate = tasks / seconds
            print(f"array of {tasks:6} tasks accepted in {seconds * 1000:6.1f} ms ({rate:.0f} tasks/s)")


def submit_array(client: httpx.Client, tasks: int) -> tuple[int, float]:
    spec = {**TRUE, "array": {"expression": f"0-{tasks - 1}"}}
    times = []
    for _ in range(5):
        began = time.perf_counter()
        client.post("/api/v1/jobs", json={"project": PROJECT, "spec": spec}).raise_for_status()
        times.append(time.perf_counter() - began)
    return tasks, statistics.median(times)
