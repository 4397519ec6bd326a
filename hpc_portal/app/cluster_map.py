"""The map of a cluster: which GPUs are free, one's own, one's projects', others', or not to be had.

Of others there is only that a GPU is busy. Pure; the runs that a reader may see come from cluster_runs.py.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from uuid import UUID

from schedulers.cluster import ClusterSnapshot, Node, NodeState


class Use(StrEnum):
    """What becomes of a GPU, or of a node that has none, as one reader may know it."""

    FREE = "free"
    MINE = "mine"
    PROJECT = "project"
    """By somebody else's job that the reader may see."""
    OTHERS = "others"
    """By a job that the reader may not see."""
    DRAINED = "drained"
    """Idle on a node that takes nothing new."""
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class VisibleRun:
    """A run under way that the reader may see, on one node."""

    job_id: UUID
    job_name: str
    is_mine: bool
    node: str
    gpu_indices: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By type, where the scheduler tells which."""
    gpus: Mapping[str, int] = field(default_factory=dict)
    """How many of each type, where it does not; "" is any type."""
    takes_all: bool = False
    """The whole node."""

    @property
    def use(self) -> Use:
        """What a GPU of it counts as."""
        return Use.MINE if self.is_mine else Use.PROJECT


@dataclass(frozen=True, slots=True)
class GpuGroup:
    """Neighbouring GPUs of a node of which the same is to be said."""

    type: str
    use: Use
    count: int
    job_id: UUID | None = None
    job_name: str = ""


@dataclass(frozen=True, slots=True)
class MappedNode:
    """One node of the map."""

    node: Node
    partitions: tuple[str, ...]
    use: Use
    """Of the node as a whole: one's own come first, then those that one may see."""
    groups: tuple[GpuGroup, ...]
    jobs: Mapping[UUID, str]
    """Jobs on it that the reader may see, by name."""

    def counts(self) -> Counter[Use]:
        """GPUs by what becomes of them."""
        found: Counter[Use] = Counter()
        for group in self.groups:
            found[group.use] += group.count
        return found


@dataclass(frozen=True, slots=True)
class MapFilter:
    """Which nodes are looked for; "" is all."""

    gpu: str = ""
    partition: str = ""
    use: Use | None = None
    text: str = ""
    """A part of the node's name."""

    @property
    def is_set(self) -> bool:
        """Whether anything is left out."""
        return bool(self.gpu or self.partition or self.use or self.text)

    def keeps(self, mapped: MappedNode) -> bool:
        """Whether this node is looked for."""
        uses = {mapped.use, *(group.use for group in mapped.groups)}
        return (
            (not self.gpu or self.gpu in mapped.node.gpus)
            and (not self.partition or self.partition in mapped.partitions)
            and (self.use is None or self.use in uses)
            and self.text.lower() in mapped.node.name.lower()
        )


def map_nodes(snapshot: ClusterSnapshot, runs: Iterable[VisibleRun]) -> list[MappedNode]:
    """Every node of the cluster, in the cluster's order."""
    by_node: dict[str, list[VisibleRun]] = {}
    for run in runs:
        by_node.setdefault(run.node, []).append(run)
    partitions: dict[str, list[str]] = {}
    for partition in snapshot.partitions:
        for name in partition.nodes:
            partitions.setdefault(name, []).append(partition.name)
    return [
        _map_node(node, tuple(partitions.get(node.name, ())), by_node.get(node.name, []))
        for node in snapshot.nodes
    ]


def _map_node(node: Node, partitions: tuple[str, ...], runs: Sequence[VisibleRun]) -> MappedNode:
    return MappedNode(
        node=node,
        partitions=partitions,
        use=_use_of(node, runs),
        groups=tuple(_groups(node, runs)),
        jobs={run.job_id: run.job_name for run in runs},
    )


def _use_of(node: Node, runs: Sequence[VisibleRun]) -> Use:
    if node.state is NodeState.DOWN:
        return Use.DOWN
    if runs:
        return min((run.use for run in runs), key=list(Use).index)
    if node.allocated_cpus or any(node.allocated_gpus.values()):
        return Use.OTHERS
    return Use.FREE if node.state is NodeState.UP else Use.DRAINED


def _groups(node: Node, runs: Sequence[VisibleRun]) -> Iterator[GpuGroup]:
    anywhere = {id(run): run.gpus.get("", 0) for run in runs}
    for gpu_type, count in sorted(node.gpus.items()):
        if node.state is NodeState.DOWN:
            yield GpuGroup(gpu_type, Use.DOWN, count)
            continue
        slots = _seat(gpu_type, count, runs, anywhere)
        busy = node.allocated_gpus.get(gpu_type, 0)
        others = max(0, busy - sum(slot is not None for slot in slots))
        idle = Use.FREE if node.state is NodeState.UP else Use.DRAINED
        said: list[tuple[Use, UUID | None, str]] = []
        for run in slots:
            if run is not None:
                said.append((run.use, run.job_id, run.job_name))
            elif others:
                said.append((Use.OTHERS, None, ""))
                others -= 1
            else:
                said.append((idle, None, ""))
        for (use, job_id, job_name), same in groupby(said):
            yield GpuGroup(gpu_type, use, len(list(same)), job_id, job_name)


def _seat(
    gpu_type: str, count: int, runs: Sequence[VisibleRun], anywhere: dict[int, int]
) -> list[VisibleRun | None]:
    """Which visible run has which GPU of a type; where only the number is told, the first that are left.

    Runs that take turns on the same GPU are told with the same index: the first of them is shown.
    """
    slots: list[VisibleRun | None] = [None] * count
    seated: set[int] = set()
    homeless: list[VisibleRun] = []
    for run in runs:
        for index in run.gpu_indices.get(gpu_type, ()):
            if index in seated:
                continue
            seated.add(index)
            if index < count and slots[index] is None:
                slots[index] = run
            else:
                homeless.append(run)
        homeless += [run] * (count if run.takes_all else run.gpus.get(gpu_type, 0))
    for run in runs:
        most = min(anywhere[id(run)], max(0, slots.count(None) - len(homeless)))
        anywhere[id(run)] -= most
        homeless += [run] * most
    for run in homeless[: slots.count(None)]:
        slots[slots.index(None)] = run
    return slots
