"""Memory limits that the kernel keeps: every promise in here needs a writable cgroup (v2) tree."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.dask_node.node_under_test import (
    BINH,
    NodeUnderTest,
    is_alive,
    processes_with,
    unique_seconds,
    wait_until,
)

SPIKE = "head -c 150000000 /dev/zero | tail >/dev/null"
"""Holds 150 MB for a moment: too short for somebody who looks twice a second, on most machines."""


@pytest.fixture(params=["sandbox", "user" if os.geteuid() == 0 else "none"])
def limited(request: pytest.FixtureRequest, start_node: Callable[..., NodeUnderTest]) -> NodeUnderTest:
    """A node whose runs have cgroups, under each isolation that can be had here."""
    node = start_node(isolation=request.param, allow_unisolated_tenants=True, sample_seconds=600)
    if problem := node.status["memory_is_watched_because"]:
        pytest.skip(f"no cgroups for runs here: {problem}")
    return node


def cgroups_of(node: NodeUnderTest) -> list[Path]:
    """All cgroups of runs on this node, by what it tells about itself."""
    return [path for path in Path(node.status["cgroup"]).rglob("run-*") if path.is_dir()]


def test_a_spike_beyond_the_limit_ends_as_out_of_memory(limited: NodeUnderTest) -> None:
    report = limited.run(SPIKE, memory_mib=64)
    assert (report.state, report.signal) == ("OUT_OF_MEMORY", 9)
    assert "64 MiB" in report.reason


def test_a_run_within_its_limit_completes(limited: NodeUnderTest) -> None:
    report = limited.run(f"{SPIKE} && echo whole", memory_mib=400)
    assert (report.state, report.exit_code) == ("COMPLETED", 0)
    assert limited.output() == "whole\n"


def test_whoever_goes_beyond_takes_its_whole_run_with_it(limited: NodeUnderTest) -> None:
    report = limited.run(f"({SPIKE}) & wait; echo survived", memory_mib=64)
    assert (report.state, report.signal) == ("OUT_OF_MEMORY", 9)
    assert limited.output() == ""


def test_files_in_memory_count(start_node: Callable[..., NodeUnderTest]) -> None:
    node = start_node(isolation="sandbox")
    if problem := node.status["memory_is_watched_because"]:
        pytest.skip(f"no cgroups for runs here: {problem}")
    for job, path in (("files", "/tmp/big"), ("segments", "/dev/shm/big")):  # noqa: S108 - inside the sandbox
        node.launch(node.lane(job, f"head -c 100000000 /dev/zero > {path}", memory_mib=64))
        assert node.wait_for_end(f"{job}/0/0/0").state == "OUT_OF_MEMORY"


def test_other_runs_of_the_tenant_go_on(limited: NodeUnderTest) -> None:
    limited.launch(limited.lane("patient", "sleep 2; echo done"))
    limited.launch(limited.lane("greedy", SPIKE, memory_mib=64))
    assert limited.wait_for_end("greedy/0/0/0").state == "OUT_OF_MEMORY"
    assert limited.wait_for_end("patient/0/0/0").state == "COMPLETED"


def test_the_next_run_of_a_lane_starts_afresh(limited: NodeUnderTest) -> None:
    script = f'if [ "$HPC_ARRAY_TASK_ID" = 1 ]; then {SPIKE}; fi; echo ended'
    limited.launch(limited.lane("job", script, tasks=range(4), memory_mib=64))
    states = [limited.wait_for_end(f"job/{task}/0/0").state for task in range(4)]
    assert states == ["COMPLETED", "OUT_OF_MEMORY", "COMPLETED", "COMPLETED"]


def test_a_run_is_in_its_cgroup_from_the_first_instruction(limited: NodeUnderTest) -> None:
    limited.run("", argv=("/bin/cat", "/proc/self/cgroup"))
    (line,) = [line for line in limited.output().splitlines() if line.startswith("0::")]
    assert Path(line).name.startswith("run-")


def test_what_cannot_be_started_says_so(limited: NodeUnderTest) -> None:
    report = limited.run("", argv=("/no/such/program",))
    assert (report.state, report.exit_code) == ("FAILED", 127)
    assert cgroups_of(limited) == []


def test_programs_find_signals_as_they_should_be(limited: NodeUnderTest) -> None:
    limited.run("grep -E 'Sig(Ign|Blk)' /proc/self/status; yes | head -n 1; echo $?")
    ignored, blocked, yes, code = limited.output().split("\n")[:4]
    assert (yes, code) == ("y", "0")
    assert {int(line.split()[1], 16) for line in (ignored, blocked)} == {0}


def test_nothing_is_left_of_a_run_that_ended(limited: NodeUnderTest) -> None:
    seconds = unique_seconds()
    report = limited.run(f"setsid sh -c 'setsid sleep {seconds} & sleep {seconds}' & echo started")
    assert report.state == "COMPLETED"
    assert processes_with(seconds) == []
    wait_until(lambda: cgroups_of(limited) == [], "the end of its cgroup")


def test_cancelling_ends_a_tree_that_grows_faster_than_it_can_be_listed(limited: NodeUnderTest) -> None:
    seconds = unique_seconds()
    limited.launch(limited.lane("job", f"while :; do setsid sleep {seconds} & sleep 0.01; done"))
    wait_until(lambda: len(processes_with(seconds)) > 3, "a growing tree")
    begun = time.monotonic()
    limited.cancel("job", grace_seconds=0)
    assert limited.wait_for_end("job/0/0/0").state == "CANCELLED"
    assert processes_with(seconds) == []
    assert time.monotonic() - begun < 30


def test_a_killed_supervisor_leaves_no_cgroup_behind(limited: NodeUnderTest) -> None:
    seconds = unique_seconds()
    lane = limited.lane("lost-with-its-cgroup", f"sleep {seconds}")
    limited.launch(lane)
    limited.wait_for_start(lane.runs[0].key)
    assert len(cgroups_of(limited)) == 1
    (executor,) = limited.status["executors"]
    limited.kill_supervisor()
    limited.disconnect()
    limited.connect()
    wait_until(lambda: not is_alive(executor) and not processes_with(seconds), "the end of what it left")
    assert limited.listed()[lane.runs[0].key].state == "NODE_FAIL"
    assert cgroups_of(limited) == []


def test_a_supervisor_that_leaves_takes_its_cgroups_with_it(limited: NodeUnderTest) -> None:
    limited.run("true")
    place = Path(limited.status["cgroup"])
    assert place.is_dir()
    limited.stop()
    wait_until(lambda: not place.exists(), "the end of the node's cgroup")
    limited.connect()


def test_tenants_have_cells_of_their_own(limited: NodeUnderTest) -> None:
    seconds = unique_seconds()
    script = f"exec sleep {seconds}"
    limited.launch(limited.lane("one", script), limited.lane("two", script, tenant=BINH))
    wait_until(lambda: len(processes_with(f"sleep\0{seconds}")) == 2, "both runs")
    assert len({path.parent for path in cgroups_of(limited)}) == 2
    for pid in processes_with(f"sleep\0{seconds}"):
        os.kill(pid, signal.SIGTERM)
    for job in ("one", "two"):
        assert limited.wait_for_end(f"{job}/0/0/0").signal == signal.SIGTERM
