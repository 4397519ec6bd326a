"""When a run is over, none of its processes is left, however they hid."""

import os
import signal

from tests.integration.dask_node.node_under_test import (
    NodeUnderTest,
    processes_with,
    unique_seconds,
    wait_until,
)


def family(seconds: str) -> str:
    """A child, a grandchild in a session of its own, a double fork, one without a name: all ignore SIGTERM.

    The script itself waits for the file `go`.
    """
    return f"""
    trap '' TERM
    sleep {seconds} &
    sh -c 'setsid sleep {seconds}' &
    (setsid sh -c 'sleep {seconds} & sleep {seconds} & exit' &)
    (env -i setsid sh -c 'sleep {seconds} &' &)
    until [ -e go ]; do sleep 0.05; done
    """


def wait_for_family(seconds: str) -> None:
    wait_until(lambda: len(processes_with(f"sleep\0{seconds}")) == 5, "the whole family")


def test_cancel_ends_the_whole_tree(isolated: NodeUnderTest) -> None:
    seconds = unique_seconds()
    isolated.launch(isolated.lane("job", family(seconds)))
    wait_for_family(seconds)

    isolated.cancel("job")

    assert isolated.wait_for_end("job/0/0/0").state == "CANCELLED"
    wait_until(lambda: not processes_with(seconds), "the end of the family")


def test_a_run_that_ends_by_itself_leaves_no_process(isolated: NodeUnderTest) -> None:
    seconds = unique_seconds()
    isolated.launch(isolated.lane("job", family(seconds)))
    wait_for_family(seconds)

    (isolated.workspace() / "go").touch()

    assert isolated.wait_for_end("job/0/0/0").state == "COMPLETED"
    wait_until(lambda: not processes_with(seconds), "the end of the family")


def test_the_end_of_a_run_leaves_the_tenants_other_runs_alone(isolated: NodeUnderTest) -> None:
    seconds, others = unique_seconds(), unique_seconds()
    isolated.launch(isolated.lane("other", f"(setsid sleep {others} &); echo here; sleep 600"))
    isolated.wait_for_output("here", "other")

    isolated.run(f"(setsid sleep {seconds} &); sleep 0.1")

    wait_until(lambda: not processes_with(seconds), "the end of what was left")
    assert processes_with(others)
    assert isolated.listed()["other/0/0/0"].state == "running"


def test_a_killed_executor_leaves_no_process(isolated: NodeUnderTest) -> None:
    seconds = unique_seconds()
    isolated.launch(isolated.lane("job", family(seconds)))
    wait_for_family(seconds)

    (executor,) = isolated.status["executors"]
    os.kill(executor, signal.SIGKILL)

    report = isolated.wait_for_end("job/0/0/0")
    assert (report.state, report.signal) == ("FAILED", 9)
    wait_until(lambda: not processes_with(seconds), "the end of the family")
