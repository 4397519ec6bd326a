"""The launch script with a `python` that only notes how it was called, and what it makes of its end."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from workloads.ai.launch import launch_script, launch_variables

ONE_NODE = {"HPC_NNODES": "1"}
SECOND_OF_THREE = {
    "HPC_NNODES": "3",
    "HPC_NODE_RANK": "1",
    "HPC_NODELIST": "gpu01,gpu02,gpu03",
    "MASTER_ADDR": "gpu01",
    "MASTER_PORT": "23456",
}


def start(
    folder: Path, processes: int, variables: Mapping[str, str], python: str = ""
) -> "subprocess.Popen[bytes]":
    script, tool = folder / "script", folder / "python"
    script.write_text(launch_script("train.py now"))
    tool.write_text(f'#!/bin/bash\necho "$@" > called.new; mv called.new called\n{python}\n')
    for path in (script, tool):
        path.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", **variables, **launch_variables(processes)}
    return subprocess.Popen([script], cwd=folder, env=environment)


def called(folder: Path) -> str:
    deadline = time.monotonic() + 60
    while not (folder / "called").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return (folder / "called").read_text().strip()


def test_one_process_is_started_without_a_launcher(tmp_path: Path) -> None:
    assert start(tmp_path, 1, ONE_NODE).wait(60) == 0
    assert called(tmp_path) == "-u train.py now"


def test_several_processes_of_one_node_meet_by_themselves(tmp_path: Path) -> None:
    assert start(tmp_path, 4, ONE_NODE).wait(60) == 0
    assert called(tmp_path).startswith("-u -m torch.distributed.run --standalone --nproc-per-node 4 ")


@pytest.mark.parametrize("processes", [1, 8])
def test_many_nodes_meet_at_the_first_of_the_scheduler_s_list(tmp_path: Path, processes: int) -> None:
    assert start(tmp_path, processes, SECOND_OF_THREE).wait(60) == 0
    assert called(tmp_path).startswith(
        "-u -m torch.distributed.run --nnodes 3 --node-rank 1 "
        f"--master-addr gpu01 --master-port 23456 --nproc-per-node {processes} "
    )


@pytest.mark.parametrize(
    ("events", "written", "code"),
    [
        ("", "", 9),
        ("", '{"event": "preempted"}', 75),
        ('{"event": "preempted"}\n', "", 9),
        ('{"event": "preempted"}\n', '{"event": "epoch"}', 9),
        ("", '{"event": "diverged"}', 9),
    ],
)
def test_a_launcher_that_fails_was_preempted_only_if_its_processes_just_said_so(
    tmp_path: Path, events: str, written: str, code: int
) -> None:
    (tmp_path / "metrics.jsonl").write_text(events)
    python = f"printf %s '{written}' >> metrics.jsonl; exit 9"
    assert start(tmp_path, 2, ONE_NODE, python).wait(60) == code


@pytest.mark.parametrize(
    ("nodes", "number", "written", "code"),
    [
        pytest.param(ONE_NODE, signal.SIGTERM, "", 75, id="stopped"),
        pytest.param(ONE_NODE, signal.SIGUSR1, "", 75, id="warned"),
        pytest.param(SECOND_OF_THREE, signal.SIGUSR1, "", 75, id="all nodes warned"),
        pytest.param(SECOND_OF_THREE, signal.SIGTERM, '{"event": "preempted"}', 75, id="all nodes saved"),
        pytest.param(SECOND_OF_THREE, signal.SIGTERM, "", 1, id="another node failed"),
    ],
)
def test_a_signal_reaches_the_launcher_and_the_job_runs_again_unless_a_node_failed(
    tmp_path: Path, nodes: Mapping[str, str], number: signal.Signals, written: str, code: int
) -> None:
    name = number.name.removeprefix("SIG")
    python = (
        f"trap 'echo {name} > heard; printf %s '\\''{written}'\\'' >> metrics.jsonl; exit 1' {name}\n"
        ": > ready\nwhile :; do sleep 0.02; done"
    )
    process = start(tmp_path, 2, nodes, python)
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(60) == code
    assert (tmp_path / "heard").read_text() == f"{name}\n"
