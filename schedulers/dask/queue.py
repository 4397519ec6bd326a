"""The waiting jobs in the order they may start, kept sorted as they come and go. Pure, in memory."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from schedulers import tres
from schedulers.jobspec import JobSpec
from schedulers.tres import Tres

Rank: TypeAlias = tuple[float, ...]
"""Smaller starts first."""

Group: TypeAlias = tuple[str, str, str]
"""(project, user, partition): what hits the same limits together, so that a cycle can skip it whole."""

LimitGroup: TypeAlias = tuple[str, str]
"""(level, name): who may hold only so much at once. See `limit_groups`."""


def limit_groups(*, organisation: str, project: str, user: str) -> tuple[LimitGroup, ...]:
    """Whose limits such a job meets: the person's (there and overall), the project's, the tenant's."""
    return (
        ("member", f"{project}/{user}"),
        ("user", user),
        ("project", project),
        ("organisation", organisation),
    )


@dataclass(frozen=True, slots=True)
class Demand:
    """What one task holds while it runs; equal demands are interchangeable in a planning cycle."""

    nodes: int
    cpus: int
    """On each node."""
    memory_mib: int
    """On each node."""
    gpus: tuple[tuple[str, int], ...]
    """On each node, by type; "" is any type and comes last."""
    licenses: tuple[tuple[str, int], ...]
    walltime_seconds: int
    is_exclusive: bool = False
    """Whole nodes: every CPU and GPU of them, whatever the numbers above; memory as above."""
    required_nodes: frozenset[str] = frozenset()
    excluded_nodes: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()

    @classmethod
    def of(cls, spec: JobSpec, *, walltime_seconds: int) -> "Demand":
        """The demand of a job whose walltime is known by now."""
        asked = spec.resources
        return cls(
            nodes=asked.nodes,
            cpus=asked.cpus_per_node,
            memory_mib=asked.memory_mib_per_node,
            gpus=tuple(sorted(asked.gpus_per_node.items(), reverse=True)),
            licenses=tuple(sorted(asked.licenses.items())),
            walltime_seconds=walltime_seconds,
            is_exclusive=spec.exclusive,
            required_nodes=frozenset(spec.nodelist),
            excluded_nodes=frozenset(spec.exclude_nodes),
            programs=frozenset(spec.programs),
        )

    def tres(self, gpu_types: Mapping[str, int] | None = None, cpus: int | None = None) -> dict[Tres, int]:
        """What it counts for on all its nodes together.

        Args:
            gpu_types: the GPUs it was given, by concrete type; None counts untyped ones as `gres/gpu` only.
            cpus: those it was given on all nodes together; None is what it asked for.
        """
        if gpu_types is None:
            gpu_types = {gpu_type: count * self.nodes for gpu_type, count in self.gpus}
        held = {
            tres.CPU: self.cpus * self.nodes if cpus is None else cpus,
            tres.MEM: self.memory_mib * self.nodes,
            tres.NODE: self.nodes,
        }
        if gpu_types:
            held[tres.GPU] = sum(gpu_types.values())
        held |= {tres.gpu_tres(gpu_type): count for gpu_type, count in gpu_types.items() if gpu_type}
        held |= {tres.license_tres(feature): count for feature, count in self.licenses}
        return held


@dataclass(slots=True, eq=False)
class Entry:
    """A job with tasks that wait. One entry however many tasks: they are counted, not listed."""

    job_id: str
    organisation: str
    project: str
    partition: str
    demand: Demand
    sequence: int
    """Grows with each submission."""
    user: str = ""
    """Whose job it is."""
    waiting: int = 1
    """Tasks that wait for a slot."""
    holding: int = 0
    """Slots that run its tasks now."""
    throttle: int | None = None
    priority: int = 0
    not_before: float = 0.0
    """Unix seconds; from the job's begin_at, and set after a start that did not go well."""
    rests_for: str = "BeginTime"
    """Why it waits until `not_before`, in the words of squeue(1)."""
    rank: Rank = field(default=(), repr=False)
    """Given by the queue when it was added."""

    @property
    def group(self) -> Group:
        """See `Group`."""
        return self.project, self.user, self.partition

    @property
    def limit_groups(self) -> tuple[LimitGroup, ...]:
        """Whose limits it meets."""
        return limit_groups(organisation=self.organisation, project=self.project, user=self.user)


Policy: TypeAlias = Callable[[Entry], Rank]
"""Who starts before whom: the seam for fair-share. The last element must tell any two entries apart."""


def priority_then_submission(entry: Entry) -> Rank:
    """Higher priority first, equals in the order they were submitted."""
    return (-entry.priority, entry.sequence)


class PendingQueue:
    """Entries by rank. Adding and removing cost O(log n) and a memory move; walking is lazy."""

    def __init__(self, policy: Policy = priority_then_submission) -> None:
        self._policy = policy
        self._groups: dict[Group, list[tuple[Rank, Entry]]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, entry: Entry) -> None:
        """Put an entry in its place; an entry that is already there stays."""
        if entry in self:
            return
        entry.rank = self._policy(entry)
        insort(self._groups.setdefault(entry.group, []), (entry.rank, entry), key=_rank)
        self._size += 1

    def remove(self, entry: Entry) -> None:
        """Take an entry out; one that is not there is not an error."""
        if entry in self:
            members = self._groups[entry.group]
            del members[bisect_left(members, entry.rank, key=_rank)]
            if not members:
                del self._groups[entry.group]
            self._size -= 1

    def __contains__(self, entry: Entry) -> bool:
        members = self._groups.get(entry.group, ())
        place = bisect_left(members, entry.rank, key=_rank) if entry.rank else len(members)
        return place < len(members) and members[place][1] is entry

    def __iter__(self) -> Iterator[Entry]:
        walk = Walk(self._groups)
        while entry := walk.next():
            yield entry

    def walk(self) -> "Walk":
        """A walk over all entries by rank; the queue must not change meanwhile."""
        return Walk(self._groups)


class Walk:
    """A lazy merge of the groups, any of which can be dropped on the way."""

    def __init__(self, groups: dict[Group, list[tuple[Rank, Entry]]]) -> None:
        self._heap = [(members[0][0], group, 0, members) for group, members in groups.items()]
        heapq.heapify(self._heap)
        self._dropped: set[Group] = set()
        self._dropped_partitions: set[str] = set()

    def next(self) -> Entry | None:
        """The next entry by rank whose group was not dropped."""
        while self._heap:
            _, group, place, members = self._heap[0]
            if group in self._dropped or group[2] in self._dropped_partitions:
                heapq.heappop(self._heap)
                continue
            if place + 1 < len(members):
                heapq.heapreplace(self._heap, (members[place + 1][0], group, place + 1, members))
            else:
                heapq.heappop(self._heap)
            return members[place][1]
        return None

    def drop_group(self, group: Group) -> None:
        """Pass over the rest of this person's jobs for this project in this partition."""
        self._dropped.add(group)

    def drop_partition(self, partition: str) -> None:
        """Pass over the rest of this partition."""
        self._dropped_partitions.add(partition)


def _rank(member: tuple[Rank, Entry]) -> Rank:
    return member[0]
