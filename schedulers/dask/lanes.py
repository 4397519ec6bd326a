"""How many tasks travel to a slot at once: learned from how long their like took. Pure.

A slot with one task at a time idles for a network round trip after each. So a slot whose tasks are known
to be short gets a lane of many, and the next lane before that one has drained. The price is that tasks
queue behind each other on a slot; so it is done for short ones only, and never while a job that comes
first in the queue waits for the slot to become free.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from schedulers.dask.book import Job, Run, TaskKey
from schedulers.dask.placement import NODE_NOT_AVAILABLE, PARTITION_DOWN, Plan
from schedulers.dask.pool import Slot
from schedulers.dask.queue import Demand, Entry, PendingQueue

LANE_SECONDS = 0.5
"""How long a lane should keep its slot busy."""
MOST_TASKS_PER_LANE = 64
LONG_SECONDS = 5.0
"""Nothing queues behind a task of this length, and its like get no lanes of many for a while."""
_CANNOT_RUN_NOW = {NODE_NOT_AVAILABLE, PARTITION_DOWN}
_MOST_FAMILIES = 10_000
"""The oldest is forgotten when there are more."""
_NUMBER = re.compile(r"\d+")
_MEMORY = 0.95
"""Weight of the past in the running mean, per ended task."""

Family: TypeAlias = tuple[str, str, str, str, str, Demand]
"""(organisation, project, cluster_user, partition, kind, demand): tasks that are alike, and may follow each
other in one slot. The kind is an array's own id, or the name of a single job without its numbers."""


def family_of(job: Job) -> Family:
    """The family that a job belongs to."""
    submission, entry = job.submission, job.entry
    is_array = submission.spec.array is not None
    return (
        submission.organisation,
        submission.project,
        submission.cluster_user,
        entry.partition,
        job.job_id if is_array else _NUMBER.sub("#", submission.spec.name),
        entry.demand,
    )


@dataclass(slots=True)
class Pace:
    """How long the tasks of one family took lately."""

    count: int = 0
    mean_seconds: float = 0.0
    slowest_seconds: float = 0.0

    def learn(self, elapsed_seconds: float) -> None:
        """One more task has ended."""
        weight = max(1 - _MEMORY, 1 / (self.count + 1))
        self.count += 1
        self.mean_seconds += weight * (elapsed_seconds - self.mean_seconds)
        self.slowest_seconds = max(elapsed_seconds, _MEMORY * self.slowest_seconds)

    @property
    def depth(self) -> int:
        """Tasks per lane: 1 until there is evidence, then more as it grows."""
        if not self.count or self.slowest_seconds > LONG_SECONDS:
            return 1
        by_time = int(LANE_SECONDS / max(self.mean_seconds, 1e-4))
        return max(1, min(by_time, 2 * self.count, MOST_TASKS_PER_LANE))


@dataclass(slots=True, eq=False)
class Work:
    """What one slot has to do."""

    slot: Slot
    family: Family
    entry: Entry
    """The job that the slot counts for."""
    runs: dict[tuple[str, int, int], Run] = field(default_factory=dict)
    """Runs sent there that have not ended, by (job_id, task_index, attempt), in the order they run."""
    is_slow: bool = False
    """Its task takes so long that nothing may queue behind it."""
    ordered: int = 0
    """Tasks on their way to become `runs`."""

    @property
    def outstanding(self) -> int:
        """How many tasks the slot still has to do."""
        return len(self.runs) + self.ordered


@dataclass(frozen=True, slots=True)
class Order:
    """A new lane: these tasks of this job, into this slot."""

    job: Job
    work: Work
    tasks: tuple[TaskKey, ...]


