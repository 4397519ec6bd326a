"""What starts where: queue, nodes, licences and limits in; starts and pending reasons out. Pure.

The order is the queue's. Whoever does not fit is passed over, but the first of each partition that waits
for resources gets a *reservation*: the earliest instant (by the walltimes of what runs) at which it
could start, and the nodes where. Those behind it start only if they end before that instant or take what
it does not need. This is EASY backfill: Lifka, "The ANL/IBM SP scheduling system" (1995).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from schedulers import tres
from schedulers.cluster import NodeState
from schedulers.dask.pool import Holding, Pool, PoolNode, Room, Slot
from schedulers.dask.queue import Demand, Entry, Group, LimitGroup, PendingQueue
from schedulers.tres import Tres

BACKFILL_DEPTH = 1000
"""How many waiting jobs one cycle looks at (Slurm's bf_max_job_test)."""
_LIMITED_JOBS_PER_GROUP = 50
"""So many jobs of one person and project that hit limits, and their other ones are not looked at."""

BEGIN_TIME = "BeginTime"
BUDGET = "AssocGrpBillingMinutes"
JOBS_LIMIT = "AssocGrpJobsLimit"
RESOURCES = "Resources"
LICENSES = "Licenses"
LICENSES_KEPT = "LicensesReserved"
PRIORITY = "Priority"
JOB_ARRAY_TASK_LIMIT = "JobArrayTaskLimit"
PARTITION_DOWN = "PartitionDown"
NODE_NOT_AVAILABLE = "ReqNodeNotAvail"
HELD_BY_USER = "JobHeldUser"
HELD_BY_ADMINISTRATOR = "JobHeldAdmin"
"""Reasons in the words of squeue(1)."""

_LIMIT_REASONS = {tres.CPU: "AssocGrpCpuLimit", tres.MEM: "AssocGrpMemLimit", tres.NODE: "AssocGrpNodeLimit"}


@dataclass(frozen=True, slots=True)
class ConcurrentLimits:
    """What one organisation, project or person may hold at once (GrpJobs and GrpTRES in Slurm)."""

    max_running_tasks: int | None = None
    max_tres: Mapping[Tres, int] = field(default_factory=dict)
    """By resource; an untyped GPU request counts under the type it was given, too."""


@dataclass(frozen=True, slots=True)
class Start:
    """One task of a job may start in this slot, which the pool already holds."""

    entry: Entry
    slot: Slot


@dataclass(slots=True)
class Plan:
    """The outcome of one cycle."""

    starts: list[Start] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    """Why it waits, by job id, for those that were looked at; all others wait for `Priority`."""


@dataclass(slots=True)
class _Reservation:
    """What the first waiting job of a partition will need, and when."""

    at: float
    spare: dict[str, Room]
    """By node that it will use: what is left beside it at that instant."""
    spare_licenses: dict[str, int]


def plan(  # noqa: PLR0913 - what a plan depends on is this much
    queue: PendingQueue,
    pool: Pool,
    *,
    now: float,
    new_slot_id: Callable[[], str],
    limits: Mapping[LimitGroup, ConcurrentLimits] | None = None,
    depth: int = BACKFILL_DEPTH,
) -> Plan:
    """One planning cycle. What it starts is taken from the pool, the entries' counts and the queue.

    Args:
        queue: who waits.
        pool: what is free; it must hold every running slot.
        now: Unix seconds.
        new_slot_id: names the slots it makes.
        limits: by whom they limit, see `limit_groups`; whoever is missing has none.
        depth: how many entries that cannot start are looked at.
    """
    cycle = _Cycle(pool, now, new_slot_id, limits or {})
    exhausted: list[Entry] = []
    limited: dict[Group, int] = {}
    walk = queue.walk()
    while len(cycle.plan.reasons) < depth and (entry := walk.next()):
        reason = cycle.start_all_that_fit(entry)
        if not reason:
            exhausted.append(entry)
            continue
        cycle.plan.reasons[entry.job_id] = reason
        if reason == PARTITION_DOWN:
            walk.drop_partition(entry.partition)
        elif reason.startswith("Assoc"):
            limited[entry.group] = limited.get(entry.group, 0) + 1
            if reason == JOBS_LIMIT or limited[entry.group] >= _LIMITED_JOBS_PER_GROUP:
                walk.drop_group(entry.group)
        if not cycle.candidates(entry.partition):
            walk.drop_partition(entry.partition)
    for entry in exhausted:
        queue.remove(entry)
    return cycle.plan


class _Cycle:
    """One cycle's scratch: what is free only shrinks, so what failed once need not be tried again."""

    def __init__(
        self,
        pool: Pool,
        now: float,
        new_slot_id: Callable[[], str],
        limits: Mapping[LimitGroup, ConcurrentLimits],
    ) -> None:
        self.plan = Plan()
        self._pool = pool
        self._now = now
        self._new_slot_id = new_slot_id
        self._limits = limits
        self._candidates: dict[str, list[PoolNode]] = {}
        self._failed: dict[tuple[str, str, Demand], str] = {}
        self._reservations: dict[str, _Reservation | None] = {}

    def candidates(self, partition: str) -> list[PoolNode]:
        """Nodes of the partition with a CPU free, in the order they are tried."""
        if partition not in self._candidates:
            self._candidates[partition] = [
                node
                for node in self._pool.members(partition)
                if node.state is NodeState.UP and node.free.cpus > 0
            ]
        return self._candidates[partition]

    def start_all_that_fit(self, entry: Entry) -> str:
        """Start tasks until none waits (""), or the reason why the next one has to wait."""
        reason = ""
        while entry.waiting and not reason:
            reason = self._own_reason(entry) or self._start_one(entry)
        if reason not in {RESOURCES, LICENSES}:
            return reason
        if entry.partition not in self._reservations:
            has_room = bool(self.candidates(entry.partition))
            self._reservations[entry.partition] = self._reserve(entry) if has_room else None
            return reason
        return PRIORITY if reason == RESOURCES else reason

    def _own_reason(self, entry: Entry) -> str:
        """A reason that lies in the job or in whose it is: others need not wait for it."""
        if entry.not_before > self._now:
            return entry.rests_for
        if entry.throttle is not None and entry.holding >= entry.throttle:
            return JOB_ARRAY_TASK_LIMIT
        for limits, holding in self._limits_of(entry):
            if limits.max_running_tasks is not None and holding.tasks >= limits.max_running_tasks:
                return JOBS_LIMIT
        if any(
            self._pool.free_licenses.get(feature, 0) - self._pool.kept_for_others(feature, entry.project)
            < count
            <= self._pool.free_licenses.get(feature, 0)
            for feature, count in entry.demand.licenses
        ):
            return LICENSES_KEPT
        return self._over_limit(entry, entry.demand.tres()) if self._limits else ""

    def _limits_of(self, entry: Entry) -> Iterator[tuple[ConcurrentLimits, Holding]]:
        """The limits that the job meets, each with what they limit holds now."""
        if not self._limits:
            return
        for group in entry.limit_groups:
            if limits := self._limits.get(group):
                yield limits, self._pool.holdings.get(group, Holding())

    def _over_limit(self, entry: Entry, wanted: Mapping[Tres, int]) -> str:
        for limits, holding in self._limits_of(entry):
            for name, limit in limits.max_tres.items():
                if wanted.get(name, 0) and holding.tres.get(name, 0) + wanted[name] > limit:
                    return _limit_reason(name)
        return ""

    def _start_one(self, entry: Entry) -> str:
        allowed = self._allowed_gpu_types(entry)
        key = entry.partition, entry.organisation, entry.demand
        if not allowed and key in self._failed:
            return self._failed[key]
        reason = self._place(entry, allowed)
        if reason and not allowed and not reason.startswith("Assoc"):
            self._failed[key] = reason
        return reason

    def _place(self, entry: Entry, allowed: Mapping[str, int]) -> str:
        demand = entry.demand
        if not self._pool.is_capable(entry.partition, demand):
            is_up = any(node.state is NodeState.UP for node in self._pool.members(entry.partition))
            return NODE_NOT_AVAILABLE if is_up else PARTITION_DOWN
        ends_at = self._now + demand.walltime_seconds
        outlasted = [r for r in self._reservations.values() if r and ends_at > r.at]
        if self._lacks_license(demand, outlasted):
            return LICENSES
        chosen = self._choose_nodes(entry, dict(allowed), outlasted)
        if chosen is None:
            return (
                RESOURCES if not allowed or self._choose_nodes(entry, {}, outlasted) is None else _GPU_LIMIT
            )
        if demand.is_exclusive and (reason := self._over_limit(entry, self._whole_tres(demand, chosen))):
            return reason
        slot = self._pool.new_slot(
            self._new_slot_id(),
            organisation=entry.organisation,
            project=entry.project,
            user=entry.user,
            demand=demand,
            gpu_types=chosen,
            ends_at=ends_at,
        )
        for reservation in outlasted:
            for name, gpus in chosen.items():
                if name in reservation.spare:
                    cpus = self._pool.nodes[name].cpus_for(demand)
                    reservation.spare[name].take(demand, gpus, cpus=cpus)
            for feature, count in demand.licenses:
                reservation.spare_licenses[feature] -= count
        if any(self._pool.nodes[name].free.cpus <= 0 for name in chosen):
            del self._candidates[entry.partition]
        entry.waiting -= 1
        entry.holding += 1
        self.plan.starts.append(Start(entry, slot))
        return ""

    def _choose_nodes(
        self, entry: Entry, allowed: dict[str, int], outlasted: Sequence[_Reservation]
    ) -> dict[str, dict[str, int]] | None:
        """GPUs by type for each of as many nodes as the job needs; None when there are too few."""
        chosen: dict[str, dict[str, int]] = {}
        missing = set(entry.demand.required_nodes)
        for node in self.candidates(entry.partition):
            is_open = node.name in missing or len(chosen) + len(missing) < entry.demand.nodes
            if not is_open or not node.takes(entry.organisation):
                continue
            room = _common_room(node, outlasted)
            gpus = node.fit(room, entry.demand, allowed)
            if gpus is None:
                continue
            chosen[node.name] = gpus
            missing.discard(node.name)
            for gpu_type in allowed:
                allowed[gpu_type] -= gpus.get(gpu_type, 0)
            if len(chosen) == entry.demand.nodes:
                return chosen
        return None

    def _lacks_license(self, demand: Demand, outlasted: Sequence[_Reservation]) -> bool:
        supplies = [self._pool.free_licenses, *(reservation.spare_licenses for reservation in outlasted)]
        return any(
            supply.get(feature, 0) < count for feature, count in demand.licenses for supply in supplies
        )

    def _whole_tres(self, demand: Demand, chosen: Mapping[str, Mapping[str, int]]) -> dict[Tres, int]:
        """What an exclusive job would hold on these nodes, which is more than it asked for."""
        cpus = sum(self._pool.nodes[name].cpus for name in chosen)
        return demand.tres(tres.add(*chosen.values()), cpus)

    def _allowed_gpu_types(self, entry: Entry) -> dict[str, int]:
        """How many more GPUs of each limited type the job may get, when "any type" is asked for."""
        if not self._limits or not any(gpu_type == "" for gpu_type, _ in entry.demand.gpus):
            return {}
        prefix = tres.gpu_tres("x")[:-1]
        allowed: dict[str, int] = {}
        for limits, holding in self._limits_of(entry):
            for name, limit in limits.max_tres.items():
                if name.startswith(prefix):
                    gpu_type = name.removeprefix(prefix)
                    left = max(0, limit - holding.tres.get(name, 0))
                    allowed[gpu_type] = min(left, allowed.get(gpu_type, left))
        return allowed

    def _reserve(self, entry: Entry) -> _Reservation | None:
        """When and where the job can start at the latest, if everything runs to its walltime."""
        pool, demand = self._pool, entry.demand
        rooms = {n.name: n.free.copy() for n in pool.members(entry.partition) if n.takes(entry.organisation)}
        licenses = dict(pool.free_licenses)
        fitting = {name for name, room in rooms.items() if pool.nodes[name].fit(room, demand) is not None}
        ending = sorted(pool.slots.values(), key=lambda slot: slot.ends_at)
        for place, slot in enumerate(ending):
            for name, gpus in slot.gpus.items():
                if room := rooms.get(name):
                    counts = {gpu_type: len(indices) for gpu_type, indices in gpus.items()}
                    room.take(slot.demand, counts, cpus=slot.whole_cpus.get(name), sign=-1)
                    if pool.nodes[name].fit(room, demand) is not None:
                        fitting.add(name)
            for feature, count in slot.demand.licenses:
                licenses[feature] = licenses.get(feature, 0) + count
            at = max(slot.ends_at, self._now)
            if place + 1 < len(ending) and ending[place + 1].ends_at <= at:
                continue
            has_nodes = len(fitting) >= demand.nodes and demand.required_nodes <= fitting
            if has_nodes and all(licenses.get(f, 0) >= n for f, n in demand.licenses):
                return self._reservation(at, demand, rooms, fitting, licenses)
        return None

    def _reservation(
        self,
        at: float,
        demand: Demand,
        rooms: dict[str, Room],
        fitting: set[str],
        licenses: dict[str, int],
    ) -> _Reservation:
        """Reserve the nodes that are busiest now, so that the idle ones stay free for the others."""
        nodes = self._pool.nodes
        required = demand.required_nodes
        by_use = sorted(fitting, key=lambda name: (name not in required, nodes[name].free.cpus, name))
        spare = {name: rooms[name] for name in by_use[: demand.nodes]}
        for name, room in spare.items():
            gpus = nodes[name].fit(room, demand) or {}
            room.take(demand, gpus, cpus=nodes[name].cpus_for(demand))
        for feature, count in demand.licenses:
            licenses[feature] -= count
        return _Reservation(at, spare, licenses)


_GPU_LIMIT = "AssocGrpGRES"


def _limit_reason(name: Tres) -> str:
    if name.startswith(tres.GPU):
        return _GPU_LIMIT
    return _LIMIT_REASONS.get(name, "AssocGrpLicense")


def _common_room(node: PoolNode, reservations: Sequence[_Reservation]) -> Room:
    """What is free on the node now and stays spare beside every reservation."""
    room = node.free
    for reservation in reservations:
        if spare := reservation.spare.get(node.name):
            room = Room(
                min(room.cpus, spare.cpus),
                min(room.memory_mib, spare.memory_mib),
                {name: min(count, spare.gpus.get(name, 0)) for name, count in room.gpus.items()},
            )
    return room
