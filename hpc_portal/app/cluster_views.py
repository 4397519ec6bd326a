"""The last known state of each cluster, kept by the controller so that web processes need not ask it."""

from dataclasses import replace
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from hpc_portal.app.tables import ClusterView
from schedulers.cluster import ClusterSnapshot, NodeState

_KEPT = timedelta(days=7)
_SNAPSHOT = TypeAdapter(ClusterSnapshot)


def save(connection: Connection, snapshot: ClusterSnapshot) -> None:
    """Replace what is known of this cluster; nodes that it no longer tells of are kept as down for a week.

    A scheduler that has just started knows its nodes only as they report: jobs for them are still accepted.
    """
    is_it = col(ClusterView.name) == snapshot.name
    stored = connection.execute(select(col(ClusterView.snapshot)).where(is_it)).scalar()
    before = _readable(stored) if stored else None
    whole = with_absent_nodes(snapshot, before) if before else snapshot
    values = {"as_of": whole.as_of, "snapshot": _SNAPSHOT.dump_python(whole, mode="json")}
    if stored:
        connection.execute(update(ClusterView).where(is_it).values(values))
    else:
        connection.execute(insert(ClusterView).values(name=whole.name, **values))


def with_absent_nodes(now: ClusterSnapshot, before: ClusterSnapshot) -> ClusterSnapshot:
    """A snapshot with the nodes of an earlier one that it lacks, as down and idle. Pure."""
    present = {node.name for node in now.nodes}
    absent = tuple(
        replace(
            node,
            state=NodeState.DOWN,
            allocated_cpus=0,
            allocated_memory_mib=0,
            allocated_gpus={},
            reason="NotResponding",
            seen_at=node.seen_at or before.as_of,
        )
        for node in before.nodes
        if node.name not in present and now.as_of - (node.seen_at or before.as_of) < _KEPT
    )
    names = {node.name for node in absent}
    members = {partition.name: names.intersection(partition.nodes) for partition in before.partitions}
    partitions = tuple(
        replace(partition, nodes=(*partition.nodes, *sorted(members.get(partition.name, ()))))
        for partition in now.partitions
    )
    return replace(now, nodes=(*now.nodes, *absent), partitions=partitions)


def load(connection: Connection) -> list[ClusterSnapshot]:
    """Every cluster that ever reported, by name; look at `as_of` for the age."""
    rows = connection.execute(select(col(ClusterView.snapshot)).order_by(col(ClusterView.name))).scalars()
    return [snapshot for row in rows if (snapshot := _readable(row))]


def _readable(stored: object) -> ClusterSnapshot | None:
    """None for what another version of the portal wrote and this one cannot read: a fresh one comes soon."""
    try:
        return _SNAPSHOT.validate_python(stored)
    except ValidationError:
        return None
