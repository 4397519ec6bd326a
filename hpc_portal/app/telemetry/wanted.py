"""What open jobs ask of each partition, and which nodes are busy: what machines that make nodes go by.

Nothing here names a tenant: a partition and a resource are all that is told of a job.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection, case, func, or_, select
from sqlmodel import col

from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.tables import Job
from schedulers.cluster import ClusterSnapshot, Node
from schedulers.jobspec import ResourceRequest
from schedulers.tres import CPU, GPU, MEM, NODE, add, times

_ALWAYS_TOLD = (CPU, MEM, GPU)
"""Also where nothing is wanted: no line at all means that nobody knows, and nobody should act on that."""
_NUMBERED = re.compile(r"(.+)-(\d+)")

_RESOURCES = col(Job.spec)["resources"].as_string().label("resources")
"""As text: jobs that ask for the same are counted together."""
_ARRAY = col(Job.spec)[("array", "expression")].as_string()
_THROTTLED = case((col(Job.is_array) & _ARRAY.contains("%", autoescape=True), _ARRAY)).label("array")
"""Looked for in arrays only: to open a specification takes most of the time."""
_WAITS_FOR_NO_NODE = or_(
    col(Job.waits_for_jobs),
    col(Job.held_by).is_not(None),
    col(Job.cancel_requested_at).is_not(None),
    col(Job.state_reason) == "BeginTime",
)
_ENDED = col(Job.tasks_completed) + col(Job.tasks_failed) + col(Job.tasks_cancelled)
_TASKS = case((_WAITS_FOR_NO_NODE, col(Job.tasks_running)), else_=col(Job.tasks_total) - _ENDED)


@dataclass(slots=True)
class _Wanted:
    """Of one partition."""

    tres: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_ALWAYS_TOLD, 0))
    widest: int = 0


def read_wanted(connection: Connection, clusters: Sequence[ClusterSnapshot], name: str) -> Iterator[Metric]:
    """Of one cluster, by partition; of partitions without jobs, too, as far as it ever reported."""
    known = [cluster for cluster in clusters if cluster.name == name]
    tres = GaugeMetricFamily(
        "hpc_wanted_tres",
        "What tasks that run or could start hold together (mem: MiB); not what is held or begins later.",
        labels=("cluster", "partition", "tres"),
    )
    widest = GaugeMetricFamily(
        "hpc_wanted_nodes_at_once", "The most nodes that one of them needs.", labels=("cluster", "partition")
    )
    for partition, wanted in _wanted(connection, known, name).items():
        for resource, amount in wanted.tres.items():
            tres.add_metric([name, partition, resource], amount)
        widest.add_metric([name, partition], wanted.widest)
    yield from (tres, widest, _busy_nodes(known))


def _wanted(connection: Connection, known: Sequence[ClusterSnapshot], name: str) -> dict[str, _Wanted]:
    found = {partition.name: _Wanted() for cluster in known for partition in cluster.partitions}
    alike = (col(Job.partition), _RESOURCES, _THROTTLED)
    counted = (
        select(*alike, func.count().label("jobs"), func.sum(_TASKS).label("tasks"))
        .where(under_way(), col(Job.scheduler) == name)
        .group_by(*alike)
    )
    for row in connection.execute(counted):
        tasks = int(row.tasks)
        if row.array:
            tasks = min(tasks, row.jobs * int(row.array.rpartition("%")[2]))
        if tasks:
            asked = ResourceRequest.model_validate_json(row.resources or "{}")
            wanted = found.setdefault(row.partition, _Wanted())
            each = {name: amount for name, amount in asked.tres.items() if _is_of_nodes(name)}
            wanted.tres = add(wanted.tres, times(each, tasks))
            wanted.widest = max(wanted.widest, asked.nodes)
    return found


def _is_of_nodes(tres: str) -> bool:
    """What a node has; nodes themselves are told apart, for several tasks share one."""
    return tres != NODE and not tres.startswith("license/")


def _busy_nodes(clusters: Sequence[ClusterSnapshot]) -> Metric:
    """Of nodes with numbers at the end of their names, as pods of a StatefulSet have them."""
    found = GaugeMetricFamily(
        "hpc_nodes_busy_below",
        "No node of the group (NAME of NAME-NUMBER) with this number or a higher one has a task.",
        labels=("cluster", "group"),
    )
    for cluster in clusters:
        below: Counter[str] = Counter()
        for node in cluster.nodes:
            if match := _NUMBERED.fullmatch(node.name):
                group, number = match[1], int(match[2])
                below[group] = max(below[group], number + 1 if _is_busy(node) else 0)
        for group, number in below.items():
            found.add_metric([cluster.name, group], number)
    return found


def _is_busy(node: Node) -> bool:
    return bool(node.allocated_cpus or node.allocated_memory_mib or any(node.allocated_gpus.values()))
