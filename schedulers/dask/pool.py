"""What the cluster has, who holds it, and what is free: nodes, GPUs by index, licences, projects. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from schedulers import tres
from schedulers.cluster import LicenseSupply, NodeState, Partition
from schedulers.dask.queue import Demand, LimitGroup, limit_groups
from schedulers.tres import Tres, license_tres


@dataclass(slots=True)
class Room:
    """Free CPUs, memory and GPU counts of one node, now or at some later instant."""

    cpus: int
    memory_mib: int
    gpus: dict[str, int]

    def fit(self, demand: Demand, allowed: Mapping[str, int] | None = None) -> dict[str, int] | None:
        """The GPUs by concrete type that the demand would get here; None when it does not fit.

        Args:
            demand: of one node.
            allowed: at most so many GPUs of these types; types not named are free.
        """
        if demand.cpus > self.cpus or demand.memory_mib > self.memory_mib:
            return None
        if not demand.gpus:
            return {}
        free = self.gpus
        if allowed:
            free = {name: min(count, allowed.get(name, count)) for name, count in free.items()}
        return choose_gpu_types(free, demand.gpus)

    def take(
        self, demand: Demand, gpus: Mapping[str, int], *, cpus: int | None = None, sign: int = 1
    ) -> None:
        """Hold a share; with sign -1, give it back. `cpus` are those given where they are not those asked."""
        self.cpus -= sign * (demand.cpus if cpus is None else cpus)
        self.memory_mib -= sign * demand.memory_mib
        for gpu_type, count in gpus.items():
            self.gpus[gpu_type] = self.gpus.get(gpu_type, 0) - sign * count

    def copy(self) -> "Room":
        """An independent copy."""
        return Room(self.cpus, self.memory_mib, dict(self.gpus))


def choose_gpu_types(free: Mapping[str, int], asked: Iterable[tuple[str, int]]) -> dict[str, int] | None:
    """Concrete types for a request; "any" takes what is most plentiful. None when there are too few."""
    chosen: dict[str, int] = {}
    for gpu_type, count in asked:
        if gpu_type:
            if free.get(gpu_type, 0) < count:
                return None
            chosen[gpu_type] = count
            continue
        missing = count
        left = {name: amount - chosen.get(name, 0) for name, amount in free.items()}
        for name in sorted(left, key=lambda name: (-left[name], name)):
            share = min(missing, max(0, left[name]))
            if share:
                chosen[name] = chosen.get(name, 0) + share
                missing -= share
        if missing:
            return None
    return chosen


@dataclass(slots=True)
class PoolNode:
    """One node: its size and what of it is free."""

    name: str
    cpus: int
    memory_mib: int
    gpus: Mapping[str, tuple[int, ...]]
    """All indices by type."""
    state: NodeState = NodeState.UP
    is_shared: bool = True
    """Whether jobs of several organisations may be here. When not, the first one keeps the node."""
    organisation: str | None = None
    """Who has a node that is not shared."""
    missing_programs: frozenset[str] = frozenset()
    free: Room = field(default_factory=lambda: Room(0, 0, {}))
    free_gpus: dict[str, list[int]] = field(default_factory=dict)
    """Free indices by type, rising."""

    @property
    def whole(self) -> Room:
        """All that it has."""
        return Room(self.cpus, self.memory_mib, {name: len(ids) for name, ids in self.gpus.items()})

    def fit(
        self, room: Room, demand: Demand, allowed: Mapping[str, int] | None = None
    ) -> dict[str, int] | None:
        """The GPUs by concrete type that the demand would get in a room of this node; None when it may not.

        An exclusive one gets every GPU, and needs all of the node's CPUs and GPUs.
        """
        if self.name in demand.excluded_nodes or not self.missing_programs.isdisjoint(demand.programs):
            return None
        gpus = room.fit(demand, allowed)
        if gpus is None or not demand.is_exclusive:
            return gpus
        whole = {name: count for name, count in self.whole.gpus.items() if count}
        is_idle = room.cpus >= self.cpus and all(room.gpus.get(name, 0) >= n for name, n in whole.items())
        return whole if is_idle else None

    def cpus_for(self, demand: Demand) -> int:
        """The CPUs that the demand would hold here."""
        return self.cpus if demand.is_exclusive else demand.cpus

    def takes(self, organisation: str) -> bool:
        """Whether new jobs of this organisation may start here."""
        return self.state is NodeState.UP and (self.is_shared or self.organisation in {None, organisation})


@dataclass(slots=True, eq=False)
class Slot:
    """A share of one or several nodes that one task at a time runs in."""

    slot_id: str
    organisation: str
    project: str
    demand: Demand
    gpus: Mapping[str, Mapping[str, tuple[int, ...]]]
    """Held indices by node and type; its keys are the nodes, by rank."""
    ends_at: float
    """Unix seconds when it will be free at the latest, as far as walltimes tell."""
    user: str = ""
    """Whose tasks it runs."""
    whole_cpus: Mapping[str, int] = field(default_factory=dict)
    """CPUs by node where it holds whole nodes; {} where it holds what was asked for."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """By rank."""
        return tuple(self.gpus)

    @property
    def tres(self) -> dict[Tres, int]:
        """What it holds, with the concrete types of an untyped GPU request."""
        return self.demand.tres(self.gpu_types, sum(self.whole_cpus.values()) or None)

    @property
    def gpu_types(self) -> dict[str, int]:
        """How many GPUs of each type on all its nodes."""
        return tres.add(
            *({name: len(indices) for name, indices in held.items()} for held in self.gpus.values())
        )


@dataclass(slots=True)
class Holding:
    """What one organisation, project or person holds now."""

    tasks: int = 0
    tres: dict[Tres, int] = field(default_factory=dict)


class Pool:
    """The one place that accounts for what is held; every change goes through `take` and `release`."""

    def __init__(self, partitions: Iterable[Partition], licenses: Mapping[str, int]) -> None:
        self.partitions = {partition.name: partition for partition in partitions}
        self.nodes: dict[str, PoolNode] = {}
        self.slots: dict[str, Slot] = {}
        self.licenses: dict[str, LicenseSupply] = {}
        self.free_licenses: dict[str, int] = {}
        self.holdings: dict[LimitGroup, Holding] = {}
        self._members: dict[str, list[PoolNode]] = {}
        self._capable: dict[tuple[str, Demand], bool] = {}
        self.supply({feature: LicenseSupply(total) for feature, total in licenses.items()})

    def supply(self, licenses: Mapping[str, LicenseSupply]) -> None:
        """From now on there are so many licences; below 0 are free while more are held than there are."""
        self.licenses = dict(licenses)
        self.free_licenses = {name: found.total - found.outside for name, found in licenses.items()}
        for slot in self.slots.values():
            for feature, count in slot.demand.licenses:
                self.free_licenses[feature] = self.free_licenses.get(feature, 0) - count

    def kept_for_others(self, feature: str, project: str) -> int:
        """Licences that are free, but kept for projects other than this one that do not hold theirs yet."""
        supply = self.licenses.get(feature)
        if supply is None:
            return 0
        name = license_tres(feature)
        return sum(
            max(0, count - self.holdings.get(("project", owner), Holding()).tres.get(name, 0))
            for owner, count in supply.kept.items()
            if owner != project
        )

    def put_node(self, node: PoolNode) -> None:
        """Add a node or replace what is known of it; what slots hold there stays held."""
        node.free = node.whole
        node.free_gpus = {name: sorted(indices) for name, indices in node.gpus.items()}
        self.nodes[node.name] = node
        for slot in self.slots.values():
            if node.name in slot.gpus:
                self._hold(node, slot)
        self._forget_sizes()

    def set_state(self, name: str, state: NodeState) -> None:
        """The node went up, down or drains."""
        if self.nodes[name].state is not state:
            self.nodes[name].state = state
            self._forget_sizes()

    def is_up(self, slot: Slot) -> bool:
        """Whether all its nodes take new tasks."""
        known = (self.nodes.get(name) for name in slot.gpus)
        return all(node is not None and node.state is NodeState.UP for node in known)

    def members(self, partition: str) -> list[PoolNode]:
        """The partition's nodes; those with fewer GPUs first, so that CPU jobs spare the GPU nodes."""
        if partition not in self._members:
            patterns = self.partitions[partition].nodes if partition in self.partitions else ()
            self._members[partition] = sorted(
                (n for n in self.nodes.values() if any(fnmatchcase(n.name, text) for text in patterns)),
                key=lambda node: (sum(map(len, node.gpus.values())), node.name),
            )
        return self._members[partition]

    def is_capable(self, partition: str, demand: Demand) -> bool:
        """Whether the nodes that are up could run it if nothing else ran."""
        key = partition, demand
        if key not in self._capable:
            fitting = {
                node.name
                for node in self.members(partition)
                if node.state is NodeState.UP and node.fit(node.whole, demand) is not None
            }
            self._capable[key] = len(fitting) >= demand.nodes and demand.required_nodes <= fitting
        return self._capable[key]

    def take(self, slot: Slot) -> None:
        """Hold the slot's share. Also for a node not heard of yet: it is held once the node comes."""
        self.slots[slot.slot_id] = slot
        for name in slot.gpus:
            if node := self.nodes.get(name):
                self._hold(node, slot)
        self._count(slot, sign=1)

    def release(self, slot_id: str) -> None:
        """Give the slot's share back; an unknown slot is not an error."""
        slot = self.slots.pop(slot_id, None)
        if slot is None:
            return
        for name, gpus in slot.gpus.items():
            node = self.nodes.get(name)
            if node is None:
                continue
            given_back = {
                gpu_type: [index for index in indices if index in node.gpus.get(gpu_type, ())]
                for gpu_type, indices in gpus.items()
            }
            counts = {gpu_type: len(indices) for gpu_type, indices in given_back.items()}
            node.free.take(slot.demand, counts, cpus=slot.whole_cpus.get(name), sign=-1)
            for gpu_type, indices in given_back.items():
                node.free_gpus[gpu_type] = sorted([*node.free_gpus.get(gpu_type, ()), *indices])
        self._count(slot, sign=-1)

    def new_slot(  # noqa: PLR0913 - a slot is all of this, and there is no smaller word for it
        self,
        slot_id: str,
        *,
        organisation: str,
        project: str,
        user: str,
        demand: Demand,
        gpu_types: Mapping[str, Mapping[str, int]],
        ends_at: float,
    ) -> Slot:
        """Make and take a slot on these nodes, with the lowest free GPU indices of the chosen types."""
        slot = Slot(
            slot_id=slot_id,
            organisation=organisation,
            project=project,
            user=user,
            demand=demand,
            gpus={
                name: {
                    gpu_type: tuple(self.nodes[name].free_gpus[gpu_type][:count])
                    for gpu_type, count in chosen.items()
                }
                for name, chosen in gpu_types.items()
            },
            ends_at=ends_at,
            whole_cpus={name: self.nodes[name].cpus for name in gpu_types} if demand.is_exclusive else {},
        )
        self.take(slot)
        return slot

    def _hold(self, node: PoolNode, slot: Slot) -> None:
        gpus = slot.gpus[node.name]
        present = {
            gpu_type: sum(index in node.gpus.get(gpu_type, ()) for index in indices)
            for gpu_type, indices in gpus.items()
        }
        node.free.take(slot.demand, present, cpus=slot.whole_cpus.get(node.name))
        for gpu_type, indices in gpus.items():
            free = node.free_gpus.get(gpu_type, [])
            node.free_gpus[gpu_type] = [index for index in free if index not in indices]
        if not node.is_shared:
            node.organisation = slot.organisation

    def _count(self, slot: Slot, *, sign: int) -> None:
        for feature, count in slot.demand.licenses:
            self.free_licenses[feature] = self.free_licenses.get(feature, 0) - sign * count
        held = slot.tres
        for group in limit_groups(organisation=slot.organisation, project=slot.project, user=slot.user):
            holding = self.holdings.setdefault(group, Holding())
            holding.tasks += sign
            for name, amount in held.items():
                holding.tres[name] = holding.tres.get(name, 0) + sign * amount
            if not holding.tasks:
                del self.holdings[group]

    def _forget_sizes(self) -> None:
        self._members.clear()
        self._capable.clear()
