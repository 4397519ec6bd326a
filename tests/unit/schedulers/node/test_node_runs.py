"""The state of a node's runs, without any process."""

from dataclasses import replace

import pytest

from schedulers.dask.accounts import RunRefused
from schedulers.dask.messages import Command, Lane, NodeEvent, NodeHello, Run, RunReport, Tenant
from schedulers.dask.node import NodeConfig, declared_gpus
from schedulers.dask.node_runs import NodeRuns

CONFIG = NodeConfig("n", "/s", "/w", cpus=8, memory_mib=1000, gpus=declared_gpus({"h100": 2}))
COMMAND = Command(Tenant("o", "p", "u"), ("true",), {}, "/w", "/w", 60, 1.0)
LANE = Lane("lane", COMMAND, tuple(Run(f"j/{i}/0/0", {}, "o", "e", "s") for i in range(2)), 4, 500, (0,))
FIRST, SECOND = (run.key for run in LANE.runs)


@pytest.fixture
def runs() -> NodeRuns:
    state = NodeRuns({})
    state.open(LANE, now=100.0)
    return state


def end(**facts: object) -> dict[str, object]:
    return {"state": "COMPLETED", "exit_code": 0, "ended_at": 103.0, **facts}


def test_a_lane_is_drained_when_its_last_run_has_ended(runs: NodeRuns) -> None:
    runs.started(FIRST, 101.0, now=101.1)
    runs.ended(FIRST, end(), now=103.1)
    assert runs.take_drained(["lane"]) == []
    runs.ended(SECOND, end(started_at=104.0, ended_at=105.0), now=105.1)
    assert runs.take_drained(["lane"]) == ["lane"]
    assert runs.lanes == {}
    assert runs.reports[SECOND].started_at == 104.0


def test_an_end_is_taken_once(runs: NodeRuns) -> None:
    assert runs.ended(FIRST, end(), now=103.1)
    assert runs.ended(FIRST, end(state="FAILED"), now=104.0) is None
    assert runs.started(FIRST, 104.0, now=104.0) is None
    assert runs.reports[FIRST].state == "COMPLETED"


@pytest.mark.parametrize(
    ("claimed", "believed"),
    [(102.0, 102.0), (99.0, 100.0), (50.0, 103.0), (500.0, 103.0)],
)
def test_a_start_lies_between_the_launch_and_now(runs: NodeRuns, claimed: float, believed: float) -> None:
    report = runs.started(FIRST, claimed, now=103.0)
    assert report
    assert report.started_at == believed


def test_a_run_cannot_start_before_the_one_ahead_of_it_ended(runs: NodeRuns) -> None:
    runs.started(FIRST, 101.0, now=101.0)
    runs.ended(FIRST, end(), now=103.0)
    report = runs.started(SECOND, 101.5, now=104.0)
    assert report
    assert report.started_at == 103.0


def test_an_end_never_lies_before_its_start(runs: NodeRuns) -> None:
    runs.started(FIRST, 102.0, now=102.0)
    report = runs.ended(FIRST, end(ended_at=101.0), now=103.0)
    assert report
    assert report.ended_at == 102.0


def test_only_the_first_of_a_lane_may_have_started(runs: NodeRuns) -> None:
    assert runs.perhaps_started(["lane"]) == {FIRST: 100.0}
    runs.started(FIRST, 101.0, now=101.0)
    runs.ended(FIRST, end(), now=103.0)
    assert runs.perhaps_started(["lane"]) == {SECOND: 103.0}


def test_runs_are_found_by_job(runs: NodeRuns) -> None:
    runs.ended(FIRST, end(), now=103.0)
    assert runs.keys_of({"j", "other"}) == [SECOND]


def test_only_ended_runs_are_forgotten(runs: NodeRuns) -> None:
    runs.ended(FIRST, end(), now=103.0)
    assert runs.forget([FIRST, SECOND, "unknown/0/0/0"]) == [FIRST]
    assert runs.fresh([FIRST, SECOND]) == {FIRST}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"gpu_indices": (0,)}, "GPU 0 is held by lane lane"),
        ({"gpu_indices": (2,)}, "no GPU 2"),
        ({"cpus": 5}, "9 CPUs"),
        ({"memory_mib": 501}, "1001 MiB"),
    ],
)
def test_a_lane_must_fit_beside_the_open_ones(
    runs: NodeRuns, changes: dict[str, object], complaint: str
) -> None:
    other = replace(LANE, lane_id="other", gpu_indices=(1,))
    runs.check(other, CONFIG)
    with pytest.raises(RunRefused, match=complaint):
        runs.check(replace(other, **changes), CONFIG)  # type: ignore[arg-type]


def test_a_lane_does_not_stand_in_its_own_way(runs: NodeRuns) -> None:
    runs.check(replace(LANE, cpus=8, memory_mib=1000), CONFIG)


def test_messages_survive_json() -> None:
    report = RunReport("j/0/0/0", "lane", "FAILED", "x", 1.0, 2.0, 0, None, 0.5, 12, 1.5, (1, 2))
    hello = NodeHello("n", "tcp://a", "id", 1, 2, {"h100": (0, 1)}, missing_programs=("yosys",))
    event = NodeEvent("n", "id", hello, (report,), ("lane",))
    assert NodeEvent.from_json(event.to_json()) == event
    assert Lane.from_json(LANE.to_json()) == LANE


def test_a_report_leaves_out_what_is_not_known_but_keeps_exit_code_0() -> None:
    report = RunReport("j/0/0/0", "lane", "COMPLETED", exit_code=0)
    assert report.to_json() == {"key": "j/0/0/0", "lane_id": "lane", "state": "COMPLETED", "exit_code": 0}
