"""`people_load ORDER.json`: many signed-in people, in a process of its own; prints what it measured."""

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import uvloop

from tests.benchmarks.http_connections import Connections, connect
from tests.benchmarks.people_mix import BARE, REFRESH, SUBMIT, WEIGHTS, Person, request_of, stream_of

STREAM_SECONDS = 90.0
"""How long somebody stays on a page that is live, on average."""
REFRESH_PAUSE_SECONDS = 0.75
"""As in refresh.js."""
SPREAD_SECONDS = 5.0
"""So long it takes until all streams are open."""


@dataclass(frozen=True)
class Order:
    """What to do: requests at a rate that does not wait for answers, or as many at once as `at_once` says."""

    ports: Sequence[int]
    people: Sequence[dict[str, Any]]
    seconds: float
    per_second: float = 0.0
    at_once: int = 0
    streams: int = 0
    is_bare: bool = False


@dataclass
class Measured:
    """Latencies in milliseconds by kind, and what went wrong."""

    seconds: float = 0.0
    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    events: int = 0
    """Messages of event streams."""
    streams_opened: int = 0


class Crowd:
    """People who take turns at the replicas, request by request: nobody is bound to one."""

    def __init__(self, order: Order) -> None:
        self.measured = Measured()
        self._order = order
        self._people = [Person(**one) for one in order.people]
        self._ports = cycle(order.ports)
        self._connections = Connections()
        self._lot = Random()  # noqa: S311 - who asks for what
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False

    async def run(self) -> Measured:
        """Do as ordered; what has begun is waited for."""
        order = self._order
        streams = [asyncio.create_task(self._stay_on_pages()) for _ in range(order.streams)]
        if streams:
            await asyncio.sleep(SPREAD_SECONDS)
            await self._until_answered()
        self.measured.latencies.clear()
        began = time.perf_counter()
        if order.per_second:
            await self._at_a_rate(began)
        else:
            await asyncio.gather(*(self._one_after_the_other(began) for _ in range(order.at_once)))
        await self._until_answered()
        self.measured.seconds = time.perf_counter() - began
        self._is_over = True
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        return self.measured

    async def _at_a_rate(self, began: float) -> None:
        """Poisson arrivals; latencies count from when a request was due, however busy we are."""
        due = began
        while (due := due + self._lot.expovariate(self._order.per_second)) < began + self._order.seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._begin(self._ask(self._lot.choice(self._people), self._kind(), due))

    async def _until_answered(self) -> None:
        """When streams open, all their pages refresh at once: that is no steady state, and is waited for."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _one_after_the_other(self, began: float) -> None:
        while time.perf_counter() < began + self._order.seconds:
            await self._ask(self._lot.choice(self._people), self._kind(), time.perf_counter())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if error := task.exception():
            self.measured.errors[repr(error)] += 1

    def _kind(self) -> str:
        return BARE if self._order.is_bare else self._lot.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]

    async def _ask(self, person: Person, kind: str, due: float) -> None:
        if kind == SUBMIT and not person.csrf:
            await self._ask(person, "form", due)
            due = time.perf_counter()
        try:
            answer = await self._connections.ask(next(self._ports), *request_of(person, kind, self._lot))
        except OSError as error:
            self.measured.errors[f"{kind}: {error!r}"] += 1
            return
        if answer.status not in {200, 201}:
            self.measured.errors[f"{kind}: {answer.status} {answer.body[:200]!r}"] += 1
            return
        self.measured.latencies[kind].append((time.perf_counter() - due) * 1000)
        if kind == "form":
            person.read(answer)

    async def _stay_on_pages(self) -> None:
        """Open a live page's stream, refresh the page as it tells, leave it for another."""
        await asyncio.sleep(self._lot.random() * SPREAD_SECONDS)
        while not self._is_over:
            person = self._lot.choice(self._people)
            page = _LivePage(self, person)
            connection = await connect(next(self._ports), page.hear)
            self.measured.streams_opened += 1
            stay = self._lot.expovariate(1 / STREAM_SECONDS)
            try:
                ended = await asyncio.wait_for(connection.ask(stream_of(person, self._lot)), stay)
            except TimeoutError:
                continue
            except OSError as error:
                self.measured.errors[f"stream: {error!r}"] += 1
            else:
                self.measured.errors[f"stream: ended with {ended.status}"] += 1
            finally:
                connection.close()

    def refresh(self, person: Person) -> None:
        """Ask for the page again, now."""
        if not self._is_over and not self._order.is_bare:
            self._begin(self._ask(person, REFRESH, time.perf_counter()))


class _LivePage:
    """Refreshes when its stream opens and when a job is told of, as `refresh.js` does."""

    def __init__(self, crowd: Crowd, person: Person) -> None:
        self._crowd = crowd
        self._person = person
        self._not_before = 0.0

    def hear(self, chunk: bytes) -> None:
        told = chunk.count(b"event: ")
        self._crowd.measured.events += told
        is_due = b"retry:" in chunk or b"event: job" in chunk
        if is_due and time.perf_counter() >= self._not_before:
            self._not_before = time.perf_counter() + REFRESH_PAUSE_SECONDS
            self._crowd.refresh(self._person)


if __name__ == "__main__":
    order = Order(**json.loads(Path(sys.argv[1]).read_text()))
    with contextlib.suppress(KeyboardInterrupt):
        print(json.dumps(vars(uvloop.run(Crowd(order).run()))))
