"""Runs the controllers of all clusters side by side: one that fails, or finds no cluster, stops no other."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import structlog

from hpc_portal.app.controller import ControllerParts, run_controller

log = structlog.get_logger()

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_HEALTHY_AFTER_SECONDS = 60.0
"""A controller that lived so long starts again after the shortest pause."""


async def run_controllers(
    clusters: Sequence[ControllerParts],
    stop: asyncio.Event,
    *,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Run them all until `stop` is set; `on_ready` is told the name of each cluster that is served.

    An error that a controller does not know ends its turn only; a portal with one cluster ends with it,
    for its service manager can start a fresh process, and there is nobody else to go on for.
    """
    async with asyncio.TaskGroup() as group:
        for parts in clusters:
            run = run_controller if len(clusters) == 1 else _keep_running
            group.create_task(run(parts, stop, on_ready=_named(on_ready, parts)), name=parts.cluster)


def _named(on_ready: Callable[[str], None] | None, parts: ControllerParts) -> Callable[[], None] | None:
    return (lambda: on_ready(parts.cluster)) if on_ready else None


async def _keep_running(
    parts: ControllerParts, stop: asyncio.Event, *, on_ready: Callable[[], None] | None
) -> None:
    pause = _FIRST_PAUSE_SECONDS
    while not stop.is_set():
        started = time.monotonic()
        try:
            await run_controller(parts, stop, on_ready=on_ready)
        except Exception:
            log.exception("controller.failed", cluster=parts.cluster)
        was_healthy = time.monotonic() - started > _HEALTHY_AFTER_SECONDS
        pause = _FIRST_PAUSE_SECONDS if was_healthy else min(pause * 2, _LONGEST_PAUSE_SECONDS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
