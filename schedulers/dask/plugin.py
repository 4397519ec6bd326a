"""Ties a Dask worker to its node's supervisor: relays launches and cancels down, starts and ends up."""

from collections.abc import Sequence
from typing import Any

from distributed import Worker
from distributed.diagnostics.plugin import WorkerPlugin

from schedulers.dask.node import NodeConfig

TOPIC = "hpc-node"
"""Dask topic of this module's events; each is a `messages.NodeEvent` as JSON."""

PLUGIN_NAME = "hpc-node"


class NodePlugin(WorkerPlugin):
    """Keeps the node's supervisor alive and connected while this worker lives."""

    name = PLUGIN_NAME

    def __init__(self, config: NodeConfig) -> None:
        self.config = config

    async def setup(self, worker: Worker) -> None:
        """Ensure the supervisor, connect, and announce the node."""
        raise NotImplementedError

    async def teardown(self, worker: Worker) -> None:
        """Disconnect; runs go on."""
        raise NotImplementedError


async def launch(lanes: Sequence[dict[str, Any]], *, dask_worker: Worker) -> None:
    """Start lanes (`Lane.to_json()`); a run key that the node knows, even ended, is never started again.

    For `client.run(launch, lanes, workers=[address])`, as all of these. Returns when the launch is in the
    node's journal. A lane that the node must refuse ends its runs as BOOT_FAIL, with the reason.
    """
    raise NotImplementedError


async def cancel(
    *,
    keys: Sequence[str] = (),
    jobs: Sequence[str] = (),
    grace_seconds: float | None = None,
    dask_worker: Worker,
) -> None:
    """End these runs, and all runs of these job ids, as CANCELLED; queued ones are dropped. Returns at once.

    Unknown or ended runs are not an error. `grace_seconds` lies between SIGTERM and SIGKILL.
    """
    raise NotImplementedError


async def list_runs(*, dask_worker: Worker) -> dict[str, Any]:
    """Every run that the node remembers (queued, running, ended and not forgotten): a `NodeEvent` as JSON."""
    raise NotImplementedError


async def forget(keys: Sequence[str], *, dask_worker: Worker) -> None:
    """The ends of these runs are recorded elsewhere for good: the node may drop them."""
    raise NotImplementedError
