"""A cluster as a person sees it: partitions, nodes, GPUs, licences; and whether a job can ever run there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from schedulers import constraint
from schedulers.jobspec import JobSpec, Launch, WholeNode
from schedulers.units import format_memory, format_walltime


class NodeState(StrEnum):
    """Whether a node takes jobs (sinfo(1), simplified)."""

    UP = "up"
    DRAINING = "draining"
    """Runs what it has, takes nothing new."""
    DOWN = "down"


class Ability(StrEnum):
    """What only some clusters can do for a job; `check_fits` refuses a job that needs another one."""

    QOS = "qos"
    """A quality of service may be named."""
    STEPS = "steps"
    """A script on the first node can start processes on the others (srun)."""


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
    features: frozenset[str] = frozenset()
    """What a job's constraint may name."""
    missing_programs: frozenset[str] = frozenset()
    """Commands that were looked for and that its jobs would not find; of all others nothing is known."""


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
    """Those in use outside among them."""
    outside: int = 0
    """In use by people and machines that are not the cluster's."""


@dataclass(frozen=True, slots=True)
class LicenseSupply:
    """How many licences of a feature a cluster's jobs may hold now, and for whom some are kept."""

    total: int
    """So many its jobs may hold when nobody else has any."""
    outside: int = 0
    """Of these, in use now by people and machines that are not the cluster's."""
    kept: Mapping[str, int] = field(default_factory=dict)
    """By project (its account): so many only its jobs may hold."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Nodes kept for some users or accounts for a while (scontrol show reservation)."""

    name: str
    start_at: datetime
    end_at: datetime
    nodes: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """All of it at one instant."""

    name: str
    as_of: datetime
    partitions: tuple[Partition, ...]
    nodes: tuple[Node, ...]
    licenses: tuple[License, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    abilities: frozenset[Ability] = frozenset()
    walltime_step_seconds: int = 1
    """The cluster counts time limits in these: a job may run until the end of the last one begun."""

    def whole_walltime(self, seconds: int) -> int:
        """How long the cluster lets a job run that asks for so much."""
        return -(-seconds // self.walltime_step_seconds) * self.walltime_step_seconds

    def partition(self, name: str | None) -> Partition | None:
        """The partition of that name; for None the default one. None when there is no such partition."""
        wanted = (p for p in self.partitions if (p.is_default if name is None else p.name == name))
        return next(wanted, None)


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a cluster can never run a job: the field to change, the limit, and what to do.

    The sentence keeps its facts apart, so that whoever shows it can translate it first.
    """

    field: str
    text: str
    """With %(name)s where a fact goes."""
    facts: Mapping[str, str | int]

    @property
    def message(self) -> str:
        """The whole sentence in English."""
        return self.text % self.facts


def check_fits(spec: JobSpec, cluster: ClusterSnapshot) -> list[Misfit]:
    """Every reason why this cluster could never run the job, however long it waited; [] when it can.

    Looks at sizes only, not at what is free now. Nodes that are down count: they come back.
    """
    partition = cluster.partition(spec.partition)
    if partition is None:
        names = ", ".join(p.name for p in cluster.partitions) or "-"
        return [
            Misfit(
                "partition",
                "There is no partition %(partition)s. Choose one of: %(names)s.",
                {"partition": repr(spec.partition or ""), "names": names},
            )
        ]
    found: list[Misfit] = []
    asked = spec.resources
    if asked.walltime_seconds and asked.walltime_seconds > partition.max_walltime_seconds:
        found.append(
            Misfit(
                "walltime_seconds",
                "Partition %(partition)s allows %(most)s; this job asks for %(asked)s. "
                "Shorten the walltime or choose another partition.",
                {
                    "partition": partition.name,
                    "most": format_walltime(partition.max_walltime_seconds),
                    "asked": format_walltime(asked.walltime_seconds),
                },
            )
        )
    found += _unable(spec, cluster)
    members = [node for node in cluster.nodes if node.name in partition.nodes]
    nodes = eligible_nodes(spec, members)
    found += _named_node_misfits(spec, partition, members)
    if members and not nodes:
        return [*found, *_no_node_left(spec, partition, members)]
    most = min(len(nodes), partition.max_nodes_per_job or len(nodes))
    if asked.nodes > most:
        found.append(
            Misfit(
                "nodes",
                "Partition %(partition)s gives a job at most %(most)s nodes, not %(asked)s.",
                {"partition": partition.name, "most": most, "asked": asked.nodes},
            )
        )
    found += _node_misfits(spec, partition, nodes)
    totals = {item.feature: item.total for item in cluster.licenses}
    for feature, count in asked.licenses.items():
        if count > totals.get(feature, 0):
            found.append(
                Misfit(
                    "licenses",
                    "The cluster has %(most)s licences of %(feature)s, not %(asked)s.",
                    {"feature": feature, "most": totals.get(feature, 0), "asked": count},
                )
            )
    return found


def eligible_nodes(spec: JobSpec, nodes: Iterable[Node]) -> list[Node]:
    """Those nodes that the job does not exclude, whose features meet its constraint, that lack no program."""
    return [
        node
        for node in nodes
        if node.name not in spec.exclude_nodes
        and node.missing_programs.isdisjoint(spec.programs)
        and (spec.constraint is None or constraint.is_met(spec.constraint, node.features))
    ]


def whole_node_of(spec: JobSpec, cluster: ClusterSnapshot) -> WholeNode | None:
    """What an exclusive job would hold on each node at most: of each kind the largest node's; else None."""
    partition = cluster.partition(spec.partition)
    if not spec.exclusive or partition is None:
        return None
    members = (node for node in cluster.nodes if node.name in partition.nodes)
    nodes = [node for node in eligible_nodes(spec, members) if _fits_node(spec, node)]
    if not nodes:
        return None
    kinds = {kind for node in nodes for kind, count in node.gpus.items() if count}
    return WholeNode(
        cpus=max(node.cpus for node in nodes),
        gpus={kind: max(node.gpus.get(kind, 0) for node in nodes) for kind in sorted(kinds)},
    )


def _unable(spec: JobSpec, cluster: ClusterSnapshot) -> list[Misfit]:
    found = []
    if spec.qos is not None and Ability.QOS not in cluster.abilities:
        found.append(
            Misfit("qos", "Cluster %(cluster)s has no qualities of service.", {"cluster": cluster.name})
        )
    is_stepwise = spec.launch is Launch.FIRST_NODE and spec.resources.nodes > 1
    if is_stepwise and Ability.STEPS not in cluster.abilities:
        found.append(
            Misfit(
                "launch",
                "Cluster %(cluster)s has no srun: a script on the first node could not use the others. "
                "Ask for one node, or let the script start on every node.",
                {"cluster": cluster.name},
            )
        )
    if spec.reservation is not None and all(item.name != spec.reservation for item in cluster.reservations):
        names = ", ".join(item.name for item in cluster.reservations if item.name) or "-"
        found.append(
            Misfit(
                "reservation",
                "There is no reservation %(reservation)s. Choose one of: %(names)s.",
                {"reservation": spec.reservation, "names": names},
            )
        )
    return found


def _named_node_misfits(spec: JobSpec, partition: Partition, members: list[Node]) -> list[Misfit]:
    names = {node.name for node in members}
    return [
        Misfit(
            field_name,
            "Partition %(partition)s has no node %(node)s.",
            {"partition": partition.name, "node": node},
        )
        for field_name, wanted in (("nodelist", spec.nodelist), ("exclude_nodes", spec.exclude_nodes))
        for node in wanted
        if node not in names
    ]


def _no_node_left(spec: JobSpec, partition: Partition, members: list[Node]) -> list[Misfit]:
    missing = [node.missing_programs.intersection(spec.programs) for node in members]
    if all(missing):
        return [
            Misfit(
                "partition",
                "Each node of %(partition)s lacks something that the job calls: %(programs)s. Choose another "
                "partition, or ask an administrator to install it.",
                {"partition": partition.name, "programs": ", ".join(sorted(frozenset().union(*missing)))},
            )
        ]
    if spec.constraint is None:
        facts = {"partition": partition.name}
        return [Misfit("exclude_nodes", "The job excludes every node of %(partition)s.", facts)]
    return [
        Misfit(
            "constraint",
            "No node of %(partition)s that the job may use has the features %(constraint)s.",
            {"partition": partition.name, "constraint": spec.constraint},
        )
    ]


def _node_misfits(spec: JobSpec, partition: Partition, nodes: list[Node]) -> list[Misfit]:
    asked = spec.resources
    found = []
    cpus = max((node.cpus for node in nodes), default=0)
    if asked.cpus_per_node > cpus:
        found.append(
            Misfit(
                "cpus_per_task",
                "The largest node of %(partition)s has %(most)s CPUs, not %(asked)s.",
                {"partition": partition.name, "most": cpus, "asked": asked.cpus_per_node},
            )
        )
    memory = max((node.memory_mib for node in nodes), default=0)
    if asked.memory_mib_per_node > memory:
        found.append(
            Misfit(
                "memory_mib_per_node",
                "The largest node of %(partition)s has %(most)s of memory, not %(asked)s.",
                {
                    "partition": partition.name,
                    "most": format_memory(memory),
                    "asked": format_memory(asked.memory_mib_per_node),
                },
            )
        )
    found += _gpu_misfits(spec, partition, nodes)
    if not found and not any(_fits_node(spec, node) for node in nodes):
        found.append(
            Misfit(
                "resources",
                "No single node of %(partition)s has all of this together.",
                {"partition": partition.name},
            )
        )
    return found


def _gpu_misfits(spec: JobSpec, partition: Partition, nodes: list[Node]) -> list[Misfit]:
    found = []
    for gpu_type, count in spec.resources.gpus_per_node.items():
        most = max((n.gpus.get(gpu_type, 0) if gpu_type else sum(n.gpus.values()) for n in nodes), default=0)
        if count > most:
            found.append(
                Misfit(
                    "gpus_per_node",
                    "No node of %(partition)s has %(asked)s x %(gpu)s; the most is %(most)s. "
                    "Ask for fewer GPUs per node, or for more nodes.",
                    {
                        "partition": partition.name,
                        "asked": count,
                        "gpu": f"GPU {gpu_type}".rstrip(),
                        "most": most,
                    },
                )
            )
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
