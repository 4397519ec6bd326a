"""When a job would probably start, as a range with a reason: pure, from what is free and what lies ahead."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedulers.cluster import ClusterSnapshot, Node, NodeState, eligible_nodes
from schedulers.jobspec import JobSpec
from schedulers.tres import CPU, GPU, MEM, Tres

_AT_ONCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class WorkAhead:
    """What the jobs under way and in front of a new one may still use, if each takes its whole walltime."""

    tres_seconds: Mapping[Tres, int]
    longest_walltime_seconds: int = 0
    waiting_tasks: int = 0


@dataclass(frozen=True, slots=True)
class ExpectedStart:
    """When the first task would probably start, as a range, and why."""

    earliest: datetime
    latest: datetime | None
    """None when nothing bounds it."""
    reason: str
    """`Free`, `Resources`, `Priority`, `Licenses`, `NodesDown`, `BeginTime`, `Held`, `SchedulerUnavailable`:
    pages translate them."""


def expected_start(
    spec: JobSpec, cluster: ClusterSnapshot, ahead: WorkAhead, *, now: datetime
) -> ExpectedStart:
    """From now, when it fits, to the latest that a list scheduler needs for everything ahead.

    The bound is Graham's for list scheduling (Bell System Technical Journal 45, 1966): no machine is idle
    while work waits, so all of it has started after total work / capacity, and the longest job more.
    """
    partition = cluster.partition(spec.partition)
    members = partition.nodes if partition else ()
    up = [
        node
        for node in eligible_nodes(spec, cluster.nodes)
        if node.name in members and node.state is NodeState.UP
    ]
    if spec.hold:
        return ExpectedStart(max(now, spec.begin_at or now), None, "Held")
    if spec.begin_at and spec.begin_at > now:
        latest = spec.begin_at + timedelta(seconds=_latest_seconds(spec, up, ahead))
        return ExpectedStart(spec.begin_at, latest if up else None, "BeginTime")
    if not up:
        return ExpectedStart(now, None, "NodesDown")
    fitting = sum(_has_free(spec, node) for node in up)
    if _lacks_license(spec, cluster):
        reason = "Licenses"
    elif fitting < spec.resources.nodes:
        reason = "Resources"
    elif ahead.waiting_tasks:
        reason = "Priority"
    else:
        return ExpectedStart(now, now + _AT_ONCE, "Free")
    return ExpectedStart(now, now + timedelta(seconds=_latest_seconds(spec, up, ahead)), reason)


def _latest_seconds(spec: JobSpec, up: list[Node], ahead: WorkAhead) -> int:
    capacity = {
        CPU: sum(node.cpus for node in up),
        MEM: sum(node.memory_mib for node in up),
        GPU: sum(sum(node.gpus.values()) for node in up),
    }
    drains = [
        -(-ahead.tres_seconds.get(name, 0) // amount)
        for name, amount in capacity.items()
        if amount and name in spec.resources.tres
    ]
    return max(drains, default=0) + ahead.longest_walltime_seconds


def _has_free(spec: JobSpec, node: Node) -> bool:
    asked = spec.resources
    free = {name: total - node.allocated_gpus.get(name, 0) for name, total in node.gpus.items()}
    return (
        node.cpus - node.allocated_cpus >= asked.cpus_per_node
        and node.memory_mib - node.allocated_memory_mib >= asked.memory_mib_per_node
        and all(free.get(name, 0) >= count for name, count in asked.gpus_per_node.items() if name)
        and sum(free.values()) >= sum(asked.gpus_per_node.values())
        and not (spec.exclusive and node.allocated_cpus)
    )


def _lacks_license(spec: JobSpec, cluster: ClusterSnapshot) -> bool:
    free = {item.feature: item.total - item.used for item in cluster.licenses}
    return any(free.get(feature, 0) < count for feature, count in spec.resources.licenses.items())
