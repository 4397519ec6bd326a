from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from hpc_portal.app.reports.watch_capacity import Supply, local_days, supply_of
from schedulers.cluster import ClusterSnapshot, License, Node, NodeState

NOON = datetime(2026, 11, 26, 5, 0, tzinfo=UTC)


def cluster(*nodes: Node, licenses: tuple[License, ...] = ()) -> ClusterSnapshot:
    return ClusterSnapshot(name="dask", as_of=NOON, partitions=(), nodes=nodes, licenses=licenses)


def test_what_is_up_is_available_and_what_is_down_is_only_installed() -> None:
    up = Node("n1", NodeState.UP, 64, 1024, {"h100": 8}, 16, 256, {"h100": 3})
    down = Node("n2", NodeState.DOWN, 64, 1024, {"h100": 8})
    found = supply_of(cluster(up, down))
    assert found["gres/gpu"] == found["gres/gpu:h100"] == Supply(16, 8, 3)
    assert found["cpu"] == Supply(128, 64, 16)
    assert found["node"] == Supply(2, 1, 1)
    assert found["mem"] == Supply(2048, 1024, 256)


def test_a_draining_node_is_available_as_far_as_it_still_works() -> None:
    found = supply_of(cluster(Node("n1", NodeState.DRAINING, 64, 1024, {}, 16, 256)))
    assert found["cpu"] == Supply(64, 16, 16)
    assert found["node"] == Supply(1, 1, 1)


def test_kinds_of_gpus_add_up() -> None:
    node = Node("n1", NodeState.UP, 64, 1024, {"h100": 4, "l40s": 2}, 8, 8, {"l40s": 1})
    found = supply_of(cluster(node))
    assert (found["gres/gpu"], found["gres/gpu:l40s"]) == (Supply(6, 6, 1), Supply(2, 2, 1))


def test_licences_are_counted_over_the_cluster() -> None:
    found = supply_of(cluster(licenses=(License("vcs", total=4, used=3),)))
    assert found["license/vcs"] == Supply(4, 4, 3)


def test_midnight_in_da_nang_cuts_an_interval() -> None:
    before = datetime(2026, 11, 26, 16, 59, 50, tzinfo=UTC)  # 23:59:50 in the city
    assert local_days(before, before + timedelta(seconds=60)) == [
        (date(2026, 11, 26), 10),
        (date(2026, 11, 27), 50),
    ]


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 400_000), min_size=1, max_size=20))
def test_intervals_in_a_row_count_every_second_once(steps: list[float]) -> None:
    marks = [NOON]
    for step in steps:
        marks.append(marks[-1] + timedelta(seconds=step))
    counted = sum(seconds for since, until in pairwise(marks) for _, seconds in local_days(since, until))
    assert counted == int(marks[-1].timestamp()) - int(marks[0].timestamp())
