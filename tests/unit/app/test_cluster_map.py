"""The map of a cluster: what becomes of each GPU, as one reader may know it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from hpc_portal.app.cluster_map import GpuGroup, MapFilter, MappedNode, Use, VisibleRun, map_nodes
from hpc_portal.app.cluster_queue import UsualWait, usual_wait
from schedulers.cluster import ClusterSnapshot, Node, NodeState, Partition

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
MINE, THEIRS = UUID(int=1), UUID(int=2)


def run(job: UUID = MINE, *, node: str = "n1", **more: object) -> VisibleRun:
    return VisibleRun(job, f"job-{job.int}", job == MINE, node, **more)  # type: ignore[arg-type]


def mapped(*runs: VisibleRun, busy: int = 0, state: NodeState = NodeState.UP, cpus: int = 0) -> MappedNode:
    node = Node("n1", state, 64, 1024, {"h100": 4}, cpus, allocated_gpus={"h100": busy})
    partition = Partition("main", ("n1",), 3600, 60, is_default=True)
    [found] = map_nodes(ClusterSnapshot("c", NOW, (partition,), (node,)), runs)
    return found


def drawn(node: MappedNode) -> list[tuple[Use, int]]:
    return [(group.use, group.count) for group in node.groups]


def test_what_is_busy_and_no_run_of_ones_own_is_others() -> None:
    node = mapped(run(gpu_indices={"h100": (1, 2)}), busy=3)
    assert drawn(node) == [(Use.OTHERS, 1), (Use.MINE, 2), (Use.FREE, 1)]
    assert [(group.job_id, group.job_name) for group in node.groups] == [
        (None, ""),
        (MINE, "job-1"),
        (None, ""),
    ]
    assert (node.use, node.counts()[Use.OTHERS], node.jobs) == (Use.MINE, 1, {MINE: "job-1"})


def test_where_only_the_number_is_told_the_first_gpus_are_taken() -> None:
    node = mapped(run(THEIRS, gpus={"h100": 1}), run(gpus={"": 2}), busy=4)
    assert drawn(node) == [(Use.PROJECT, 1), (Use.MINE, 2), (Use.OTHERS, 1)]


def test_runs_that_take_turns_on_a_gpu_are_drawn_once() -> None:
    waiting = [run(gpu_indices={"h100": (0,)}) for _ in range(3)]
    assert drawn(mapped(*waiting, busy=1)) == [(Use.MINE, 1), (Use.FREE, 3)]


def test_an_exclusive_job_has_the_whole_node() -> None:
    assert drawn(mapped(run(takes_all=True), busy=4)) == [(Use.MINE, 4)]


def test_more_than_there_is_leaves_the_drawing_whole() -> None:
    node = mapped(run(gpu_indices={"h100": (7, 3)}), run(THEIRS, gpus={"h100": 9}), busy=4)
    assert sum(group.count for group in node.groups) == 4


@pytest.mark.parametrize(
    ("state", "busy", "expected", "whole"),
    [
        (NodeState.DOWN, 2, [(Use.DOWN, 4)], Use.DOWN),
        (NodeState.DRAINING, 1, [(Use.OTHERS, 1), (Use.DRAINED, 3)], Use.OTHERS),
        (NodeState.DRAINING, 0, [(Use.DRAINED, 4)], Use.DRAINED),
        (NodeState.UP, 0, [(Use.FREE, 4)], Use.FREE),
    ],
)
def test_idle_gpus_are_free_only_where_jobs_are_taken(
    state: NodeState, busy: int, expected: list[tuple[Use, int]], whole: Use
) -> None:
    node = mapped(state=state, busy=busy)
    assert (drawn(node), node.use) == (expected, whole)


def test_nodes_are_looked_for_by_gpu_partition_use_and_name() -> None:
    node = mapped(run(gpu_indices={"h100": (0,)}), busy=1)
    assert node.groups[0] == GpuGroup("h100", Use.MINE, 1, MINE, "job-1")
    for wanted in (MapFilter(), MapFilter("h100", "main", Use.MINE, "N1"), MapFilter(use=Use.FREE)):
        assert wanted.keeps(node)
    others = (MapFilter("a100"), MapFilter(partition="eda"), MapFilter(use=Use.DOWN), MapFilter(text="n2"))
    for other in others:
        assert not other.keeps(node)


def test_few_starts_are_no_measure_of_a_wait() -> None:
    assert usual_wait([5.0] * 4) is None
    assert usual_wait([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]) == UsualWait(50, 90)
