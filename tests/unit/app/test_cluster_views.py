"""What is kept of nodes that are silent."""

from dataclasses import replace
from datetime import timedelta

from hpc_portal.app.cluster_views import with_absent_nodes
from schedulers.cluster import NodeState
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
