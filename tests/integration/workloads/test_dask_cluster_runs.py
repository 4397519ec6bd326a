"""Scripts with a Dask cluster of their own: closed to others, honest about losses, gone at the end."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from distributed.security import Security

from schedulers.jobstate import JobState
from tests.contract.benches import Bench
from tests.integration.workloads.clusters import HandedIn, hand_in, one_dask_node, two_dask_nodes
from tests.integration.workloads.runner import prepare, python_without_packages, run_task
from workloads.ai.dask_cluster import DaskCluster
from workloads.template import Results, Verdict

TEMPLATE = DaskCluster()
STORY = Path(__file__).with_name("dask_story.py").read_text()

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def one_node() -> AsyncIterator[Bench]:
    async with one_dask_node() as bench:
        yield bench


@pytest.fixture
async def two_nodes() -> AsyncIterator[Bench]:
    async with two_dask_nodes() as bench:
        yield bench


def results(job: HandedIn, raw: dict[str, Any]) -> Results:
    return TEMPLATE.parse(job.workspace, TEMPLATE.validate(raw))


async def told(job: HandedIn) -> dict[str, Any]:
    """What the story says while its cluster is up."""
    path = job.workspace / "told.json"

    async def is_there() -> bool:
        seen = await job.bench.snapshot(job.job)
        assert not any(run.has_ended for run in seen.tasks), job.output
        return path.exists()

    await job.bench.until(is_there)
    return dict(json.loads(path.read_text()))


def answer(address: tuple[str, int], security: Security | None, text: bytes) -> bytes:
    """What a stranger gets back, in the clear or with a key of their own; b"" when they are sent away."""
    with socket.create_connection(address, timeout=30) as raw:
        try:
            if security is None:
                raw.sendall(text)
                return raw.recv(100)
            context = security.get_connection_args("client")["ssl_context"]  # type: ignore[no-untyped-call]
            context.verify_mode = ssl.CERT_NONE
            with context.wrap_socket(raw) as wrapped:
                wrapped.sendall(text)
                return bytes(wrapped.recv(100))
        except (ssl.SSLError, ConnectionError):
            return b""


async def test_a_stranger_is_let_in_nowhere_and_a_lost_worker_and_an_error_are_told(one_node: Bench) -> None:
    raw = {
        "files": {"story.py": STORY},
        "program": "story.py",
        "arguments": ["raise"],
        "reserved_memory_mib": 500,
        "resources": {"cpus": 4, "memory_mib": 2500},
        "threads": 2,
    }
    job = await hand_in(one_node, TEMPLATE.render(TEMPLATE.validate(raw)))
    said = await told(job)
    assert (said["threads"], said["memory_mib"]) == ([2, 2], [1000, 1000])
    assert (said["again"], said["sum"]) == ("computed again", 333_833_500)
    assert len(said["listening"]) >= 5, "a scheduler, two nannies and two workers"
    assert {host for host, _ in said["listening"]} == {"127.0.0.1"}
    stranger = Security.temporary()  # type: ignore[no-untyped-call]
    for host, port in said["listening"]:
        for security in (None, stranger):
            try:
                given = await asyncio.to_thread(
                    answer, (host, port), security, b"GET /health HTTP/1.0\r\n\r\n"
                )
            except ConnectionRefusedError:  # the worker that was lost
                continue
            assert given == b"", (host, port, security)
    with pytest.raises(OSError, match="certificate does not match"):
        await Client(said["scheduler"], security=stranger, timeout="60s", asynchronous=True)  # type: ignore[no-untyped-call]
    (job.workspace / "go").touch()
    (run,) = await job.ended()
    assert (run.state, str(run.exit_code)) == (JobState.FAILED, "1:0"), job.output
    found = results(job, raw)
    metrics = {one.name: one.value for one in found.metrics}
    assert (metrics["workers"], metrics["workers_lost"]) == (2, 1)
    [task] = found.tasks
    assert task.failure
    assert task.failure.signature == "ValueError: seed * is unlucky"
    assert STORY.splitlines()[task.failure.line_number - 1].strip().startswith("raise ValueError")
    assert 'File "<frozen runpy>"' not in job.output
    assert job.stragglers() == []
    assert not (job.workspace / ".dask").exists()


async def test_a_script_spans_nodes_and_its_exit_code_is_the_job_s(two_nodes: Bench) -> None:
    raw = {
        "files": {"story.py": STORY},
        "program": "story.py",
        "arguments": ["exit"],
        "nodes": 2,
        "resources": {"cpus": 1, "memory_mib": 1000},
    }
    job = await hand_in(two_nodes, TEMPLATE.render(TEMPLATE.validate(raw)))
    said = await told(job)
    assert (said["names"], said["sum"]) == (["n1-0", "n2-0"], 333_833_500)
    (job.workspace / "go").touch()
    (run,) = await job.ended()
    assert (run.state, str(run.exit_code), run.nodes) == (JobState.FAILED, "3:0", ("n1", "n2")), job.output
    [task] = results(job, raw).tasks
    assert task.failure
    assert (task.verdict, task.failure.line) == (Verdict.FAIL, "the script ended with 3")
    assert job.stragglers() == []


async def test_the_example_agrees_with_the_closed_form(one_node: Bench) -> None:
    raw = {"arguments": ["200000"]}
    job = await hand_in(one_node, TEMPLATE.render(TEMPLATE.validate(raw)))
    (run,) = await job.ended()
    assert run.state is JobState.COMPLETED, job.output
    found = results(job, raw)
    assert [task.verdict for task in found.tasks] == [Verdict.PASS]
    assert {one.name: len(one.points) for one in found.series} == {"sum": 20, "seconds": 20}
    assert job.stragglers() == []


def test_what_a_node_lacks_is_named(tmp_path: Path) -> None:
    spec = TEMPLATE.render(TEMPLATE.validate({}))
    prepare(tmp_path, spec)
    ended = run_task(tmp_path, spec, path=python_without_packages(tmp_path / "tools"))
    words = "the Python package dask is missing"
    assert (ended.exit_code, words in ended.output) == (69, True), ended.output
