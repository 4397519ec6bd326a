"""A lane is a share of the node: its runs come one after another, and nothing is started twice."""

from collections.abc import Callable
from dataclasses import replace

from schedulers.dask.node import declared_gpus
from tests.integration.dask_node.node_under_test import BINH, NodeUnderTest


def test_runs_of_a_lane_come_in_order_and_one_at_a_time(isolated: NodeUnderTest) -> None:
    script = "mkdir busy && echo $HPC_ARRAY_TASK_ID >> order && rmdir busy"
    lane = isolated.lane("job", script, tasks=range(50))
    isolated.launch(lane)
    isolated.wait(lambda: lane.lane_id in isolated.drained, "the lane's end")

    assert [isolated.runs[run.key].state for run in lane.runs] == ["COMPLETED"] * 50
    assert (isolated.workspace() / "order").read_text().split() == [str(i) for i in range(50)]


def test_lanes_run_beside_each_other(node: NodeUnderTest) -> None:
    meet = "touch $HPC_ARRAY_TASK_ID; until [ -e 0 ] && [ -e 1 ]; do sleep 0.05; done"
    lanes = [node.lane("job", meet, tasks=range(i, i + 1)) for i in range(2)]
    node.launch(*lanes)
    for lane in lanes:
        assert node.wait_for_end(lane.runs[0].key).state == "COMPLETED"


def test_launching_twice_starts_once(node: NodeUnderTest) -> None:
    lane = node.lane("job", "echo started; sleep 0.3")
    node.launch(lane, lane)
    node.launch(lane)
    node.wait_for_end(lane.runs[0].key)
    node.launch(lane)
    assert node.output() == "started\n"


def test_a_known_lane_is_told_to_be_drained_again(node: NodeUnderTest) -> None:
    lane = node.lane("job", "true")
    node.launch(lane)
    node.wait(lambda: lane.lane_id in node.drained, "the lane's end")
    node.drained.clear()
    node.launch(lane)
    node.wait(lambda: lane.lane_id in node.drained, "the lane's end told again")


def test_an_open_lane_takes_more_runs(node: NodeUnderTest) -> None:
    first = node.lane("job", "until [ -e go ]; do sleep 0.05; done; echo done", tasks=range(2))
    more = replace(node.lane("job", "", tasks=range(2, 4)), lane_id=first.lane_id, command=first.command)
    node.launch(first)
    node.wait_for_start(first.runs[0].key)
    node.launch(more)
    (node.workspace() / "go").touch()
    node.wait(lambda: first.lane_id in node.drained, "the lane's end")
    assert node.ended_in_order == [f"job/{task}/0/0" for task in range(4)]


def test_cancel_drops_queued_runs_that_never_started(node: NodeUnderTest) -> None:
    lane = node.lane("job", "sleep 600", tasks=range(500))
    node.launch(lane)
    node.wait_for_start(lane.runs[0].key)

    node.cancel("job")

    node.wait(lambda: lane.lane_id in node.drained, "the lane's end")
    ends = [node.runs[run.key] for run in lane.runs]
    assert {end.state for end in ends} == {"CANCELLED"}
    assert ends[0].started_at is not None
    assert {end.started_at for end in ends[1:]} == {None}


def test_cancel_of_one_run_lets_the_lane_go_on(node: NodeUnderTest) -> None:
    lane = node.lane("job", "[ $HPC_ARRAY_TASK_ID != 0 ] || sleep 600", tasks=range(3))
    node.launch(lane)
    node.wait_for_start(lane.runs[0].key)
    node.cancel(keys=(lane.runs[0].key, lane.runs[2].key, "unknown/0/0/0"))
    node.wait(lambda: lane.lane_id in node.drained, "the lane's end")
    assert [node.runs[run.key].state for run in lane.runs] == ["CANCELLED", "COMPLETED", "CANCELLED"]


def test_a_recall_takes_only_what_has_not_started(node: NodeUnderTest) -> None:
    lane = node.lane("job", "until [ -e go ]; do sleep 0.05; done", tasks=range(3))
    node.launch(lane)
    node.wait_for_start(lane.runs[0].key)
    node.request("recall", keys=[run.key for run in lane.runs])
    for run in lane.runs[1:]:
        assert node.wait_for_end(run.key).started_at is None
    (node.workspace() / "go").touch()
    node.wait(lambda: lane.lane_id in node.drained, "the lane's end")
    assert [node.runs[run.key].state for run in lane.runs] == ["COMPLETED", "CANCELLED", "CANCELLED"]


def test_gpus_are_shown_to_their_run_and_to_no_other(start_node: Callable[..., NodeUnderTest]) -> None:
    node = start_node(gpus=declared_gpus({"h100": 4}))
    show = "echo gpus:$CUDA_VISIBLE_DEVICES"
    for job, gpus in (("with", (1, 3)), ("without", ())):
        lane = node.lane(job, show, gpu_indices=gpus)
        node.launch(lane)
        assert node.wait_for_end(lane.runs[0].key).gpu_indices == gpus
    assert node.output("with") == "gpus:1,3\n"
    assert node.output("without") == "gpus:\n"


def test_a_gpu_is_never_given_to_two_lanes(start_node: Callable[..., NodeUnderTest]) -> None:
    node = start_node(gpus=declared_gpus({"h100": 2}))
    node.launch(node.lane("first", "sleep 600", gpu_indices=(0, 1)))
    node.launch(node.lane("second", "true", gpu_indices=(1,), tenant=BINH))
    report = node.wait_for_end("second/0/0/0")
    assert (report.state, report.started_at) == ("BOOT_FAIL", None)
    assert "GPU 1 is held by lane first-0" in report.reason

    node.cancel("first")
    node.wait(lambda: "first-0" in node.drained, "the first lane's end")
    node.launch(node.lane("third", "true", gpu_indices=(1,), tenant=BINH))
    assert node.wait_for_end("third/0/0/0").state == "COMPLETED"


def test_a_lane_that_does_not_fit_is_refused(start_node: Callable[..., NodeUnderTest]) -> None:
    node = start_node(cpus=4)
    node.launch(node.lane("first", "sleep 600", cpus=3))
    node.launch(node.lane("second", "true", cpus=2))
    report = node.wait_for_end("second/0/0/0")
    assert (report.state, report.reason) == ("BOOT_FAIL", "Lanes would hold 5 CPUs; this node offers 4.")
    assert "second-0" in node.drained


def test_cpus_are_told_to_the_run(node: NodeUnderTest) -> None:
    node.run("echo $HPC_CPUS $OMP_NUM_THREADS", cpus=3)
    assert node.output() == "3 3\n"
