"""Open the port for machines beside a process, where settings ask for one."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import REGISTRY
from sqlalchemy import Engine

from hpc_portal.app.clock import Clock
from hpc_portal.app.settings import Settings
from hpc_portal.app.telemetry.portal_state import PortalState, Site
from hpc_portal.app.telemetry.readiness import OK, ReadinessCheck
from hpc_portal.machine_port import MachinePort

_BEAT_SECONDS = 1.0
_DEAD_SECONDS = 60.0
"""An event loop that did not turn for so long will not do so again."""


class Pulse:
    """Whether an event loop turns: it says so each second, and others look from threads."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    async def beat(self) -> None:
        """Run as a task of the loop, until it is cancelled."""
        while True:
            self._last = time.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)

    def look(self) -> dict[str, str]:
        """`ok`, or since when it stands still."""
        still = time.monotonic() - self._last
        return {"event_loop": OK if still < _DEAD_SECONDS else f"stands still for {still:.0f} s"}


@contextlib.contextmanager
def machine_port(
    settings: Settings, engine: Engine, clock: Clock, *, alive: Callable[[], Mapping[str, str]]
) -> Iterator[None]:
    """/metrics, /healthz and /readyz while the context lasts; nothing without HPC_PORTAL_METRICS_PORT.

    Raises:
        OSError: the address is taken or not ours.
    """
    if settings.metrics_port is None:
        yield
        return
    site = Site(
        sends_mail=settings.smtp is not None,
        workspaces=settings.effective_workspace_root,
        backup_late_hours=settings.backup_late_hours,
        scaled=settings.cluster_name if settings.dask_enabled else None,
    )
    state = PortalState(engine, clock, site)
    check = ReadinessCheck(engine, settings)
    REGISTRY.register(state)
    port = MachinePort(REGISTRY, alive=alive, ready=lambda: check.look().checks)
    try:
        with port.open(settings.metrics_host, settings.metrics_port):
            yield
    finally:
        REGISTRY.unregister(state)
