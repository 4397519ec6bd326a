"""A node in a Dask cluster: it announces itself, takes work, tells of it, and survives its worker."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster, Scheduler

from schedulers.dask import plugin
from schedulers.dask.messages import NodeEvent, NodeHello, RunReport
from schedulers.dask.node import NodeConfig
from tests.integration.dask_node.node_under_test import (
    PATIENCE_SECONDS,
    NodeUnderTest,
    processes_with,
    unique_seconds,
    wait_until,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Listener:
    """What a portal would hear on the topic."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - distributed has no types
        self._client = client
        self.hellos: list[NodeHello] = []
        self.runs: dict[str, RunReport] = {}
        self.drained: list[str] = []
        client.subscribe_topic(plugin.TOPIC, self._hear)

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        heard = NodeEvent.from_json(event[1])
        if heard.hello:
            self.hellos.append(heard.hello)
        self.runs.update((report.key, report) for report in heard.runs)
        self.drained += heard.drained

    async def call(self, function: Callable[..., Awaitable[Any]], *args: object, **kwargs: object) -> Any:  # noqa: ANN401
        address = self.hellos[-1].worker_address
        answers = await self._client.run(function, *args, workers=[address], **kwargs)
        return answers[address]

    async def wait(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():  # noqa: ASYNC110 - the condition is told by no event
                await asyncio.sleep(0.02)


@asynccontextmanager
async def embedded(config: NodeConfig) -> AsyncIterator[Listener]:
    options = {
        "n_workers": 1,
        "threads_per_worker": 1,
        "processes": False,
        "dashboard_address": "127.0.0.1:0",
    }
    folder = f"{config.state_dir}-dask"
    async with (
        LocalCluster(  # type: ignore[no-untyped-call]
            asynchronous=True,
            plugins=(plugin.NodePlugin(config),),
            memory_limit=0,
            local_directory=folder,
            **options,
        ) as cluster,
        Client(cluster, asynchronous=True, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        yield Listener(client)


@contextmanager
def scheduler_process(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    file = folder / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    options = ["--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
    process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: file.exists() and file.read_text().endswith("}"), "the scheduler's address")
        yield process, json.loads(file.read_text())["address"]
    finally:
        process.kill()
        process.wait()


@contextmanager
def worker_process(
    address: str, config: NodeConfig, folder: Path, *, orphan_grace_seconds: int = 600
) -> Iterator[subprocess.Popen[bytes]]:
    """A `dask worker` as an operator would start it."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "HPC_NODE_NAME": "far-node",
        "HPC_NODE_STATE_DIR": config.state_dir,
        "HPC_NODE_WORKSPACE_ROOT": config.workspace_root,
        "HPC_NODE_CPUS": "64",
        "HPC_NODE_MEMORY_MIB": "65536",
        "HPC_NODE_GPUS": '{"h100": 2}',
        "HPC_NODE_ORPHAN_GRACE_SECONDS": str(orphan_grace_seconds),
        "HPC_NODE_ALLOW_UNISOLATED_TENANTS": "1",
    }
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard", "--no-nanny"]
    options = [
        "--nthreads",
        "1",
        "--preload",
        "schedulers.dask.plugin",
        "--local-directory",
        str(folder / "dask"),
    ]
    process = subprocess.Popen([*command, *options], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def scheduler() -> AsyncIterator[tuple[Any, Listener]]:
    async with (
        Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as running,
        Client(running.address, asynchronous=True, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        yield running, Listener(client)


async def test_an_embedded_node_announces_itself_and_runs_a_lane(
    node: NodeUnderTest,
) -> None:
    lane = node.lane("job", "exit $HPC_ARRAY_TASK_ID", tasks=range(3))
    async with embedded(node.config) as portal:
        await portal.wait(lambda: portal.hellos)
        hello = portal.hellos[-1]
        await portal.call(plugin.launch, [lane.to_json()])
        await portal.wait(lambda: lane.lane_id in portal.drained)
        listed = NodeEvent.from_json(await portal.call(plugin.list_runs))
        await portal.call(plugin.forget, [run.key for run in lane.runs])
        left = NodeEvent.from_json(await portal.call(plugin.list_runs))

    assert (hello.node, hello.cpus, hello.memory_mib) == ("test-node", 64, 64 * 1024)
    assert hello.isolation == node.status["isolation"]
    assert [portal.runs[run.key].exit_code for run in lane.runs] == [0, 1, 2]
    assert {report.key: report for report in listed.runs} == portal.runs
    assert listed.supervisor_id == hello.supervisor_id
    assert not left.runs


async def test_cancel_through_dask(node: NodeUnderTest) -> None:
    lane = node.lane("job", "sleep 600", tasks=range(2))
    async with embedded(node.config) as portal:
        await portal.wait(lambda: portal.hellos)
        await portal.call(plugin.launch, [lane.to_json()])
        await portal.wait(lambda: portal.runs)
        await portal.call(plugin.cancel, jobs=["job"], grace_seconds=0.2)
        await portal.wait(lambda: lane.lane_id in portal.drained)
    assert [portal.runs[run.key].state for run in lane.runs] == ["CANCELLED", "CANCELLED"]


async def test_a_new_supervisor_is_announced_under_a_new_id(node: NodeUnderTest) -> None:
    lane = node.lane("lost-with-its-node", "sleep 600")
    async with embedded(node.config) as portal:
        await portal.wait(lambda: portal.hellos)
        first = portal.hellos[-1].supervisor_id
        await portal.call(plugin.launch, [lane.to_json()])
        await portal.wait(lambda: portal.runs)
        node.kill_supervisor()
        await portal.wait(lambda: portal.hellos[-1].supervisor_id != first)
        listed = NodeEvent.from_json(await portal.call(plugin.list_runs))
    assert [(report.key, report.state) for report in listed.runs] == [(lane.runs[0].key, "NODE_FAIL")]


async def test_runs_outlive_a_killed_worker_and_the_next_one_finds_them(
    node: NodeUnderTest, folder: Path
) -> None:
    seconds = unique_seconds()
    lasting = node.lane("lasting", f"sleep {seconds}")
    ending = node.lane("ending", "until [ -e go ]; do sleep 0.05; done; exit 9", gpu_indices=(1,))
    async with scheduler() as (running, portal):
        with worker_process(running.address, node.config, folder) as worker:
            await portal.wait(lambda: portal.hellos)
            hello = portal.hellos[-1]
            await portal.call(plugin.launch, [lasting.to_json(), ending.to_json()])
            await portal.wait(lambda: len(portal.runs) == 2)
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        (node.workspace("ending") / "go").touch()
        with worker_process(running.address, node.config, folder):
            await portal.wait(lambda: portal.hellos[-1].worker_address != hello.worker_address)

            async def listed() -> dict[str, RunReport]:
                event = NodeEvent.from_json(await portal.call(plugin.list_runs))
                return {report.key: report for report in event.runs}

            while not (known := await listed())["ending/0/0/0"].has_ended:  # noqa: ASYNC110 - told by no event
                await asyncio.sleep(0.05)

    assert (hello.node, hello.gpus) == ("far-node", {"h100": (0, 1)})
    assert portal.hellos[-1].supervisor_id == hello.supervisor_id
    assert known["ending/0/0/0"].exit_code == 9
    assert known["lasting/0/0/0"].state == "running"
    assert processes_with(seconds)


async def test_a_node_out_of_the_schedulers_reach_stops_computing(node: NodeUnderTest, folder: Path) -> None:
    """Its worker and its supervisor live on, but nobody hears of them: after the grace its runs are gone."""
    seconds = unique_seconds()
    lane = node.lane("job", f"sleep {seconds}")
    with (
        scheduler_process(folder) as (process, address),
        worker_process(address, node.config, folder, orphan_grace_seconds=3),
    ):
        async with Client(address, asynchronous=True, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            portal = Listener(client)
            await portal.wait(lambda: portal.hellos)
            await portal.call(plugin.launch, [lane.to_json()])
            await portal.wait(lambda: processes_with(seconds))
        node.disconnect()
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: not processes_with(seconds), "the end of the run")
    node.connect()
    wait_until(lambda: node.listed()["job/0/0/0"].has_ended, "the listed end")
    assert node.listed()["job/0/0/0"].state == "NODE_FAIL"