@dataclass(slots=True)
class Floor:
    """All slots that work, and the pace of every family."""

    works: dict[str, Work] = field(default_factory=dict)
    """By slot id."""
    paces: dict[Family, Pace] = field(default_factory=dict)
    _by_family: dict[Family, dict[str, Work]] = field(default_factory=dict)

    def open(self, work: Work) -> None:
        """A slot begins to work."""
        self.works[work.slot.slot_id] = work
        self._by_family.setdefault(work.family, {})[work.slot.slot_id] = work

    def close(self, work: Work) -> None:
        """A slot has no more to do."""
        self.works.pop(work.slot.slot_id, None)
        if members := self._by_family.get(work.family):
            members.pop(work.slot.slot_id, None)
            if not members:
                del self._by_family[work.family]

    def pace(self, family: Family) -> Pace:
        """The pace of a family; a fresh one when nothing is known yet."""
        if family not in self.paces and len(self.paces) >= _MOST_FAMILIES:
            del self.paces[next(iter(self.paces))]
        return self.paces.setdefault(family, Pace())

    def depth(self, family: Family) -> int:
        """Tasks per lane; jobs on several nodes go one by one, for their ranks must meet."""
        demand = family[-1]
        return 1 if demand.nodes > 1 else self.pace(family).depth

    def first_orders(self, plan: Plan, jobs: Mapping[str, Job]) -> list[Order]:
        """The first lane of each slot that the plan opened; the tasks that are left are shared evenly."""
        opened: dict[str, list[Slot]] = {}
        for start in plan.starts:
            opened.setdefault(start.entry.job_id, []).append(start.slot)
        orders: list[Order] = []
        for job_id, slots in opened.items():
            job = jobs[job_id]
            family = family_of(job)
            depth = self.depth(family)
            for place, slot in enumerate(slots):
                work = Work(slot, family, job.entry)
                self.open(work)
                slots_left = len(slots) - place
                fair = -(-(job.entry.waiting + slots_left) // max(slots_left, job.entry.holding))
                extra = min(depth, fair) - 1
                orders.append(self._order(job, work, 1 + extra, already_counted=1))
        return orders

    def spare_orders(
        self,
        queue: PendingQueue,
        plan: Plan,
        jobs: Mapping[str, Job],
        *,
        now: float,
        is_up: Callable[[Slot], bool],
    ) -> list[Order]:
        """Lanes for slots that will soon run dry, strictly in the order of the queue.

        The plan did not look at all that waits: what may not start yet must be seen here, too.
        """
        hungry = {
            family: [
                work
                for work in works.values()
                if not work.is_slow and work.outstanding <= self.depth(family) and is_up(work.slot)
            ]
            for family, works in self._by_family.items()
            if self.depth(family) > 1
        }
        orders: list[Order] = []
        walk = queue.walk()
        while any(hungry.values()) and (entry := walk.next()):
            reason = plan.reasons.get(entry.job_id, "")
            if reason in _CANNOT_RUN_NOW or entry.not_before > now:
                continue
            has_own_limit = reason.startswith(("Assoc", "JobArray"))
            job = jobs[entry.job_id]
            family = family_of(job)
            is_alone = has_own_limit or entry.throttle is not None
            while entry.waiting and (work := _pop_work(hungry.get(family, []), entry, is_alone=is_alone)):
                fair = -(-entry.waiting // max(1, len(self._by_family[family])))
                depth = min(self.depth(family), fair)
                orders.append(self._order(job, work, depth, already_counted=0))
            if entry.waiting and not has_own_limit:
                walk.drop_partition(entry.partition)
        return orders

    def _order(self, job: Job, work: Work, count: int, *, already_counted: int) -> Order:
        tasks = tuple(job.take_tasks(count))
        job.entry.waiting -= len(tasks) - already_counted
        work.ordered += len(tasks)
        return Order(job, work, tasks)


def _pop_work(hungry: list[Work], entry: Entry, *, is_alone: bool) -> Work | None:
    """The emptiest hungry slot; `is_alone` allows only slots that count for this very job."""
    fitting = [work for work in hungry if work.entry is entry or not is_alone]
    if not fitting:
        return None
    chosen = min(fitting, key=lambda work: work.outstanding)
    hungry.remove(chosen)
    return chosen
