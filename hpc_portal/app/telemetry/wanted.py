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
_THROTTLED = case((_ARRAY.contains("%", autoescape=True), _ARRAY)).label("array")
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


def read_wanted(connection: Connection, clusters: Sequence[ClusterSnapshot]) -> Iterator[Metric]:
    """By partition; of partitions without jobs, too, as far as their clusters ever reported."""
    tres = GaugeMetricFamily(
        "hpc_wanted_tres",
        "What tasks that run or could start hold together (mem: MiB); not what is held or begins later.",
        labels=("cluster", "partition", "tres"),
    )
    widest = GaugeMetricFamily(
        "hpc_wanted_nodes_at_once", "The most nodes that one of them needs.", labels=("cluster", "partition")
    )
    for place, wanted in _wanted(connection, clusters).items():
        for name, amount in wanted.tres.items():
            tres.add_metric([*place, name], amount)
        widest.add_metric(list(place), wanted.widest)
    yield from (tres, widest)


def _wanted(connection: Connection, clusters: Sequence[ClusterSnapshot]) -> dict[tuple[str, str], _Wanted]:
    found = {(cluster.name, one.name): _Wanted() for cluster in clusters for one in cluster.partitions}
    alike = (col(Job.scheduler), col(Job.partition), _RESOURCES, _THROTTLED)
    counted = (
        select(*alike, func.count().label("jobs"), func.sum(_TASKS).label("tasks"))
        .where(under_way())
        .group_by(*alike)
    )
    for row in connection.execute(counted):
        tasks = int(row.tasks)
        if row.array:
            tasks = min(tasks, row.jobs * int(row.array.rpartition("%")[2]))
        if tasks:
            asked = ResourceRequest.model_validate_json(row.resources or "{}")
            wanted = found.setdefault((row.scheduler, row.partition), _Wanted())
            each = {name: amount for name, amount in asked.tres.items() if _is_of_nodes(name)}
            wanted.tres = add(wanted.tres, times(each, tasks))
            wanted.widest = max(wanted.widest, asked.nodes)
    return found


def _is_of_nodes(tres: str) -> bool:
    """What a node has; nodes themselves are told apart, for several tasks share one."""
    return tres != NODE and not tres.startswith("license/")


def busy_nodes(clusters: Sequence[ClusterSnapshot]) -> Iterator[Metric]:
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
    yield found


def _is_busy(node: Node) -> bool:
    return bool(node.allocated_cpus or node.allocated_memory_mib or any(node.allocated_gpus.values()))
