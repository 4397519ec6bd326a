"""Runs and their results outlive clients, and results outlive the supervisor."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.dask_node.node_under_test import (
    NodeUnderTest,
    is_alive,
    processes_with,
    unique_seconds,
    wait_until,
)


def test_runs_go_on_while_nobody_is_connected(isolated: NodeUnderTest) -> None:
    lane = isolated.lane("job", "until [ -e go ]; do sleep 0.05; done; echo went on")
    isolated.launch(lane)
    isolated.wait_for_start(lane.runs[0].key)
    supervisor = isolated.status["supervisor_id"]

    isolated.disconnect()
    (isolated.workspace() / "go").touch()
    wait_until(lambda: "went on" in isolated.output(), "the output of an orphan")
    isolated.connect()

    assert isolated.status["supervisor_id"] == supervisor
    wait_until(lambda: isolated.listed()[lane.runs[0].key].has_ended, "the listed end")
    assert isolated.listed()[lane.runs[0].key].state == "COMPLETED"


def test_two_clients_hear_the_same(node: NodeUnderTest) -> None:
    other = NodeUnderTest(node.config)
    report = node.run("exit 7")
    assert other.wait_for_end(report.key) == report
    other.disconnect()


def test_a_killed_supervisor_ends_its_runs_as_node_fail(isolated: NodeUnderTest) -> None:
    seconds = unique_seconds()
    isolated.run("exit 5")
    lane = isolated.lane("lost", f"(env -i setsid sleep {seconds} &); sleep {seconds}", tasks=range(2))
    isolated.launch(lane)
    isolated.wait_for_start(lane.runs[0].key)
    wait_until(lambda: len(processes_with(seconds)) >= 2, "the processes of the run")
    status = isolated.status

    isolated.kill_supervisor()
    isolated.disconnect()
    isolated.connect()

    known = isolated.listed()
    assert isolated.status["supervisor_id"] != status["supervisor_id"]
    assert [known[run.key].state for run in lane.runs] == ["NODE_FAIL", "NODE_FAIL"]
    assert known[lane.runs[0].key].started_at
    assert known[lane.runs[1].key].started_at is None
    assert (known["job/0/0/0"].state, known["job/0/0/0"].exit_code) == ("FAILED", 5)
    wait_until(lambda: not processes_with(seconds), "the end of what was left")
    assert not any(map(is_alive, status["executors"]))


def test_a_run_known_from_before_is_not_started_again(node: NodeUnderTest) -> None:
    lane = node.lane("job", "echo started")
    node.launch(lane)
    node.wait_for_end(lane.runs[0].key)
    node.kill_supervisor()
    node.disconnect()
    node.connect()
    node.launch(lane)
    assert node.listed()[lane.runs[0].key].state == "COMPLETED"
    assert node.output() == "started\n"


def test_what_is_forgotten_is_not_listed_again(node: NodeUnderTest) -> None:
    report = node.run("true")
    running = node.lane("running", "sleep 600")
    node.launch(running)
    node.request("forget", keys=[report.key, running.runs[0].key])
    assert list(node.listed()) == [running.runs[0].key]
    node.kill_supervisor()
    node.disconnect()
    node.connect()
    assert list(node.listed()) == [running.runs[0].key]


def test_it_leaves_when_there_is_nothing_to_do(start_node: Callable[..., NodeUnderTest]) -> None:
    node = start_node(idle_exit_seconds=0.5)
    node.run("exit 4")
    pid = node.status["pid"]
    node.disconnect()
    wait_until(lambda: not is_alive(pid), "its leaving")
    node.connect()
    assert node.listed()["job/0/0/0"].exit_code == 4


def test_idle_executors_are_let_go(start_node: Callable[..., NodeUnderTest]) -> None:
    node = start_node(executor_idle_seconds=0.2)
    node.run("true")
    wait_until(lambda: not node.status["executors"], "its leaving")
    lane = node.lane("next", "true")
    node.launch(lane)
    assert node.wait_for_end(lane.runs[0].key).state == "COMPLETED"


def test_a_node_that_was_given_up_stops_computing(start_node: Callable[..., NodeUnderTest]) -> None:
    seconds = unique_seconds()
    node = start_node(orphan_grace_seconds=1.0)
    node.launch(node.lane("job", f"sleep {seconds}"))
    wait_until(lambda: processes_with(seconds), "the run")
    node.disconnect()
    wait_until(lambda: not processes_with(seconds), "the end of the run")
    node.connect()
    wait_until(lambda: node.listed()["job/0/0/0"].has_ended, "the listed end")
    assert node.listed()["job/0/0/0"].state == "NODE_FAIL"


def test_nothing_of_its_starter_reaches_a_run(
    start_node: Callable[..., NodeUnderTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPC_PORTAL_SECRET_KEY", "s3cret")
    node = start_node()
    node.run("env", environment={"MINE": "1"})
    names = {line.partition("=")[0] for line in node.output().splitlines()}
    assert names == {
        *("CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES", "HOME", "HPC_ARRAY_TASK_ID", "HPC_CPUS"),
        *("HPC_GPU_INDICES", "HPC_MEMORY_MIB", "HPC_RUN_KEY", "LANG", "LOGNAME", "MINE", "OMP_NUM_THREADS"),
        *("PATH", "PWD", "TMPDIR", "USER"),
    }
    status = node.status
    for pid in (status["pid"], *status["executors"]):
        with contextlib.suppress(PermissionError):  # closed to us, who are not root: even better
            assert b"s3cret" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_only_its_owner_may_talk_to_it(node: NodeUnderTest) -> None:
    state_dir = os.stat(node.config.state_dir)  # noqa: PTH116 - its mode is meant
    assert state_dir.st_mode & 0o777 == 0o700
    assert os.stat(f"{node.config.state_dir}/supervisor.sock").st_mode & 0o777 == 0o600  # noqa: PTH116


def test_a_bad_request_is_answered_and_harms_nothing(node: NodeUnderTest) -> None:
    lane = node.lane("job", "sleep 600")
    node.launch(lane)
    with pytest.raises(AssertionError, match="no request"):
        node.request("dance")
    with pytest.raises(AssertionError, match="KeyError"):
        node.request("launch", lanes=[{}])
    assert node.listed()[lane.runs[0].key].state in {"queued", "running"}
