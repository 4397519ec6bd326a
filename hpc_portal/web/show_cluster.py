"""A cluster in the words of its page: what each node has, what is free, how old the knowledge is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hpc_portal.web.language import Language
from hpc_portal.web.words import NODE_STATES, Word
from schedulers.cluster import ClusterSnapshot, License, Node, NodeState, Partition
from workloads.template import N_

STALE_AFTER = timedelta(minutes=2)


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
    meters: tuple[Meter, ...]
    gpus: tuple[Gpu, ...]


@dataclass(frozen=True, slots=True)
class ShownCluster:
    """A cluster as its page shows it."""

    name: str
    as_of: datetime
    is_stale: bool
    nodes: tuple[ShownNode, ...]
    partitions: tuple[Partition, ...]
    licenses: tuple[License, ...]


def show_cluster(snapshot: ClusterSnapshot, language: Language, *, now: datetime) -> ShownCluster:
    """A snapshot in the page's words."""
    return ShownCluster(
        name=snapshot.name,
        as_of=snapshot.as_of,
        is_stale=now - snapshot.as_of > STALE_AFTER,
        nodes=tuple(_show_node(node, language) for node in snapshot.nodes),
        partitions=snapshot.partitions,
        licenses=snapshot.licenses,
    )


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
        meters=meters_of((node,), language),
        gpus=tuple(gpus),
    )
