"""The last known state of each cluster, kept by the controller so that web processes need not ask it."""

from pydantic import TypeAdapter
from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from hpc_portal.app.tables import ClusterView
from schedulers.cluster import ClusterSnapshot

_SNAPSHOT = TypeAdapter(ClusterSnapshot)


def save(connection: Connection, snapshot: ClusterSnapshot) -> None:
    """Replace what is known of this cluster."""
    values = {"as_of": snapshot.as_of, "snapshot": _SNAPSHOT.dump_python(snapshot, mode="json")}
    replaced = connection.execute(
        update(ClusterView).where(col(ClusterView.name) == snapshot.name).values(values)
    )
    if not replaced.rowcount:
        connection.execute(insert(ClusterView).values(name=snapshot.name, **values))


def load(connection: Connection) -> list[ClusterSnapshot]:
    """Every cluster that ever reported, by name; look at `as_of` for the age."""
    rows = connection.execute(select(col(ClusterView.snapshot)).order_by(col(ClusterView.name))).scalars()
    return [_SNAPSHOT.validate_python(row) for row in rows]
