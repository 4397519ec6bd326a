"""A cluster as a person sees it: partitions, nodes, GPUs, licences; and whether a job can ever run there."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from schedulers.jobspec import JobSpec
from schedulers.units import format_memory, format_walltime


class NodeState(StrEnum):
    """Whether a node takes jobs (sinfo(1), simplified)."""

    UP = "up"
    DRAINING = "draining"
    """Runs what it has, takes nothing new."""
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Node:
    """One machine: what it has and what of it is held by jobs."""

    name: str
    state: NodeState
    cpus: int
    memory_mib: int
    gpus: dict[str, int] = field(default_factory=dict)
    """How many of each type ("h100": 8)."""
    allocated_cpus: int = 0
    allocated_memory_mib: int = 0
    allocated_gpus: dict[str, int] = field(default_factory=dict)
    reason: str = ""
    seen_at: datetime | None = None
    """When a node that is down was last heard of; None when that is not known, or now."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A set of nodes with its own limits (scontrol show partition)."""

    name: str
    nodes: tuple[str, ...]
    max_walltime_seconds: int
    default_walltime_seconds: int
    max_nodes_per_job: int | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class License:
    """A licence feature, counted over the cluster."""

    feature: str
    total: int
    used: int = 0


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """All of it at one instant."""

    name: str
    as_of: datetime
    partitions: tuple[Partition, ...]
    nodes: tuple[Node, ...]
    licenses: tuple[License, ...] = ()

    def partition(self, name: str | None) -> Partition | None:
        """The partition of that name; for None the default one. None when there is no such partition."""
        wanted = (p for p in self.partitions if (p.is_default if name is None else p.name == name))
        return next(wanted, None)


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a cluster can never run a job: the field to change, the limit, and what to do."""

    field: str
    message: str


def check_fits(spec: JobSpec, cluster: ClusterSnapshot) -> list[Misfit]:
    """Every reason why this cluster could never run the job, however long it waited; [] when it can.

    Looks at sizes only, not at what is free now. Nodes that are down count: they come back.
    """
    partition = cluster.partition(spec.partition)
    if partition is None:
        names = ", ".join(p.name for p in cluster.partitions) or "none"
        return [Misfit("partition", f"There is no partition {spec.partition!r}. Choose one of: {names}.")]
    found: list[Misfit] = []
    asked = spec.resources
    if asked.walltime_seconds and asked.walltime_seconds > partition.max_walltime_seconds:
        limit = format_walltime(partition.max_walltime_seconds)
        found.append(
            Misfit(
                "walltime_seconds",
                f"Partition {partition.name} allows {limit}; this job asks for "
                f"{format_walltime(asked.walltime_seconds)}. "
                "Shorten the walltime or choose another partition.",
            )
        )
    nodes = [node for node in cluster.nodes if node.name in partition.nodes]
    most = min(len(nodes), partition.max_nodes_per_job or len(nodes))
    if asked.nodes > most:
        found.append(
            Misfit(
                "nodes", f"Partition {partition.name} gives a job at most {most} nodes, not {asked.nodes}."
            )
        )
    found += _node_misfits(spec, partition, nodes)
    totals = {item.feature: item.total for item in cluster.licenses}
    for feature, count in asked.licenses.items():
        if count > totals.get(feature, 0):
            found.append(
                Misfit(
                    "licenses",
                    f"The cluster has {totals.get(feature, 0)} licences of {feature}, not {count}.",
                )
            )
    return found


def _node_misfits(spec: JobSpec, partition: Partition, nodes: list[Node]) -> list[Misfit]:
    asked = spec.resources
    found = []
    cpus = max((node.cpus for node in nodes), default=0)
    if asked.cpus_per_node > cpus:
        found.append(
            Misfit(
                "cpus_per_task",
                f"The largest node of {partition.name} has {cpus} CPUs, not {asked.cpus_per_node}.",
            )
        )
    memory = max((node.memory_mib for node in nodes), default=0)
    if asked.memory_mib_per_node > memory:
        found.append(
            Misfit(
                "memory_mib_per_node",
                f"The largest node of {partition.name} has {format_memory(memory)}, "
                f"not {format_memory(asked.memory_mib_per_node)}.",
            )
        )
    for gpu_type, count in asked.gpus_per_node.items():
        most = max(
            (sum(n.gpus.values()) if not gpu_type else n.gpus.get(gpu_type, 0) for n in nodes), default=0
        )
        if count > most:
            name = gpu_type or "any"
            found.append(
                Misfit(
                    "gpus_per_node",
                    f"No node of {partition.name} has {count} GPUs of type {name}; the most is {most}. "
                    "Ask for fewer GPUs per node, or for more nodes.",
                )
            )
    if not found and not any(_fits_node(spec, node) for node in nodes):
        found.append(Misfit("resources", f"No single node of {partition.name} has all of this together."))
    return found


def _fits_node(spec: JobSpec, node: Node) -> bool:
    asked = spec.resources
    typed = {gpu_type: count for gpu_type, count in asked.gpus_per_node.items() if gpu_type}
    return (
        node.cpus >= asked.cpus_per_node
        and node.memory_mib >= asked.memory_mib_per_node
        and all(node.gpus.get(gpu_type, 0) >= count for gpu_type, count in typed.items())
        and sum(node.gpus.values()) >= sum(asked.gpus_per_node.values())
    )
