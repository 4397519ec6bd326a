"""One reader of changes a process, many followers: cheap queries each tick, only while somebody follows."""

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Engine, Row, func, select, true
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from hpc_portal.app.clusters import Trouble
from hpc_portal.app.home.cluster_figures import ClusterFigures
from hpc_portal.app.live_marks import FIGURES, TROUBLES, Key, Mark, Marks, Watched, read_left, read_marks
from hpc_portal.app.tables import JobEvent

log = structlog.get_logger(__name__)

_TICK_SECONDS = 0.3
_MARKS_SECONDS = 0.5
_BATCH = 1000
_MOST_QUEUED = 512
_MOST_REPLAYED = 2000
_NAMED = frozenset([Watched.NOTICES, Watched.TROUBLES, Watched.BALANCE])
"""Every page follows these: each looks up its own instead of walking through all."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Whose events: of one job, of some projects, or (both None) of all; and what is followed beside them."""

    job_id: UUID | None = None
    project_ids: frozenset[UUID] | None = None
    watched: frozenset[Watched] = frozenset()
    reader: UUID | None = None
    """Whose notices, where those are watched."""
    requests_of: frozenset[UUID] | None = frozenset()
    """The projects whose requests, where those are watched; None: of all."""
    balance_of: UUID | None = None
    """The project that shows what it has left, where that is watched."""

    def covers(self, event: "HubEvent") -> bool:
        """Whether the event belongs to this topic."""
        if self.job_id is not None:
            return event.job_id == self.job_id
        return self.project_ids is None or event.project_id in self.project_ids

    def watches(self, key: Key) -> bool:
        """Whether this mark is followed."""
        kind, whose = key
        if kind not in self.watched:
            return False
        match kind:
            case Watched.NOTICES:
                return whose == self.reader
            case Watched.REQUESTS:
                return self.requests_of is None or whose in self.requests_of
            case Watched.BALANCE:
                return whose == self.balance_of
            case Watched.CLUSTERS | Watched.FIGURES | Watched.TROUBLES:
                return True

    @property
    def named_keys(self) -> tuple[Key, ...]:
        """Of what is followed by its key."""
        notices: tuple[Key, ...] = ((Watched.NOTICES, self.reader),) if self.reader else ()
        left: tuple[Key, ...] = ((Watched.BALANCE, self.balance_of),) if self.balance_of else ()
        return (*notices, *left, TROUBLES)

    @property
    def condition(self) -> ColumnElement[bool]:
        """`covers` as a WHERE clause."""
        if self.job_id is not None:
            return col(JobEvent.job_id) == self.job_id
        return true() if self.project_ids is None else col(JobEvent.project_id).in_(self.project_ids)


