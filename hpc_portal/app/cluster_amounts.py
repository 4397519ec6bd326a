"""How much of clusters there is, in use and free: counted over nodes that are not down."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from schedulers.cluster import Node, NodeState
from schedulers.tres import CPU, MEM


@dataclass(frozen=True, slots=True)
class GpuCount:
    """GPUs of one type on nodes that are not down."""

    type: str
    total: int
    free: int
    """On nodes that take jobs."""


@dataclass(frozen=True, slots=True)
class FreeAmount:
    """How much of something the clusters, or the licence servers, have free now."""

    name: str
    """`cpu`, `gpu:h100`, `license/vcs`."""
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class UsedAmount:
    """How much of something is in use."""

    name: str
    """`cpu`, `mem` in MiB, `gpu:h100`."""
    used: int
    total: int


def count_gpus(nodes: Sequence[Node]) -> tuple[GpuCount, ...]:
    """GPUs by type; those of nodes that are down count nowhere, those of draining ones are not free. Pure."""
    total: Counter[str] = Counter()
    free: Counter[str] = Counter()
    for node in nodes:
        if node.state is NodeState.DOWN:
            continue
        total.update(node.gpus)
        if node.state is NodeState.UP:
            free.update({kind: count - node.allocated_gpus.get(kind, 0) for kind, count in node.gpus.items()})
    return tuple(GpuCount(kind, total[kind], max(0, free[kind])) for kind in sorted(total))


def count_free(nodes: Sequence[Node]) -> tuple[FreeAmount, ...]:
    """CPU cores, then GPUs by type; of nodes that are draining nothing is free. Pure."""
    free = sum(node.cpus - node.allocated_cpus for node in nodes if node.state is NodeState.UP)
    cores = FreeAmount(
        CPU, max(0, free), sum(node.cpus for node in nodes if node.state is not NodeState.DOWN)
    )
    return (cores, *(FreeAmount(f"gpu:{one.type}", one.free, one.total) for one in count_gpus(nodes)))


def count_used(nodes: Sequence[Node]) -> tuple[UsedAmount, ...]:
    """CPU cores, memory and GPUs by type; those that are down give nothing. Pure."""
    up = [node for node in nodes if node.state is not NodeState.DOWN]
    gpus = sorted({name for node in up for name in node.gpus})
    return (
        UsedAmount(CPU, sum(node.allocated_cpus for node in up), sum(node.cpus for node in up)),
        UsedAmount(MEM, sum(node.allocated_memory_mib for node in up), sum(node.memory_mib for node in up)),
        *(
            UsedAmount(
                f"gpu:{name}",
                sum(node.allocated_gpus.get(name, 0) for node in up),
                sum(node.gpus.get(name, 0) for node in up),
            )
            for name in gpus
        ),
    )
