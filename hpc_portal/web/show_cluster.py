"""A cluster in the words of its page: what each node has, what is free, how old the knowledge is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hpc_portal.app.clusters import GpuCount, SeenCluster
from hpc_portal.app.jobs.choose_cluster import SEPARATOR
from hpc_portal.app.tables import ClusterPart
from hpc_portal.web.language import Language
from hpc_portal.web.words import NODE_STATES, Word
from schedulers.cluster import License, Node, NodeState, Partition, Reservation
from workloads.template import N_

_MOST_NODES_OPEN = 12


@dataclass(frozen=True, slots=True)
class Meter:
    """How much of something is in use."""

    label: str
    used: int
    total: int
    text: str


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of a node; which of them is busy is a count here, not an index."""

    label: str
    is_busy: bool


@dataclass(frozen=True, slots=True)
class ShownNode:
    """A node as its row shows it."""

    name: str
    word: Word
    reason: str
    missing_programs: tuple[str, ...]
    meters: tuple[Meter, ...]
    gpus: tuple[Gpu, ...]


@dataclass(frozen=True, slots=True)
class ShownPartition:
    """A partition under the name that a job must give."""

    name: str
    partition: Partition


@dataclass(frozen=True, slots=True)
class ShownCluster:
    """A cluster as its page shows it."""

    name: str
    is_default: bool
    lacks_account: bool
    account: str
    """What the person's jobs run as there, where the site gives out accounts; "" elsewhere."""
    as_of: datetime | None
    is_out: bool
    gpus: tuple[GpuCount, ...]
    nodes: tuple[ShownNode, ...]
    partitions: tuple[ShownPartition, ...]
    licenses: tuple[License, ...]
    reservations: tuple[Reservation, ...]

    @property
    def is_long(self) -> bool:
        """Whether its nodes are better folded away at first."""
        return len(self.nodes) > _MOST_NODES_OPEN


def show_cluster(seen: SeenCluster, language: Language, *, every_partition: Sequence[str]) -> ShownCluster:
    """A cluster in the page's words.

    Args:
        seen: what there is to show.
        language: the reader's.
        every_partition: names of the partitions of all clusters; one that is there twice needs its cluster's.
    """
    snapshot = seen.snapshot
    return ShownCluster(
        name=seen.name,
        is_default=seen.is_default,
        lacks_account=seen.account is None,
        account=(seen.needs_account and seen.account) or "",
        as_of=snapshot.as_of if snapshot else None,
        is_out=any(outage.part is ClusterPart.SCHEDULER for outage in seen.outages),
        gpus=seen.gpus,
        nodes=tuple(_show_node(node, language) for node in snapshot.nodes) if snapshot else (),
        partitions=tuple(
            ShownPartition(_written(seen.name, item.name, every_partition), item)
            for item in (snapshot.partitions if snapshot else ())
        ),
        licenses=snapshot.licenses if snapshot else (),
        reservations=snapshot.reservations if snapshot else (),
    )


def _written(cluster: str, partition: str, every: Sequence[str]) -> str:
    return partition if every.count(partition) == 1 else f"{cluster}{SEPARATOR}{partition}"


def meters_of(nodes: tuple[Node, ...], language: Language) -> tuple[Meter, ...]:
    """CPUs, memory and GPUs by type over these nodes; those that are down give nothing."""
    up = [node for node in nodes if node.state is not NodeState.DOWN]
    cpus, memory = sum(node.cpus for node in up), sum(node.memory_mib for node in up)
    used_cpus = sum(node.allocated_cpus for node in up)
    used_memory = sum(node.allocated_memory_mib for node in up)
    found = [
        Meter("CPU", used_cpus, cpus, f"{language.number(used_cpus)} / {language.number(cpus)}"),
        Meter(
            language.gettext(N_("Memory")),
            used_memory,
            memory,
            f"{language.memory(used_memory)} / {language.memory(memory)}",
        ),
    ]
    for gpu_type in sorted({name for node in up for name in node.gpus}):
        total = sum(node.gpus.get(gpu_type, 0) for node in up)
        used = sum(node.allocated_gpus.get(gpu_type, 0) for node in up)
        label = f"GPU {gpu_type.upper()}".strip()
        found.append(Meter(label, used, total, f"{language.number(used)} / {language.number(total)}"))
    return tuple(found)


def _show_node(node: Node, language: Language) -> ShownNode:
    gpus = [
        Gpu(f"GPU {gpu_type.upper()}".strip(), is_busy=index < node.allocated_gpus.get(gpu_type, 0))
        for gpu_type, count in sorted(node.gpus.items())
        for index in range(count)
    ]
    return ShownNode(
        name=node.name,
        word=NODE_STATES[node.state],
        reason=node.reason,
        missing_programs=tuple(sorted(node.missing_programs)),
        meters=meters_of((node,), language),
        gpus=tuple(gpus),
    )
