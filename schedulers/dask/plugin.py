"""Ties a Dask worker to its node's supervisor: relays launches and cancels down, starts and ends up.

Embedded, a worker gets `NodePlugin(config)`. A node of its own runs one worker (`--nworkers 1`):

    dask worker tls://scheduler:8786 --preload schedulers.dask.plugin --nworkers 1 --nthreads 1

configured by these variables:

HPC_NODE_NAME            name of the node; default: the host's name
HPC_NODE_STATE_DIR       required: local folder for the supervisor's socket, journal and log
HPC_NODE_WORKSPACE_ROOT  required: folder of all job workspaces, shared with the portal, at the same path
HPC_NODE_CPUS            CPUs to offer; default: all that the process may use
HPC_NODE_MEMORY_MIB      memory to offer; default: all of the machine or container
HPC_NODE_GPUS            GPUs by type as JSON, {"h100": 8}; default: what NVML finds
HPC_NODE_RUNTIME_PATHS   folders shown read-only to jobs, their bin on PATH, separated by ":"; default:
                         this Python's environment
HPC_NODE_DATA_PATHS      folders shown read-only to jobs, separated by ":"
HPC_NODE_ISOLATION       auto (default), sandbox, user or none
HPC_NODE_CGROUP          auto (default), off, or the path of a cgroup (v2) that was delegated to the account
HPC_NODE_ORPHAN_GRACE_SECONDS
                         kill all runs when the Dask scheduler was out of reach for so long; default 60, and
                         it must stay below the portal's node_fail_after_seconds
HPC_NODE_ALLOW_UNISOLATED_TENANTS
                         1: serve several organisations although nothing keeps them apart. Unsafe.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from distributed import Status, Worker
from distributed.diagnostics.plugin import WorkerPlugin

from schedulers.dask.gpus import find_gpus
from schedulers.dask.isolation import job_path
from schedulers.dask.messages import NodeEvent, NodeHello, RunReport
from schedulers.dask.node import (
    IsolationWish,
    NodeConfig,
    declared_gpus,
    default_runtime_paths,
    machine_cpus,
    machine_memory_mib,
)
from schedulers.dask.start_supervisor import SupervisorUnavailable, ensure_supervisor
from schedulers.dask.supervisor_client import SupervisorClient
from schedulers.programs import missing_programs

TOPIC = "hpc-node"
"""Dask topic of this module's events; each is a `messages.NodeEvent` as JSON."""

PLUGIN_NAME = "hpc-node"
HEARTBEAT_SECONDS = 1.0
RELAY_SECONDS = 0.02
"""The longest that a change waits for company before it crosses the network."""
_SCHEDULER_SECONDS = 5.0
_RETRY_SECONDS = 0.2
_DEFAULT_ORPHAN_GRACE_SECONDS = 60.0

log = logging.getLogger(__name__)


