"""Runs a background step again and again: on a wake-up, at an interval, and slower after failures."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from hpc_portal.app.leases import LeaseLost
from hpc_portal.app.telemetry.instruments import LOOP_LAST_STEP, LOOP_SECONDS, LOOP_STEPS
from schedulers.errors import SchedulerBroken

log = structlog.get_logger()

_JITTER = 0.1
_MAX_BACKOFF_SECONDS = 30.0
_PAUSE_PER_STEP = 4


@dataclass
class Loop:
    """One background step. `step` returns whether there may be more to do at once."""

    name: str
    step: Callable[[], Awaitable[bool]]
    interval_seconds: float
    rest_seconds: float = 0.0
    """Pause after every step, so that work gathers and is done in larger batches."""
    least_pause_seconds: float | None = None
    """Pause instead of `interval_seconds` while steps are short, so that they take a fifth of the time."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to have the next step run now."""

    def pause_after(self, step_seconds: float) -> float:
        """How long to wait for a wake-up after a step that took so long."""
        if self.least_pause_seconds is None:
            return self.interval_seconds
        return min(self.interval_seconds, max(self.least_pause_seconds, _PAUSE_PER_STEP * step_seconds))


async def run_loop(loop: Loop, stop: asyncio.Event) -> None:
    """Run until `stop` is set; the step under way is finished first.

    A failed step is logged and tried again after a pause that doubles up to half a minute.

    Raises:
        LeaseLost: the step found that this process is no longer the active one.
        SchedulerBroken: the step found that the scheduler's backend must be made anew.
    """
    failures = 0
    while not stop.is_set():
        loop.wake.clear()
        began = time.monotonic()
        try:
            has_more = await loop.step()
        except (LeaseLost, SchedulerBroken):
            raise
        except Exception:
            failures += 1
            LOOP_STEPS.labels(loop.name, "failed").inc()
            log.exception("loop.step_failed", loop=loop.name, failures=failures)
            await _pause(min(_MAX_BACKOFF_SECONDS, 0.1 * 2**failures), stop)
            continue
        failures = 0
        seconds = time.monotonic() - began
        LOOP_STEPS.labels(loop.name, "done").inc()
        LOOP_SECONDS.labels(loop.name).observe(seconds)
        LOOP_LAST_STEP.labels(loop.name).set_to_current_time()
        log.debug("loop.stepped", loop=loop.name, seconds=round(seconds, 4))
        if loop.rest_seconds:
            await _pause(loop.rest_seconds, stop)
        if not has_more:
            await _pause(loop.pause_after(seconds), stop, loop.wake)


async def _pause(seconds: float, *wakers: asyncio.Event) -> None:
    """Sleep with jitter, or until one of the events is set."""
    jittered = seconds * (1 + random.uniform(-_JITTER, _JITTER))  # noqa: S311 - jitter, not a secret
    waiting = [asyncio.ensure_future(waker.wait()) for waker in wakers]
    try:
        await asyncio.wait(waiting, timeout=jittered, return_when=asyncio.FIRST_COMPLETED)
    finally:
        # Nothing is awaited here: it could swallow the one cancellation that ends a loop.
        for task in waiting:
            task.cancel()
