"""What is on its way to one node, sent in order and in batches: launches, then cancels, then the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import structlog

from schedulers.dask import plugin
from schedulers.dask.foreman import Parcel
from schedulers.dask.messages import NodeEvent
from schedulers.dask.tasks import end_task
from schedulers.errors import SchedulerUnavailable

log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0


class Caller(Protocol):
    """`Link.call`, or what stands for it in a test."""

    def __call__(
        self, address: str, function: Callable[..., Awaitable[Any]], *args: object, **kwargs: object
    ) -> Awaitable[Any]:
        """Run the function on the worker at the address; SchedulerUnavailable when it did not answer."""
        ...


class Outbox:
    """One sender per node, so that a cancel never overtakes the launch that it is meant for.

    Whatever fails is not sent again as it was: the node is asked for all its runs instead, until it
    answers, and the answer decides (`Foreman.reconcile`).

    Before a node is told to do anything, `require_right` is asked: a controller that was replaced while it
    slept takes the runs of the next one for strangers, and those that have ended for lost.
    """

    def __init__(
        self,
        call: Caller,
        *,
        require_right: Callable[[], Awaitable[None]],
        on_listed: Callable[[NodeEvent], None],
        on_doubt: Callable[[], None],
    ) -> None:
        self.address = ""
        self._call = call
        self._require_right = require_right
        self._on_listed = on_listed
        self._on_doubt = on_doubt
        self._parcel = Parcel()
        self._wants_list = False
        self._is_in_doubt = False
        self._wake = asyncio.Event()
        self._sender = asyncio.create_task(self._send_forever())

    @property
    def unsent_lanes(self) -> set[str]:
        """Lanes that wait to be sent."""
        return {lane.lane_id for lane in self._parcel.lanes}

    @property
    def is_in_doubt(self) -> bool:
        """Whether the node has to say what it has before anything new is started there."""
        return self._is_in_doubt

    def put(self, parcel: Parcel) -> None:
        """Send this as soon as possible."""
        self._parcel.lanes += parcel.lanes
        self._parcel.cancel_jobs |= parcel.cancel_jobs
        self._parcel.cancel_keys |= parcel.cancel_keys
        self._parcel.recall_keys |= parcel.recall_keys
        self._parcel.walltimes |= parcel.walltimes
        self._parcel.forget_keys |= parcel.forget_keys
        self._wake.set()

    def ask_for_list(self, address: str, *, is_in_doubt: bool) -> None:
        """Ask the node for all its runs, at this address from now on."""
        self.address = address
        self._wants_list = True
        self._is_in_doubt = self._is_in_doubt or is_in_doubt
        self._wake.set()

    async def close(self) -> None:
        """Stop sending; what was not sent is resolved by the next controller."""
        await end_task(self._sender)

    async def _send_forever(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._send_all()
            except SchedulerUnavailable as error:
                log.warning("node.no_answer", address=self.address, problem=str(error))
            except Exception:  # the sender must go on, whatever came back
                log.exception("node.send_failed", address=self.address)
            else:
                pause = _FIRST_PAUSE_SECONDS
                continue
            self._wants_list = self._is_in_doubt = True
            self._on_doubt()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.set()
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _send_all(self) -> None:
        parcel, self._parcel = self._parcel, Parcel()
        if parcel:
            await self._require_right()
        if parcel.lanes:
            await self._call(self.address, plugin.launch, [lane.to_json() for lane in parcel.lanes])
        if parcel.cancel_jobs or parcel.cancel_keys:
            await self._call(
                self.address,
                plugin.cancel,
                keys=sorted(parcel.cancel_keys),
                jobs=sorted(parcel.cancel_jobs),
            )
        if parcel.recall_keys:
            await self._call(self.address, plugin.recall, sorted(parcel.recall_keys))
        if parcel.walltimes:
            await self._call(self.address, plugin.set_walltimes, parcel.walltimes)
        if parcel.forget_keys:
            await self._call(self.address, plugin.forget, sorted(parcel.forget_keys))
        if self._wants_list:
            event = NodeEvent.from_json(await self._call(self.address, plugin.list_runs))
            self._wants_list = self._is_in_doubt = False
            self._on_listed(event)