class NodePlugin(WorkerPlugin):
    """Keeps the node's supervisor alive and connected while this worker lives."""

    name = PLUGIN_NAME

    def __init__(self, config: NodeConfig) -> None:
        self.config = config

    async def setup(self, worker: Worker) -> None:
        """Ensure the supervisor, connect, and announce the node once the worker is part of its cluster.

        Raises:
            SupervisorUnavailable: the supervisor does not start.
        """
        self._worker = worker
        self._client: SupervisorClient | None = None
        self._status: dict[str, Any] = {}
        self._changed: dict[str, RunReport] = {}
        self._drained: list[str] = []
        self._relayed = 0.0
        self._relay: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        await self._connect()
        self._task = asyncio.create_task(self._stay_connected())

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's signature
        """Disconnect; runs go on."""
        if self._relay:
            self._relay.cancel()
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._client:
            await self._client.close()

    async def request(self, operation: str, **fields: object) -> Any:  # noqa: ANN401 - JSON
        """Ask the supervisor.

        Raises:
            SupervisorUnavailable: it is not connected, or was lost on the way.
        """
        if self._client is None:
            raise SupervisorUnavailable("The node's supervisor is being started.")
        return await self._client.request(operation, **fields)

    def event(self, **content: Any) -> NodeEvent:  # noqa: ANN401 - the fields of NodeEvent
        """An event that speaks for this node as it is now."""
        return NodeEvent(self.config.name, self._status.get("supervisor_id", ""), **content)

    async def _connect(self) -> None:
        path = await asyncio.to_thread(ensure_supervisor, self.config)
        client = await SupervisorClient.open(path, self._take_push)
        await client.request("configure", config=self.config.to_json())
        self._status = await client.request("status")
        self._client = client

    async def _stay_connected(self) -> None:
        while True:
            try:
                if self._client is None:
                    await self._connect()
                await self._beat()
            except (SupervisorUnavailable, OSError, ValueError) as problem:
                log.warning("node %s: %s", self.config.name, problem)
                if self._client:
                    await self._client.close()
                    self._client = None
                await asyncio.sleep(_RETRY_SECONDS)

    async def _beat(self) -> None:
        """Announce the node each second for as long as supervisor, worker and scheduler are all there."""
        client = self._client
        while client is not None:
            if self._worker.status in {Status.running, Status.paused} and await self._reaches_scheduler():
                self._status = await client.request("status")
                self._tell(self.event(hello=self._hello()))
            lost = asyncio.ensure_future(client.lost())
            done, _ = await asyncio.wait([lost], timeout=HEARTBEAT_SECONDS)
            lost.cancel()
            if done:
                raise SupervisorUnavailable("The supervisor has hung up.")

    async def _reaches_scheduler(self) -> bool:
        """Whether the Dask scheduler answers; what must be known only where silence ends the runs."""
        if self.config.orphan_grace_seconds is None:
            return True
        try:
            async with asyncio.timeout(_SCHEDULER_SECONDS):
                await self._worker.scheduler.ncores(workers=[self._worker.address])
        except (OSError, TimeoutError):
            return False
        return True

    def _hello(self) -> NodeHello:
        return NodeHello(
            node=self.config.name,
            worker_address=self._worker.address,
            supervisor_id=self._status["supervisor_id"],
            cpus=self.config.cpus,
            memory_mib=self.config.memory_mib,
            gpus=self.config.gpus_by_type,
            isolation=self._status["isolation"],
            serves_several_organisations=self._status["serves_several_organisations"],
            missing_programs=missing_programs(job_path(self.config)),
        )

    def _take_push(self, push: dict[str, Any]) -> None:
        reports = (RunReport.from_json(report) for report in push["runs"])
        self._changed.update((report.key, report) for report in reports)
        self._drained += push["drained"]
        if self._relay is None:
            due_in = max(0.0, self._relayed + RELAY_SECONDS - time.monotonic())
            self._relay = asyncio.get_running_loop().call_later(due_in, self._relay_changes)

    def _relay_changes(self) -> None:
        self._relay = None
        self._relayed = time.monotonic()
        self._tell(self.event(runs=tuple(self._changed.values()), drained=tuple(self._drained)))
        self._changed, self._drained = {}, []

    def _tell(self, event: NodeEvent) -> None:
        self._worker.log_event(TOPIC, event.to_json())


async def launch(lanes: Sequence[dict[str, Any]], *, dask_worker: Worker) -> None:
    """Start lanes (`Lane.to_json()`); a run key that the node knows, even ended, is never started again.

    For `client.run(launch, lanes, workers=[address])`, as all of these. Returns when the launch is in the
    node's journal. A lane that the node must refuse ends its runs as BOOT_FAIL, with the reason.

    Raises:
        SupervisorUnavailable: it may or may not have been carried out; `list_runs` tells.
    """
    await _plugin(dask_worker).request("launch", lanes=list(lanes))


async def cancel(
    *, keys: Sequence[str] = (), jobs: Sequence[str] = (), grace_seconds: float = 1.0, dask_worker: Worker
) -> None:
    """End these runs, and all runs of these job ids, as CANCELLED; queued ones are dropped. Returns at once.

    Unknown or ended runs are not an error. `grace_seconds` lies between SIGTERM and SIGKILL.
    """
    await _plugin(dask_worker).request(
        "cancel", keys=list(keys), jobs=list(jobs), grace_seconds=grace_seconds
    )


