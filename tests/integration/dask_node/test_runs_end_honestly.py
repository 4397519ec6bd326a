"""What a node says of a run is what happened to its processes."""

import json
from collections.abc import Callable

import pytest

from tests.integration.dask_node.node_under_test import BINH, NodeUnderTest, wait_until

HOG = "(head -c 200000000 /dev/zero; sleep 600) | tail"
"""Holds 200 MB."""


def test_a_run_that_succeeds_is_completed_with_all_its_output(isolated: NodeUnderTest) -> None:
    report = isolated.run("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo oops >&2")

    assert (report.state, report.exit_code, report.signal) == ("COMPLETED", 0, None)
    assert isolated.output().splitlines() == [f"line {i}" for i in range(20000)]
    assert isolated.errors() == "oops\n"
    assert report.started_at
    assert report.ended_at
    assert report.started_at < report.ended_at
    assert report.cpu_seconds > 0


def test_an_exit_code_is_kept(isolated: NodeUnderTest) -> None:
    report = isolated.run("exit 3")
    assert (report.state, report.exit_code, report.signal) == ("FAILED", 3, None)


def test_a_signal_is_told_apart_from_an_exit_code(isolated: NodeUnderTest) -> None:
    report = isolated.run("kill -SEGV $$")
    assert (report.state, report.exit_code, report.signal) == ("FAILED", None, 11)


def test_output_is_appended_when_a_run_is_repeated(node: NodeUnderTest) -> None:
    workspace = node.workspace()
    workspace.mkdir(parents=True)
    (workspace / "0.out").write_text("first attempt\n")
    node.run("echo second attempt")
    assert node.output() == "first attempt\nsecond attempt\n"


def test_output_never_goes_through_a_link(node: NodeUnderTest) -> None:
    workspace = node.workspace()
    workspace.mkdir(parents=True)
    (workspace / "target").write_text("precious")
    (workspace / "0.out").symlink_to("target")

    report = node.run("echo overwritten")

    assert report.state == "FAILED"
    assert (workspace / "target").read_text() == "precious"


def test_a_program_that_does_not_exist_fails_with_127_and_says_so(node: NodeUnderTest) -> None:
    report = node.run("", argv=("no-such-program",))
    assert (report.state, report.exit_code) == ("FAILED", 127)
    assert "no-such-program" in node.errors()


def test_a_file_that_may_not_be_executed_fails_with_126(node: NodeUnderTest) -> None:
    workspace = node.workspace()
    workspace.mkdir(parents=True)
    (workspace / "script").write_text("#!/bin/sh\n")
    report = node.run("", argv=(str(workspace / "script"),))
    assert (report.state, report.exit_code) == ("FAILED", 126)


def test_the_walltime_ends_a_run_that_ignores_sigterm(isolated: NodeUnderTest) -> None:
    report = isolated.run("trap '' TERM; while :; do sleep 1; done", walltime_seconds=1, grace_seconds=0.3)
    assert (report.state, report.reason, report.signal) == ("TIMEOUT", "TimeLimit", 9)


def test_a_run_may_save_between_sigterm_and_its_end(node: NodeUnderTest) -> None:
    script = "trap 'echo saved; exit 75' TERM; echo ready; while :; do sleep 0.1; done"
    report = node.run(script, walltime_seconds=1, grace_seconds=30)
    assert (report.state, report.exit_code) == ("TIMEOUT", 75)
    assert node.output().endswith("saved\n")


def test_a_warning_signal_comes_before_the_walltime(node: NodeUnderTest) -> None:
    script = "trap 'echo warned; exit 75' USR1; while :; do sleep 0.1; done"
    report = node.run(script, walltime_seconds=600, warning_seconds=599)
    assert (report.state, report.exit_code) == ("FAILED", 75)
    assert node.output() == "warned\n"


def test_a_run_above_its_memory_ends_as_out_of_memory(isolated: NodeUnderTest) -> None:
    report = isolated.run(HOG, memory_mib=64)
    assert (report.state, report.signal) == ("OUT_OF_MEMORY", 9)
    assert "of 64 MiB" in report.reason
    assert report.max_rss_mib > 64


def test_a_run_within_its_memory_is_left_alone(node: NodeUnderTest) -> None:
    node.launch(node.lane("job", HOG, memory_mib=4000))
    samples = node.workspace() / "samples/0.jsonl"
    wait_until(lambda: samples.exists() and len(samples.read_text().splitlines()) >= 2, "two samples")
    assert node.listed()["job/0/0/0"].state == "running"


def test_usage_is_sampled_while_a_run_goes_on(node: NodeUnderTest) -> None:
    node.launch(node.lane("job", "while :; do :; done"))
    samples = node.workspace() / "samples/0.jsonl"
    wait_until(lambda: samples.exists() and len(samples.read_text().splitlines()) >= 3, "three samples")
    node.cancel("job")
    node.wait_for_end("job/0/0/0")

    lines = [json.loads(line) for line in samples.read_text().splitlines()]

    assert all(line["cpu_percent"] > 0 and line["rss_mib"] > 0 for line in lines)
    assert lines[0]["at"] < lines[1]["at"] < lines[2]["at"]


def test_a_short_run_leaves_no_samples(node: NodeUnderTest) -> None:
    node.run("true")
    assert not (node.workspace() / "samples").exists()


def test_a_run_that_kills_all_it_can_ends_as_failed_and_disturbs_nobody(
    start_node: Callable[..., NodeUnderTest],
) -> None:
    node = start_node(isolation="sandbox")
    node.launch(node.lane("other", "echo here; exec sleep 600", tenant=BINH))
    node.wait_for_output("here", "other", tenant=BINH)

    report = node.run("sh -c 'kill -9 -1; true'; sleep 600")

    assert (report.state, report.signal) == ("FAILED", 9)
    assert node.listed()["other/0/0/0"].state == "running"
    after = node.lane("after", "echo still served")
    node.launch(after)
    assert node.wait_for_end(after.runs[0].key).state == "COMPLETED"


@pytest.mark.skipif("os.geteuid() != 0", reason="the job would kill this test: it has the same user")
def test_killing_the_own_executor_is_a_failure_of_the_run(start_node: Callable[..., NodeUnderTest]) -> None:
    node = start_node(isolation="user")
    report = node.run("kill -9 $PPID; sleep 600")
    assert (report.state, report.signal) == ("FAILED", 9)
    assert report.ended_at
