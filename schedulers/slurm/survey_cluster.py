"""Slurm's nodes, partitions, licences and reservations as the cluster that a person sees; pure."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from schedulers import hostlist
from schedulers.cluster import (
    Ability,
    ClusterSnapshot,
    License,
    Node,
    NodeState,
    Partition,
    Reservation,
)
from schedulers.errors import InvalidJobSpec
from schedulers.slurm.set_aside_licenses import SET_ASIDE_RESERVATION
from schedulers.slurm.wire import (
    Number,
    SlurmLicense,
    SlurmNode,
    SlurmPartition,
    SlurmReservation,
)

NO_LIMIT_SECONDS = 366 * 86_400
"""The walltime of a partition without a limit: the longest that a job may ask for."""
_SECONDS_PER_MINUTE = 60
_DOWN = frozenset({"DOWN", "ERROR", "FUTURE", "UNKNOWN", "NOT_RESPONDING", "INVALID", "INVALID_REG"})
_DRAINING = frozenset({"DRAIN", "DRAINED", "DRAINING", "FAIL", "FAILING", "MAINTENANCE"})
_ASLEEP = frozenset({"POWERED_DOWN", "POWERING_DOWN", "POWERING_UP", "POWER_DOWN", "POWER_UP"})
"""A node that Slurm switched off to save energy answers nobody, and takes jobs all the same."""
_GPU = re.compile(r"^gpu(?::([^:(]+))?:(\d+)(?:\(.*\))?$")


def survey(  # noqa: PLR0913 - one for each thing that slurmctld was asked for
    name: str,
    *,
    as_of: datetime,
    nodes: Iterable[SlurmNode],
    partitions: Iterable[SlurmPartition],
    licenses: Iterable[SlurmLicense],
    reservations: Iterable[SlurmReservation],
    default_partition: str | None = None,
) -> ClusterSnapshot:
    """Everything together.

    Before API v0.0.43 Slurm does not say which partition is the default: then it is `default_partition`, or
    the first one that Slurm lists.
    """
    reservations = list(reservations)
    outside = _set_aside(reservations)
    known = sorted(nodes, key=lambda node: node.name)
    shown = [partition for partition in partitions if "INACTIVE" not in partition.partition.state]
    return ClusterSnapshot(
        name=name,
        as_of=as_of,
        partitions=tuple(_partitions(shown, known, default_partition)),
        nodes=tuple(read_node(node) for node in known),
        licenses=tuple(_license(item, outside.get(item.name, 0)) for item in licenses),
        reservations=tuple(
            _reservations(item for item in reservations if item.name != SET_ASIDE_RESERVATION)
        ),
        abilities=frozenset(Ability),
        walltime_step_seconds=_SECONDS_PER_MINUTE,
    )


def _license(item: SlurmLicense, outside: int) -> License:
    return License(item.name, item.total, item.used + outside, outside)


def _set_aside(reservations: Iterable[SlurmReservation]) -> dict[str, int]:
    """By feature: what the portal keeps from jobs, since others use it; "vcs:2,primetime:1"."""
    texts = [item.licenses for item in reservations if item.name == SET_ASIDE_RESERVATION]
    pairs = [part.rpartition(":") for text in texts for part in text.split(",") if part]
    return {feature: int(count) for feature, _, count in pairs if count.isdecimal()}


def read_node(node: SlurmNode) -> Node:
    """One machine. Allocated GPUs of an unknown type are counted under ""."""
    state = _state(frozenset(node.state))
    return Node(
        name=node.name,
        state=state,
        cpus=node.effective_cpus or node.cpus,
        memory_mib=node.real_memory,
        gpus=read_gpus(node.gres),
        allocated_cpus=node.alloc_cpus,
        allocated_memory_mib=node.alloc_memory,
        allocated_gpus={gpu: count for gpu, count in read_gpus(node.gres_used).items() if count},
        reason=node.reason,
        seen_at=node.last_busy if state is NodeState.DOWN else None,
        features=frozenset(node.active_features or node.features),
    )


def read_gpus(gres: str) -> dict[str, int]:
    """`gpu:h100:8(S:0-1),gpu:l40s:4` as counts by type."""
    counts: dict[str, int] = {}
    for item in _items(gres):
        if match := _GPU.match(item):
            gpu_type = match[1] or ""
            counts[gpu_type] = counts.get(gpu_type, 0) + int(match[2])
    return counts


def _items(gres: str) -> Iterator[str]:
    """Split at the commas outside parentheses."""
    start = depth = 0
    for place, char in enumerate(gres):
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            yield gres[start:place]
            start = place + 1
    yield gres[start:]


def _state(words: frozenset[str]) -> NodeState:
    if words & _DOWN and not words & _ASLEEP:
        return NodeState.DOWN
    return NodeState.DRAINING if words & _DRAINING else NodeState.UP


def _partitions(
    partitions: list[SlurmPartition], nodes: list[SlurmNode], default: str | None
) -> Iterator[Partition]:
    told = next((partition.name for partition in partitions if partition.is_default), None)
    default = told or default or next((partition.name for partition in partitions), None)
    for partition in partitions:
        longest = _seconds(partition.maximums.time) or NO_LIMIT_SECONDS
        most = partition.maximums.nodes
        yield Partition(
            name=partition.name,
            nodes=tuple(node.name for node in nodes if partition.name in node.partitions),
            max_walltime_seconds=longest,
            # As Slurm does for a job that names no walltime.
            default_walltime_seconds=min(_seconds(partition.defaults.time) or longest, longest),
            max_nodes_per_job=most if isinstance(most, int) and most > 0 else None,
            is_default=partition.name == default,
        )


def _seconds(minutes: Number) -> int | None:
    return minutes * _SECONDS_PER_MINUTE if isinstance(minutes, int) and minutes > 0 else None


def _reservations(reservations: Iterable[SlurmReservation]) -> Iterator[Reservation]:
    for reservation in reservations:
        if reservation.start_time and reservation.end_time:
            yield Reservation(
                name=reservation.name,
                start_at=reservation.start_time,
                end_at=reservation.end_time,
                nodes=_nodes(reservation.node_list),
                accounts=_names(reservation.accounts),
                users=_names(reservation.users),
            )


def _nodes(said: str) -> tuple[str, ...]:
    try:
        return hostlist.expand(said) if said else ()
    except InvalidJobSpec:
        return (said,)


def _names(said: str) -> tuple[str, ...]:
    return tuple(name for name in said.split(",") if name)
