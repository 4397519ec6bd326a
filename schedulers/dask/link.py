"""The wire to a Dask cluster, embedded or not: it comes back by itself, and says when it went and came."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import structlog
from distributed import Client, LocalCluster
from distributed.security import Security

from schedulers.dask.messages import NodeEvent
from schedulers.dask.node import NodeConfig
from schedulers.dask.plugin import TOPIC, NodePlugin
from schedulers.dask.tasks import end_task
from schedulers.errors import SchedulerUnavailable

log = structlog.get_logger(__name__)

_CONNECT_SECONDS = 10.0
_CALL_SECONDS = 20.0
_CLOSE_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_EMBEDDED: dict[str, Any] = {
    # Dask insists on HTTP servers: they get ports of the loopback and nothing to serve.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # A machine that was asleep, or a loop that was busy, must not lose its only worker.
    "distributed.scheduler.worker-ttl": None,
    # It runs no Dask tasks: what watches over them would only cost.
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.low-level-log-length": 100,
}


@dataclass(frozen=True, slots=True)
class EmbeddedCluster:
    """A Dask scheduler and one worker inside this process; the worker is this machine's node."""

    node: NodeConfig


@dataclass(frozen=True, slots=True)
class ExternalCluster:
    """A Dask scheduler that somebody else runs, with workers that preload `schedulers.dask.plugin`."""

    address: str
    security: Security | None = None


class Link:
    """One connection. All callbacks run in the event loop that called `open`."""

    def __init__(
        self,
        target: EmbeddedCluster | ExternalCluster,
        *,
        on_event: Callable[[NodeEvent], None],
        on_lost: Callable[[], None],
        on_back: Callable[[], Awaitable[None]],
    ) -> None:
        self.is_connected = False
        self._target = target
        self._on_event = on_event
        self._on_lost = on_lost
        self._on_back = on_back
        self._cluster: Any = None
        self._client: Any = None
        self._comm: Any = None
        self._watcher: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and keep connected from now on.

        Raises:
            SchedulerUnavailable: there is no answer.
        """
        if isinstance(self._target, EmbeddedCluster) and self._cluster is None:
            self._cluster = await _embedded(self._target.node)
        await self._connect()
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Disconnect; an embedded cluster goes, its node's supervisor and runs stay."""
        self.is_connected = False
        if self._watcher:
            await end_task(self._watcher)
            self._watcher = None
        await self._drop_client()
        if self._cluster is not None:
            await _close_quietly(self._cluster)
            self._cluster = None

    async def call(
        self, address: str, function: Callable[..., Awaitable[Any]], *args: object, **kwargs: object
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Run an async function of the plugin on the worker at this address.

        Raises:
            SchedulerUnavailable: no answer, or an error there: it may or may not have been done.
        """
        if not self.is_connected:
            message = "not connected to the Dask scheduler"
            raise SchedulerUnavailable(message)
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                answers = await self._client.run(function, *args, workers=[address], **kwargs)
        except Exception as error:  # the far side may raise anything at all
            message = f"{address} did not carry out {function.__name__}: {error!r}"
            raise SchedulerUnavailable(message) from error
        return answers[address]

    async def workers(self) -> list[str]:
        """Addresses of the workers that the Dask scheduler knows now.

        Raises:
            SchedulerUnavailable: no answer.
        """
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                identity = await self._client.scheduler.identity()
        except (OSError, TimeoutError, AttributeError) as error:
            message = f"the Dask scheduler does not answer: {error!r}"
            raise SchedulerUnavailable(message) from error
        return list(identity["workers"])

    async def _connect(self) -> None:
        target = self._target
        address = self._cluster if isinstance(target, EmbeddedCluster) else target.address
        security = None if isinstance(target, EmbeddedCluster) else target.security
        client: Any = Client(  # type: ignore[no-untyped-call]
            address, security=security, asynchronous=True, timeout=_CONNECT_SECONDS, set_as_default=False
        )
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await client
        except (OSError, TimeoutError, ImportError) as error:
            await _close_quietly(client)
            message = f"the Dask scheduler at {address} does not answer"
            raise SchedulerUnavailable(message) from error
        self._client = client
        self._comm = client.scheduler_comm
        client.subscribe_topic(TOPIC, self._hear)
        self.is_connected = True

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        _, message = event
        self._on_event(NodeEvent.from_json(message))

    async def _drop_client(self) -> None:
        client, self._client, self._comm = self._client, None, None
        if client is not None:
            await _close_quietly(client)

    @property
    def _is_healthy(self) -> bool:
        """A client that reconnected by itself has lost its subscription: it counts as lost, too."""
        comm = self._client.scheduler_comm
        return self._client.status == "running" and comm is self._comm and not comm.closed()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._is_healthy:
                continue
            log.warning("dask.lost")
            self.is_connected = False
            self._on_lost()
            await self._drop_client()
            await self._reconnect()
            log.info("dask.back")
            try:
                await self._on_back()
            except Exception:  # the watch must go on, whatever the nodes said
                log.exception("dask.meeting_failed")

    async def _reconnect(self) -> None:
        pause = _LOOK_SECONDS
        while True:
            try:
                await self._connect()
            except SchedulerUnavailable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                return


async def _close_quietly(thing: Any) -> None:  # noqa: ANN401 - a Client or a Cluster
    """Close it, but not at any price: it may be broken, and there is nothing to be learned from it."""
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await thing.close(timeout=_CLOSE_SECONDS / 2)


async def _embedded(node: NodeConfig) -> Any:  # noqa: ANN401 - distributed has no types
    """Scheduler, worker and client that talk inside this process."""
    folder = Path(node.state_dir) / "dask"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with dask.config.set(_EMBEDDED):
        return await LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            asynchronous=True,
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=0,
            local_directory=str(folder),
            plugins=(NodePlugin(node),),
            silence_logs=logging.WARNING,
        )