@dataclass(frozen=True, slots=True)
class HubEvent:
    """One job event with its JSON, which is encoded once for all followers."""

    sequence: int
    job_id: UUID
    project_id: UUID
    kind: str
    json: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What a follower is told at once; no events at all means "still alive"."""

    events: Sequence[HubEvent]
    sequence: int
    """Where to resume after this batch."""
    is_gap: bool = False
    """Too much was missed to replay it: look at the present state again, then go on from here."""
    marks: Marks = field(default_factory=dict)
    """What is followed beside jobs: at first all of it, then what differs from what was told before."""


def _now() -> datetime:
    return datetime.now(UTC)


class Follower:
    """A bounded queue for one stream."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.overflowed = False
        self._queue: deque[HubEvent] = deque()
        self._told: dict[Key, Mark] = {}
        self._marks: dict[Key, Mark] = {}
        self.arrived = asyncio.Event()

    def offer(self, event: HubEvent) -> None:
        """It is kept if the topic covers it."""
        if not self.topic.covers(event):
            return
        if len(self._queue) == _MOST_QUEUED:
            self.overflowed = True
        else:
            self._queue.append(event)
        self.arrived.set()

    def see(self, marks: Marks, shared: Collection[Key]) -> None:
        """`shared` are the keys of the others: of notices there are as many as readers."""
        named = self.topic.named_keys
        for key in named if self.topic.watched <= _NAMED else (*named, *shared):
            if key in marks and self._told.get(key) != marks[key] and self.topic.watches(key):
                self._told[key] = self._marks[key] = marks[key]
                self.arrived.set()

    def wake(self) -> None:
        """Whoever waits goes on: the hub closes."""
        self.arrived.set()

    async def wait(self, timeout_seconds: float) -> None:
        """Until something has arrived that was not taken, but no longer than so."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.arrived.wait(), timeout_seconds)

    def take(self) -> tuple[list[HubEvent], Marks]:
        """What has arrived since it was last taken; of more events than it holds the first."""
        self.arrived.clear()
        events, marks = list(self._queue), self._marks
        self._queue.clear()
        self._marks = {}
        return events, marks


class EventHub:
    """Follows `job_event` by its sequence, which only grows and has no late-comers (see events.record).

    What is followed beside jobs is read whole and compared: it is little, and has no such sequence.
    """

    def __init__(  # noqa: PLR0913 - what it reads beside events
        self,
        engine: Engine,
        *,
        tick_seconds: float = _TICK_SECONDS,
        on_clusters: Callable[[], None] = lambda: None,
        figures: Callable[[], ClusterFigures] | None = None,
        troubles: Callable[[], Sequence[Trouble]] | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Reads nothing before somebody follows.

        Args:
            engine: reads.
            tick_seconds: how long to rest between two looks.
            on_clusters: called when a cluster has reported, before figures are read and followers are told.
            figures: reads what the start page shows of clusters; without it nobody is told of that.
            troubles: reads what of clusters does not answer; without it nobody is told of that.
            now: the time by which a grant is in force.
        """
        self._engine = engine
        self._on_clusters = on_clusters
        self._figures = figures
        self._troubles = troubles
        self._now = now
        self._touched: set[UUID] = set()
        """Projects whose balance may have changed since it was read."""
        self._shown: ClusterFigures | None = None
        self._clusters: Marks = {}
        self._tick_seconds = tick_seconds
        self._followers: set[Follower] = set()
        self._starting = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self._sequence = 0
        self._marks_at = float("-inf")
        self.is_closed = False

    @property
    def follower_count(self) -> int:
        """How many streams are open."""
        return len(self._followers)

    @property
    def is_reading(self) -> bool:
        """Whether the table is being read; it is not while nobody follows."""
        return self._reader is not None

    async def close(self) -> None:
        """Stop reading and let all streams end."""
        self.is_closed = True
        for follower in self._followers:
            follower.wake()
        if self._reader:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    async def follow(
        self, topic: Topic, *, after: int | None = None, alive_seconds: float = 15
    ) -> AsyncIterator[Batch]:
        """Events of a topic in order, without gap or repeat, until the hub is closed.

        Args:
            topic: whose events.
            after: the sequence of the last event that is known; None starts with what happens from now on.
            alive_seconds: at the latest after so long an empty batch comes.
        """
        async with self.watch(topic) as follower:
            is_behind = after is not None
            last = self._sequence if after is None else after
            while not self.is_closed:
                if is_behind or follower.overflowed:
                    follower.overflowed = False
                    batch = await asyncio.to_thread(self._replay, topic, last)
                    is_behind = False
                else:
                    await follower.wait(alive_seconds)
                    arrived, marks = follower.take()
                    if follower.overflowed:
                        yield Batch((), last, marks=marks)
                        continue
                    events = [event for event in arrived if event.sequence > last]
                    batch = Batch(events, events[-1].sequence if events else last, marks=marks)
                last = batch.sequence
                yield batch

    @contextlib.asynccontextmanager
    async def watch(self, topic: Topic) -> AsyncIterator[Follower]:
        """For streams that tell of something else as well: what happens to the topic from now on."""
        follower = Follower(topic)
        self._followers.add(follower)
        if topic.balance_of:
            self._touched.add(topic.balance_of)
        try:
            await self._start()
            yield follower
        finally:
            self._followers.discard(follower)

    async def _start(self) -> None:
        """Make sure that the table is being read, from a position that no follower has passed yet."""
        async with self._starting:
            if self._reader is None:
                self._sequence = await asyncio.to_thread(self._newest)
                self._reader = asyncio.create_task(self._read(), name="event-hub")

    async def _read(self) -> None:
        failures = 0
        while self._followers and not self.is_closed:
            try:
                events = await asyncio.to_thread(self._events, true(), self._sequence, _BATCH)
                self._touched.update(event.project_id for event in events)
                marks = await self._due_marks()
            except SQLAlchemyError:
                failures += 1
                log.warning("event_hub.read_failed", failures=failures, exc_info=failures == 1)
                await asyncio.sleep(min(self._tick_seconds * 2**failures, 10))
                continue
            failures = 0
            for event in events:
                self._sequence = event.sequence
                for follower in self._followers:
                    follower.offer(event)
            if marks:
                self._tell(marks)
            await asyncio.sleep(0 if len(events) == _BATCH else self._tick_seconds)
        self._reader = None

    def _tell(self, marks: Marks) -> None:
        shared = [key for key in marks if key[0] not in _NAMED]
        for follower in self._followers:
            follower.see(marks, shared)

    async def _due_marks(self) -> Marks:
        """What somebody watches, read less often than events; {} when it is not yet time."""
        if time.monotonic() - self._marks_at < _MARKS_SECONDS:
            return {}
        self._marks_at = time.monotonic()
        touched, self._touched = self._touched, set()
        try:
            return await asyncio.to_thread(self._marks, touched)
        except SQLAlchemyError:
            self._touched |= touched
            raise

    def _marks(self, touched: set[UUID]) -> Marks:
        topics = [follower.topic for follower in list(self._followers)]
        watched = frozenset[Watched]().union(*(topic.watched for topic in topics))
        if not watched:
            return {}
        figures = self._figures if Watched.FIGURES in watched else None
        read = watched | {Watched.CLUSTERS} if figures else watched
        with self._engine.connect() as connection:
            marks = {**read_marks(connection, read, {topic.reader for topic in topics if topic.reader})}
            if projects := touched & {topic.balance_of for topic in topics}:
                marks |= read_left(connection, projects, at=self._now())
        if Watched.CLUSTERS in read:
            self._notice_clusters(marks)
        if self._troubles and Watched.TROUBLES in watched:
            marks[TROUBLES] = tuple(self._troubles())
        if figures:
            marks[FIGURES] = self._same_or(figures())
        return marks

    def _same_or(self, figures: ClusterFigures) -> ClusterFigures:
        """What was told before, itself, while it says the same: a thousand followers compare quickly."""
        if self._shown is None or figures != self._shown:
            self._shown = figures
        return self._shown

    def _notice_clusters(self, marks: Marks) -> None:
        clusters = {key: mark for key, mark in marks.items() if key[0] is Watched.CLUSTERS}
        if clusters != self._clusters:
            self._clusters = clusters
            self._on_clusters()

    def _newest(self) -> int:
        with self._engine.connect() as connection:
            return connection.execute(select(func.max(col(JobEvent.sequence)))).scalar() or 0

    def _replay(self, topic: Topic, after: int) -> Batch:
        events = self._events(topic.condition, after, _MOST_REPLAYED + 1)
        if len(events) > _MOST_REPLAYED:
            return Batch((), self._newest(), is_gap=True)
        return Batch(events, events[-1].sequence if events else after)

    def _events(self, condition: ColumnElement[bool], after: int, limit: int) -> list[HubEvent]:
        statement = (
            select(
                col(JobEvent.sequence),
                col(JobEvent.job_id),
                col(JobEvent.project_id),
                col(JobEvent.at),
                col(JobEvent.kind),
                col(JobEvent.facts),
            )
            .where(condition, col(JobEvent.sequence) > after)
            .order_by(col(JobEvent.sequence))
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [_encoded(row) for row in connection.execute(statement)]


def _encoded(row: Row[Any]) -> HubEvent:
    content = {
        "sequence": row.sequence,
        "job_id": str(row.job_id),
        "project_id": str(row.project_id),
        "at": row.at.isoformat().replace("+00:00", "Z"),
        "kind": row.kind,
        "facts": row.facts,
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return HubEvent(row.sequence, row.job_id, row.project_id, row.kind, text)
