"""Which nodes of a cluster in memory a job gets, and what running jobs hold of them; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from schedulers import tres
from schedulers.cluster import ClusterSnapshot, License, Node, NodeState, eligible_nodes
from schedulers.jobspec import JobSpec, ResourceRequest


@dataclass(frozen=True, slots=True)
class Held:
    """A running job or task, and where."""

    spec: JobSpec
    nodes: tuple[str, ...]


def in_use(idle: ClusterSnapshot, held: Iterable[Held], *, at: datetime) -> ClusterSnapshot:
    """The cluster with what runs on it taken from its nodes and licences."""
    nodes = {node.name: node for node in idle.nodes}
    used: dict[str, int] = {}
    for one in held:
        asked = one.spec.resources
        used = tres.add(used, asked.licenses)
        for name in one.nodes:
            nodes[name] = _with(nodes[name], asked, is_whole=one.spec.exclusive)
    licenses = tuple(License(item.feature, item.total, used.get(item.feature, 0)) for item in idle.licenses)
    return replace(idle, as_of=at, nodes=tuple(nodes.values()), licenses=licenses)


def find_room(spec: JobSpec, cluster: ClusterSnapshot) -> tuple[str, ...] | None:
    """The nodes that the job would start on now; None when it has to wait for some."""
    partition = cluster.partition(spec.partition)
    members = partition.nodes if partition else ()
    fitting = [
        node
        for node in eligible_nodes(spec, cluster.nodes)
        if node.name in members
        and _has_room(node, spec.resources)
        and not (spec.exclusive and node.allocated_cpus)
    ]
    fitting.sort(key=lambda node: node.name not in spec.nodelist)
    names = tuple(node.name for node in fitting)
    if len(names) < spec.resources.nodes or not set(spec.nodelist) <= set(names):
        return None
    return names[: spec.resources.nodes]


def lacks_licenses(spec: JobSpec, cluster: ClusterSnapshot) -> bool:
    """Whether the job has to wait for a licence."""
    free = {item.feature: item.total - item.used for item in cluster.licenses}
    return any(free.get(feature, 0) < count for feature, count in spec.resources.licenses.items())


def _with(node: Node, asked: ResourceRequest, *, is_whole: bool) -> Node:
    memory_mib = node.allocated_memory_mib + asked.memory_mib_per_node
    if is_whole:
        gpus = dict(node.gpus)
        return replace(node, allocated_cpus=node.cpus, allocated_memory_mib=memory_mib, allocated_gpus=gpus)
    return replace(
        node,
        allocated_cpus=node.allocated_cpus + asked.cpus_per_node,
        allocated_memory_mib=memory_mib,
        allocated_gpus=tres.add(node.allocated_gpus, _typed(node, asked.gpus_per_node)),
    )


def _typed(node: Node, asked: Mapping[str, int]) -> dict[str, int]:
    """A GPU request with "any type" turned into types that the node still has free."""
    taken = {gpu_type: count for gpu_type, count in asked.items() if gpu_type}
    missing = asked.get("", 0)
    for gpu_type, total in node.gpus.items():
        free = total - node.allocated_gpus.get(gpu_type, 0) - taken.get(gpu_type, 0)
        more = max(0, min(free, missing))
        taken[gpu_type] = taken.get(gpu_type, 0) + more
        missing -= more
    return {gpu_type: count for gpu_type, count in taken.items() if count}


def _has_room(node: Node, asked: ResourceRequest) -> bool:
    typed = _typed(node, asked.gpus_per_node)
    return (
        node.state is NodeState.UP
        and node.cpus - node.allocated_cpus >= asked.cpus_per_node
        and node.memory_mib - node.allocated_memory_mib >= asked.memory_mib_per_node
        and sum(typed.values()) >= sum(asked.gpus_per_node.values())
        and all(
            node.gpus.get(name, 0) - node.allocated_gpus.get(name, 0) >= count
            for name, count in typed.items()
        )
    )
