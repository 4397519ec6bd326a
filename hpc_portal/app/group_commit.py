"""Many small writing transactions share one commit: the disk syncs once for all that arrived meanwhile."""

import asyncio
import contextlib
import functools
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine

from hpc_portal.app import events
from hpc_portal.app.db import transact, write_turn, writing

T = TypeVar("T")
Piece = TypeVar("Piece")

_MAX_BATCH = 64

Together: TypeAlias = Callable[[Connection, Sequence[Piece]], Sequence[T | Exception]]
"""Writes many pieces of one kind: one outcome each, in order. An exception as an outcome belongs to that
piece alone and says that nothing was written for it."""


@dataclass(frozen=True, slots=True)
class _Item:
    work: Together[Any, Any]
    piece: Any
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
        return await self.run_together(_run_each, work)

    async def run_together(self, work: Together[Piece, T], piece: Piece) -> T:
        """Let `work` write this piece, with what else of its kind is in the batch; returns after the commit.

        Pieces of one kind share their statements. Raises what `work` raised, or had as the outcome.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Item(work, piece, future, loop))
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
                    outcomes = _run(batch, connection)
            except Exception:  # noqa: BLE001, S110 - whoever failed is found by running each alone
                pass
            else:
                _deliver(list(zip(batch, outcomes, strict=True)))
                return
        for item in batch:
            try:
                (outcome,) = transact(self._engine, functools.partial(_run, [item]))
            except Exception as error:  # noqa: BLE001 - belongs to whoever submitted the work
                outcome = error
            _deliver([(item, outcome)])


def _run(batch: Sequence[_Item], connection: Connection) -> list[Any]:
    """Outcomes in the order of the batch; each kind of work is called once, for all its pieces.

    Work that records events between two pieces that move money must have its turn from the start.
    """
    events.take_turns(connection)
    kinds: dict[Together[Any, Any], list[int]] = {}
    for place, item in enumerate(batch):
        kinds.setdefault(item.work, []).append(place)
    outcomes: dict[int, Any] = {}
    for work, places in kinds.items():
        outcomes |= zip(places, work(connection, [batch[place].piece for place in places]), strict=True)
    return [outcomes[place] for place in range(len(batch))]


def _run_each(connection: Connection, works: Sequence[Callable[[Connection], T]]) -> list[T | Exception]:
    return [work(connection) for work in works]


def _deliver(outcomes: list[tuple[_Item, Any]]) -> None:
    """Wake the waiters: one call into each event loop for all of them."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Item, Any]]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, waiting in by_loop.items():
        with contextlib.suppress(RuntimeError):  # it was closed, and nobody waits any more
            loop.call_soon_threadsafe(_resolve, waiting)


def _resolve(waiting: list[tuple[_Item, Any]]) -> None:
    for item, outcome in waiting:
        if item.future.done():
            continue
        if isinstance(outcome, Exception):
            item.future.set_exception(outcome)
        else:
            item.future.set_result(outcome)
