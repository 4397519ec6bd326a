"""Many small writing transactions share one commit: the disk syncs once for all that arrived meanwhile."""

import asyncio
import contextlib
import functools
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from hpc_portal.app import events
from hpc_portal.app.db import transact, write_turn, writing

T = TypeVar("T")

_MAX_BATCH = 64


@dataclass(frozen=True, slots=True)
class _Item:
    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class GroupCommit:
    """One thread that runs submitted work in order, a batch per transaction.

    Each piece of work stands or falls alone: when one of a batch raises, the batch is rolled back and every
    piece runs again in a transaction of its own. Work must therefore be repeatable (it is: it only writes
    through its connection).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="group-commit", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction; returns after its commit, raises what it raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Item(work, future, loop))
        return await future

    def close(self) -> None:
        """Finish what was submitted and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            stop = False
            while len(batch) < _MAX_BATCH:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    stop = True
                    break
                batch.append(item)
            self._commit(batch)
            if stop:
                return

    def _commit(self, batch: list[_Item]) -> None:
        if len(batch) > 1:
            try:
                with write_turn(self._engine), writing(self._engine).begin() as connection:
                    results = _run(batch, connection)
            except Exception:  # noqa: BLE001, S110 - whoever failed is found by running each alone
                pass
            else:
                _deliver([(item, result, None) for item, result in zip(batch, results, strict=True)])
                return
        for item in batch:
            try:
                (result,) = transact(self._engine, functools.partial(_run, [item]))
            except Exception as error:  # noqa: BLE001 - belongs to whoever submitted the work
                _deliver([(item, None, error)])
            else:
                _deliver([(item, result, None)])


def _run(batch: list[_Item], connection: Connection) -> list[Any]:
    """Work that records events between two pieces that move money must have its turn from the start."""
    events.take_turns(connection)
    return [item.work(connection) for item in batch]


def _deliver(outcomes: list[tuple[_Item, Any, Exception | None]]) -> None:
    """Wake the waiters: one call into each event loop for all of them."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Item, Any, Exception | None]]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, waiting in by_loop.items():
        with contextlib.suppress(RuntimeError):  # it was closed, and nobody waits any more
            loop.call_soon_threadsafe(_resolve, waiting)


def _resolve(waiting: list[tuple[_Item, Any, Exception | None]]) -> None:
    for item, result, error in waiting:
        if item.future.done():
            continue
        if error is None:
            item.future.set_result(result)
        else:
            item.future.set_exception(error)