async def recall(keys: Sequence[str], *, dask_worker: Worker) -> None:
    """End those of these runs that have not started, as CANCELLED without a start; the others go on."""
    await _plugin(dask_worker).request("recall", keys=list(keys))


async def set_walltimes(walltimes: Mapping[str, int], *, dask_worker: Worker) -> None:
    """Give these runs other limits, in seconds since their start; one that is past it ends as TIMEOUT."""
    await _plugin(dask_worker).request("walltimes", walltimes=dict(walltimes))


async def list_runs(*, dask_worker: Worker) -> dict[str, Any]:
    """Every run that the node remembers (queued, running, ended and not forgotten): a `NodeEvent` as JSON."""
    plugin = _plugin(dask_worker)
    reports = await plugin.request("list")
    return plugin.event(runs=tuple(RunReport.from_json(report) for report in reports)).to_json()


async def forget(keys: Sequence[str], *, dask_worker: Worker) -> None:
    """The ends of these runs are recorded elsewhere for good: the node may drop them."""
    await _plugin(dask_worker).request("forget", keys=list(keys))


def _plugin(worker: Worker) -> NodePlugin:
    plugin = worker.plugins[PLUGIN_NAME]
    assert isinstance(plugin, NodePlugin)  # noqa: S101 - for mypy
    return plugin


async def dask_setup(worker: Worker) -> None:
    """What `dask worker --preload schedulers.dask.plugin` calls."""
    await worker.plugin_add(NodePlugin(config_from_environment(os.environ)), catch_errors=False)


def config_from_environment(variables: Mapping[str, str]) -> NodeConfig:
    """The node that the HPC_NODE_* variables describe; see the module's docstring.

    Raises:
        ValueError: a variable is missing or wrong; the text names it.
    """
    given = {
        name.removeprefix("HPC_NODE_"): text
        for name, text in variables.items()
        if name.startswith("HPC_NODE_") and text
    }
    for name in ("STATE_DIR", "WORKSPACE_ROOT"):
        if not os.path.isabs(given.get(name, "")):  # noqa: PTH117 - a text from outside
            raise ValueError(f"HPC_NODE_{name} must be an absolute path.")
    try:
        gpus = declared_gpus(json.loads(given["GPUS"])) if "GPUS" in given else find_gpus()
        return NodeConfig(
            name=given.get("NAME") or socket.gethostname(),
            state_dir=given["STATE_DIR"],
            workspace_root=given["WORKSPACE_ROOT"],
            cpus=int(given.get("CPUS") or machine_cpus()),
            memory_mib=int(given.get("MEMORY_MIB") or machine_memory_mib()),
            gpus=gpus,
            runtime_paths=_paths(given["RUNTIME_PATHS"])
            if "RUNTIME_PATHS" in given
            else default_runtime_paths(),
            data_paths=_paths(given.get("DATA_PATHS", "")),
            isolation=_isolation(given.get("ISOLATION", "auto")),
            allow_unisolated_tenants=given.get("ALLOW_UNISOLATED_TENANTS") == "1",
            cgroup=given.get("CGROUP", "auto"),
            orphan_grace_seconds=float(given.get("ORPHAN_GRACE_SECONDS", _DEFAULT_ORPHAN_GRACE_SECONDS)),
        )
    except (ValueError, AttributeError) as problem:
        raise ValueError(f"The HPC_NODE_* variables do not describe a node: {problem}") from problem


def _paths(text: str) -> tuple[str, ...]:
    return tuple(path for path in text.split(":") if path)


def _isolation(text: str) -> IsolationWish:
    match text:
        case "auto" | "sandbox" | "user" | "none":
            return text
        case _:
            raise ValueError(f"HPC_NODE_ISOLATION is {text!r}; choose auto, sandbox, user or none.")
