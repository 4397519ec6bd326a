"""What is kept of nodes that are silent."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, select, update
from sqlmodel import SQLModel, col

from hpc_portal.app.cluster_views import load, save, with_absent_nodes
from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.tables import ClusterView
from schedulers.cluster import ClusterSnapshot, NodeState
from tests.small_city import cluster

EMPTY = replace(cluster(), nodes=(), partitions=tuple(replace(p, nodes=()) for p in cluster().partitions))


def test_a_silent_node_stays_known_as_down_with_its_size_and_partition() -> None:
    whole = with_absent_nodes(replace(EMPTY, as_of=EMPTY.as_of + timedelta(hours=1)), cluster())
    (node,) = whole.nodes
    assert (node.state, node.cpus, node.seen_at) == (NodeState.DOWN, 64, cluster().as_of)
    assert whole.partitions[0].nodes == ("n1",)


def test_a_node_silent_for_a_week_is_gone() -> None:
    whole = with_absent_nodes(replace(EMPTY, as_of=EMPTY.as_of + timedelta(days=8)), cluster())
    assert whole.nodes == ()


def test_a_node_that_reports_is_taken_as_it_reports() -> None:
    assert with_absent_nodes(cluster(), cluster()) == cluster()


def test_what_an_earlier_portal_stored_is_read_with_what_it_did_not_know(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'portal.db'}")

    def store_without_step(connection: Connection) -> list[ClusterSnapshot]:
        SQLModel.metadata.create_all(connection)
        save(connection, cluster())
        stored = connection.execute(select(col(ClusterView.snapshot))).scalar_one()
        earlier = {name: value for name, value in stored.items() if name != "walltime_step_seconds"}
        assert earlier != stored
        connection.execute(update(ClusterView).values(snapshot=earlier))
        return load(connection)

    assert transact(engine, store_without_step) == [cluster()]
    engine.dispose()
