"""The Dask backend: carries out what the foreman decides, between the store and the nodes."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from uuid import UUID

import structlog

from schedulers.cluster import ClusterSnapshot, License, LicenseSupply, Node, NodeState, Partition
from schedulers.dask import plugin
from schedulers.dask.change import change_job
from schedulers.dask.foreman import MOMENT_SECONDS, Foreman
from schedulers.dask.link import EmbeddedCluster, ExternalCluster, Link
from schedulers.dask.messages import NodeEvent, NodeHello
from schedulers.dask.outbox import Outbox
from schedulers.dask.placement import ConcurrentLimits
from schedulers.dask.pool import PoolNode
from schedulers.dask.queue import LimitGroup
from schedulers.dask.store import Placed, Placement, PlacementStore
from schedulers.dask.tasks import end_task
from schedulers.errors import SchedulerBroken, SchedulerUnavailable
from schedulers.jobstate import TaskSnapshot
from schedulers.protocol import (
    Accepted,
    ChangeOutcome,
    ChangeRequest,
    Feature,
    JobRef,
    Observation,
    RunKey,
    Submission,
    SubmitOutcome,
    Uncertain,
)

log = structlog.get_logger(__name__)

_TICK_SECONDS = 1.0
_LIMITS_SECONDS = 1.0
"""How long limits are taken from memory: so soon a changed one holds."""
_LIST_SECONDS = 30.0
"""How often a node is asked for all its runs although nothing seems wrong."""
_FIRST_HELLO_SECONDS = 30.0
_STORE_PAUSE_SECONDS = 1.0
_MEET_SECONDS = 2.0
"""How long whoever takes over waits for what the nodes have."""


@dataclass(slots=True)
class _Contact:
    """A node that was heard since this backend started."""

    hello: NodeHello
    outbox: Outbox
    listed_at: float
    """When it was last asked for all its runs, on the monotonic clock."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class DaskScheduler:
    """Implements `schedulers.protocol.Scheduler`. All its methods belong to one event loop.

    The queue lives here, in memory, and is rebuilt from the store: a job's scheduler_job_id is its own id.
    """

    def __init__(  # noqa: PLR0913 - the wiring names each of them
        self,
        name: str,
        target: EmbeddedCluster | ExternalCluster,
        store: PlacementStore,
        *,
        partitions: Sequence[Partition],
        licenses: Mapping[str, int] | None = None,
        node_fail_after_seconds: float = 120.0,
        grace_seconds: float = 30.0,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Nothing is connected before `start`.

        Args:
            name: the cluster's name.
            target: where Dask is.
            store: where placements are written ahead.
            partitions: their `nodes` are shell patterns of node names.
            licenses: how many of each feature the cluster has.
            node_fail_after_seconds: an external node that is silent for so long is lost, and its runs.
            grace_seconds: between SIGTERM and SIGKILL at a walltime.
            now: aware UTC.
        """
        self._name = name
        self._target = target
        self._store = store
        self._partitions = tuple(partitions)
        self._licenses = dict(licenses or {})
        self._node_fail_after = node_fail_after_seconds
        self._now = now
        self._foreman = Foreman(partitions, self._licenses, grace_seconds=grace_seconds)
        self._link = Link(target, on_event=self._hear, on_lost=self._suspend_all, on_back=self._meet_nodes)
        self._contacts: dict[str, _Contact] = {}
        self._heard_at: dict[str, float] = {}
        self._limits: Mapping[LimitGroup, ConcurrentLimits] = {}
        self._limits_read_at = float("-inf")
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._said_hello = asyncio.Event()
        self._is_ready = False
        self._failure: SchedulerBroken | None = None
        self._shown_version = 0
        self._tasks: list[asyncio.Task[None]] = []

    # The contract

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self._name

    @property
    def features(self) -> frozenset[Feature]:
        """It hears of changes, its nodes meter what runs use, and only the portal knows of it."""
        return frozenset({Feature.PUSHES_CHANGES, Feature.METERS_USAGE, Feature.OURS_ALONE})

    async def start(self) -> None:
        """Connect, take up the store's jobs, and learn from the nodes how their runs stand.

        Raises:
            SchedulerUnavailable: the Dask scheduler does not answer.
        """
        try:
            await self._link.open()
            self._foreman.restore(await self._store.load(), now=self._seconds())
            self._heard_at = dict.fromkeys(self._foreman.nodes_of_runs(), time.monotonic())
            self._is_ready = True
            await self._meet_nodes()
            await self._wait_for_own_node()
        except BaseException:
            await self.close()
            raise
        self._tasks = [asyncio.create_task(self._plan_forever()), asyncio.create_task(self._tick_forever())]
        self._wake.set()

    async def _wait_for_own_node(self) -> None:
        """Until the embedded node said what it offers; nobody knows how many external ones there will be."""
        if isinstance(self._target, ExternalCluster):
            return
        try:
            async with asyncio.timeout(_FIRST_HELLO_SECONDS):
                await self._said_hello.wait()
        except TimeoutError as error:
            message = "the embedded node does not answer: its supervisor did not start"
            raise SchedulerUnavailable(message) from error

    async def close(self) -> None:
        """Disconnect. Runs go on, and the next backend on the same store finds them."""
        self._is_ready = False
        for task in self._tasks:
            await end_task(task)
        self._tasks = []
        for contact in self._contacts.values():
            await contact.outbox.close()
        self._contacts = {}
        await self._link.close()

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        """Queue the jobs. They are durable in the portal's database, so this cannot be uncertain."""
        self._require_ready()
        with self._breaking():
            outcomes = [self._foreman.admit(submission) for submission in submissions]
            self._after_change()
        return outcomes

    async def find(self, users: Mapping[UUID, str]) -> Mapping[UUID, Accepted | Uncertain]:
        """Those that are queued or have runs; only the portal submits here, so that each is its user's."""
        self._require_ready()
        return {job_id: Accepted(str(job_id)) for job_id in users if str(job_id) in self._foreman.book.jobs}

    async def cancel(self, jobs: Collection[JobRef]) -> None:
        """What waits is dropped at once, what runs is told to end."""
        self._require_ready()
        with self._breaking():
            self._foreman.cancel([job.scheduler_job_id for job in jobs], now=self._seconds())
            self._after_change()

    async def change(self, requests: Sequence[ChangeRequest]) -> Sequence[ChangeOutcome]:
        """Change the queue at once; what runs is told by its nodes' outboxes."""
        self._require_ready()
        with self._breaking():
            outcomes = [change_job(self._foreman, request, now=self._seconds()) for request in requests]
            self._after_change()
        return outcomes

    async def observe(self, jobs: Mapping[UUID, JobRef], *, since: int | None = None) -> Observation:
        """From memory. After a restart, runs whose end the store has recorded already are left out."""
        self._require_ready()
        self._changed.clear()
        book = self._foreman.book
        return Observation(cursor=book.version, jobs=book.snapshots(jobs, since))

    async def forget(self, jobs: Collection[JobRef]) -> None:
        """Drop jobs that have ended, here and in their nodes' journals."""
        self._require_ready()
        with self._breaking():
            self._foreman.forget([job.scheduler_job_id for job in jobs])
            self._after_change()

    async def wait_for_change(self, timeout_seconds: float) -> bool:
        """True as soon as something changed after the last `observe`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def accounted(self, jobs: Collection[JobRef]) -> Mapping[RunKey, TaskSnapshot]:
        """The same as the snapshots carry."""
        self._require_ready()
        here = self._foreman.book.jobs
        known = [here[job.scheduler_job_id] for job in jobs if job.scheduler_job_id in here]
        return {
            (job.submission.job_id, run.task_index, run.attempt): run.snapshot()
            for job in known
            for run in job.log.values()
            if run.has_ended and run.ended_at is not None
        }

    async def cluster(self) -> ClusterSnapshot:
        """What the nodes said in their hellos, less what is held."""
        self._require_ready()
        pool = self._foreman.pool
        return ClusterSnapshot(
            name=self._name,
            as_of=self._now(),
            partitions=tuple(_expanded(partition, pool.nodes) for partition in self._partitions),
            nodes=tuple(_node(node) for node in sorted(pool.nodes.values(), key=lambda node: node.name)),
            licenses=tuple(
                License(feature, supply.total, supply.total - pool.free_licenses[feature], supply.outside)
                for feature, supply in sorted(pool.licenses.items())
            ),
        )

    # Planning

    async def _plan_forever(self) -> None:
        while self._failure is None:
            await self._wake.wait()
            self._wake.clear()
            if not self._link.is_connected:
                continue
            try:
                await self._read_limits()
            except Exception:  # whatever the store raised
                log.exception("dask.limits_failed")
                await asyncio.sleep(_STORE_PAUSE_SECONDS)
                self._wake.set()
                continue
            with suppress(SchedulerBroken), self._breaking():
                await self._plan_once()

    async def _read_limits(self) -> None:
        if time.monotonic() - self._limits_read_at >= _LIMITS_SECONDS:
            self._limits = await self._store.limits()
            known = await self._store.licenses()
            supplies = {name: LicenseSupply(total) for name, total in self._licenses.items()} | {**known}
            if supplies != self._foreman.pool.licenses:
                self._foreman.pool.supply(supplies)
            self._limits_read_at = time.monotonic()

    async def _plan_once(self) -> None:
        placed = self._foreman.draw_orders(self._limits, now=self._seconds())
        self._after_change(wake=False)
        if not placed:
            return
        wanted = [placement for item in placed for placement in item.placements]
        try:
            answer = await self._store.place(wanted)
        except Exception:  # whatever it was: what counts is what stands in the store now
            log.exception("dask.place_failed", runs=len(wanted))
            answer = await self._standing(wanted)
        self._foreman.confirm(placed, answer, now=self._seconds())
        if "" in answer.waiting.values():
            asyncio.get_running_loop().call_later(MOMENT_SECONDS, self._wake.set)
        self._after_change()

    async def _standing(self, wanted: Sequence[Placement]) -> Placed:
        """Which of these placements the store has after all, once it answers again."""
        while True:
            await asyncio.sleep(_STORE_PAUSE_SECONDS)
            try:
                stored = await self._store.load()
            except Exception:  # the same store, still out of reach
                log.exception("dask.load_failed")
                continue
            lanes = {
                (job.submission.job_id, run.task_index, run.attempt): run.placement.get("lane")
                for job in stored
                for run in job.runs
            }
            return Placed([p for p in wanted if lanes.get(p.key) == p.share.lane_id])

    # Nodes

    def _hear(self, event: NodeEvent) -> None:
        """A node's heartbeat, or what changed there."""
        if not self._is_ready:
            return
        with suppress(SchedulerBroken), self._breaking():
            self._heard_at[event.node] = time.monotonic()
            if event.hello:
                self._hear_hello(event.hello)
            for report in event.runs:
                self._foreman.hear_report(event.node, report)
            self._after_change()

    def _hear_hello(self, hello: NodeHello) -> None:
        contact = self._contacts.get(hello.node)
        if contact is None:
            node = hello.node
            outbox = Outbox(
                self._link.call,
                require_right=self._store.require_right,
                on_listed=self._hear_list,
                on_doubt=lambda: self._foreman.suspend_node(node),
            )
            contact = self._contacts[node] = _Contact(hello, outbox, float("-inf"))
        is_same = (
            contact.hello.supervisor_id == hello.supervisor_id
            and contact.hello.worker_address == hello.worker_address
            and self._foreman.is_up(hello.node)
        )
        contact.hello = hello
        if not is_same:
            self._ask_for_list(contact, is_in_doubt=True)
        self._foreman.hear_hello(hello)
        if contact.outbox.is_in_doubt:
            self._foreman.suspend_node(hello.node)
        self._said_hello.set()

    def _ask_for_list(self, contact: _Contact, *, is_in_doubt: bool) -> None:
        contact.listed_at = time.monotonic()
        contact.outbox.ask_for_list(contact.hello.worker_address, is_in_doubt=is_in_doubt)

    def _hear_list(self, event: NodeEvent) -> None:
        """A node told all that it has."""
        self._hear(event)
        contact = self._contacts.get(event.node)
        if contact is None or not self._is_ready:
            return
        with suppress(SchedulerBroken), self._breaking():
            self._foreman.reconcile(
                event.node,
                event.supervisor_id,
                {report.key for report in event.runs},
                contact.outbox.unsent_lanes,
                now=self._seconds(),
            )
            self._foreman.hear_hello(contact.hello)
            self._after_change()

    async def _meet_nodes(self) -> None:
        """Ask every worker for its runs; one that does not answer soon is asked when it says hello.

        Nobody waits for a node that is gone and that Dask still lists: all jobs would wait with it.
        """
        self._heard_at = dict.fromkeys(self._heard_at, time.monotonic())
        try:
            addresses = await self._link.workers()
        except SchedulerUnavailable:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_MEET_SECONDS):
                await asyncio.gather(*(self._meet(address) for address in addresses))

    async def _meet(self, address: str) -> None:
        try:
            self._hear_list(NodeEvent.from_json(await self._link.call(address, plugin.list_runs)))
        except SchedulerUnavailable as error:
            log.warning("node.no_answer", address=address, problem=str(error))

    def _suspend_all(self) -> None:
        """The Dask scheduler is gone: start nothing; nobody can tell a silent node from a dead one."""
        for node in self._contacts:
            self._foreman.suspend_node(node)
        self._after_change()

    async def _tick_forever(self) -> None:
        while self._failure is None:
            await asyncio.sleep(_TICK_SECONDS)
            with suppress(SchedulerBroken), self._breaking():
                if self._link.is_connected:
                    self._look_after_nodes()
                    self._foreman.recall_from_slow_slots(now=self._seconds())
                    self._after_change()
            self._wake.set()

    def _look_after_nodes(self) -> None:
        now = time.monotonic()
        for node, heard_at in list(self._heard_at.items()):
            is_silent = now - heard_at > self._node_fail_after
            if is_silent and isinstance(self._target, ExternalCluster):
                log.warning("node.lost", node=node, silent_seconds=round(now - heard_at))
                self._foreman.lose_node(node, now=self._seconds())
                del self._heard_at[node]
                self._after_change()
        for contact in self._contacts.values():
            if now - contact.listed_at > _LIST_SECONDS and contact.hello.node in self._heard_at:
                self._ask_for_list(contact, is_in_doubt=False)

    # Inside

    def _seconds(self) -> float:
        return self._now().timestamp()

    def _require_ready(self) -> None:
        if self._failure is not None:
            raise self._failure
        if not self._is_ready:
            message = f"{self._name} is not started"
            raise SchedulerUnavailable(message)

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """A mistake of ours may leave a job neither waiting nor running: it ends this backend."""
        try:
            yield
        except Exception as problem:
            log.exception("dask.broken")
            self._failure = SchedulerBroken(f"{self._name} may have forgotten a job: {problem!r}")
            self._is_ready = False
            self._changed.set()
            raise self._failure from problem

    def _after_change(self, *, wake: bool = True) -> None:
        """Deliver what the foreman wants to tell, and wake whoever waits for news."""
        for node, parcel in self._foreman.take_parcels().items():
            if contact := self._contacts.get(node):
                contact.outbox.put(parcel)
        if self._foreman.book.version != self._shown_version:
            self._shown_version = self._foreman.book.version
            self._changed.set()
        if wake:
            self._wake.set()


def _expanded(partition: Partition, nodes: Collection[str]) -> Partition:
    """The partition with the names of the nodes that its patterns match."""
    names = sorted(name for name in nodes if any(fnmatchcase(name, text) for text in partition.nodes))
    return Partition(
        name=partition.name,
        nodes=tuple(names),
        max_walltime_seconds=partition.max_walltime_seconds,
        default_walltime_seconds=partition.default_walltime_seconds,
        max_nodes_per_job=partition.max_nodes_per_job,
        is_default=partition.is_default,
    )


def _node(node: PoolNode) -> Node:
    totals = {gpu_type: len(indices) for gpu_type, indices in node.gpus.items()}
    held = {gpu_type: total - node.free.gpus[gpu_type] for gpu_type, total in totals.items()}
    return Node(
        name=node.name,
        state=node.state,
        cpus=node.cpus,
        memory_mib=node.memory_mib,
        gpus=totals,
        allocated_cpus=node.cpus - node.free.cpus,
        allocated_memory_mib=node.memory_mib - node.free.memory_mib,
        allocated_gpus={gpu_type: count for gpu_type, count in held.items() if count},
        reason="Not responding" if node.state is NodeState.DOWN else "",
        missing_programs=node.missing_programs,
    )
