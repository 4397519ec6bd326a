"""The training's rendered script with the real PyTorch: stopped, killed, resumed, refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from schedulers.jobspec import JobSpec
from tests.integration.workloads.runner import finish, prepare, run_task, start
from workloads.ai.training import Training, TrainingParameters
from workloads.template import Series, Verdict

TEMPLATE = Training()
PARAMS = TEMPLATE.validate({"epochs": 100, "hidden_units": 256})
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
PATIENCE_SECONDS = 240

# PyTorch is imported up to five times in a test: 5 s each on a calm machine, a minute on a busy one.
pytestmark = pytest.mark.timeout(900)


_WITH_THE_UNINTERRUPTED = pytest.mark.xdist_group("training-uninterrupted")
"""In one process, so that it is trained once."""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("uninterrupted")
    spec = TEMPLATE.render(PARAMS)
    prepare(workspace, spec)
    ended = run_task(workspace, spec, path=PATH)
    assert ended.exit_code == 0, ended.output
    return workspace


def curve(workspace: Path) -> tuple[Series, ...]:
    return TEMPLATE.parse(workspace, PARAMS).series


def run(workspace: Path, params: TrainingParameters, path: str = PATH) -> tuple[int, str]:
    spec = TEMPLATE.render(params)
    prepare(workspace, spec)
    ended = run_task(workspace, spec, path=path)
    return ended.exit_code, ended.output


def run_until(workspace: Path, spec: JobSpec, number: signal.Signals, ready: Callable[[int], bool]) -> int:
    """Send the signal once `ready(pid)`; the exit code."""
    process = start(workspace, spec, path=PATH)
    _wait_until(lambda: process.poll() is not None or ready(process.pid))
    process.send_signal(number)
    return finish(workspace, process).exit_code


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def catches_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@_WITH_THE_UNINTERRUPTED
def test_a_training_learns_and_leaves_model_checkpoint_and_result(uninterrupted: Path) -> None:
    results = TEMPLATE.parse(uninterrupted, PARAMS)
    [task] = results.tasks
    assert task.verdict is Verdict.PASS
    assert [len(series.points) for series in results.series] == [100, 100]
    assert {one.path for one in task.artefacts} == {
        "metrics.jsonl",
        "model.pt",
        "checkpoint.pt",
        "result.json",
    }
    assert (
        json.loads((uninterrupted / "result.json").read_text())["val_acc"] == results.series[1].points[-1][1]
    )


def test_killed_ten_times_at_random_a_training_ends_as_one_that_ran_through(tmp_path: Path) -> None:
    params = TEMPLATE.validate({"epochs": 300, "hidden_units": 32, "batch_size": 256, "checkpoint_epochs": 5})
    through, killed = tmp_path / "through", tmp_path / "killed"
    for workspace in (through, killed):
        prepare(workspace, TEMPLATE.render(params))
    program = Path(__file__).with_name("forked_trainings.py")
    printed = subprocess.check_output(
        [sys.executable, program, through, "0", "0", "1", killed, "10", "20261126", "1"], text=True
    )
    ends = [json.loads(line) for line in printed.splitlines()]
    assert ends[0] == [0]
    assert ends[1][-1] == 0
    assert len(ends[1]) == 11
    assert set(ends[1][:-1]) <= {75, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGUSR1}, (
        "none had ended before"
    )
    assert -signal.SIGKILL in ends[1]
    assert TEMPLATE.parse(killed, params).series == TEMPLATE.parse(through, params).series
    assert (killed / "result.json").read_bytes() == (through / "result.json").read_bytes()


@_WITH_THE_UNINTERRUPTED
def test_a_job_that_was_stopped_goes_on_bit_for_bit_and_shows_where(
    tmp_path: Path, uninterrupted: Path
) -> None:
    spec = TEMPLATE.render(PARAMS)
    prepare(tmp_path, spec)

    def has_epochs(_: int) -> bool:
        return any(len(series.points) >= 5 for series in curve(tmp_path))

    assert run_until(tmp_path, spec, signal.SIGUSR1, has_epochs) == 75
    assert run_task(tmp_path, spec, path=PATH).exit_code == 0
    assert curve(tmp_path) == curve(uninterrupted)
    results = TEMPLATE.parse(tmp_path, PARAMS)
    assert [marker.kind for marker in results.markers] == ["preempted", "resumed"]
    assert results.tasks[0].verdict is Verdict.PASS


def test_two_processes_are_stopped_together_and_go_on_bit_for_bit(tmp_path: Path) -> None:
    params = TEMPLATE.validate({"epochs": 25, "hidden_units": 64, "processes": 2, "resources": {"cpus": 2}})
    through, stopped = tmp_path / "through", tmp_path / "stopped"
    code, output = run(through, params)
    assert code == 0, output
    spec = TEMPLATE.render(params)
    prepare(stopped, spec)

    def has_epochs(_: int) -> bool:
        return any(series.points for series in TEMPLATE.parse(stopped, params).series)

    assert run_until(stopped, spec, signal.SIGTERM, has_epochs) == 75
    assert run_task(stopped, spec, path=PATH).exit_code == 0
    found = TEMPLATE.parse(stopped, params)
    assert found.series == TEMPLATE.parse(through, params).series
    assert [marker.kind for marker in found.markers] == ["preempted", "resumed"]


def test_a_signal_while_pytorch_is_being_imported_is_saved_too(tmp_path: Path) -> None:
    spec = TEMPLATE.render(PARAMS)
    prepare(tmp_path, spec)
    assert run_until(tmp_path, spec, signal.SIGTERM, catches_sigterm) == 75
    assert (tmp_path / "checkpoint.pt").exists()


@_WITH_THE_UNINTERRUPTED
def test_a_checkpoint_of_other_parameters_is_refused(tmp_path: Path, uninterrupted: Path) -> None:
    shutil.copy(uninterrupted / "checkpoint.pt", tmp_path)
    code, output = run(tmp_path, PARAMS.model_copy(update={"seed": 2}))
    assert code == 64
    assert "checkpoint.pt was written with other parameters" in output


def test_a_training_that_misses_its_target_ended_well_and_fails(tmp_path: Path) -> None:
    params = TEMPLATE.validate({"epochs": 1, "hidden_units": 4, "learning_rate": 10})
    assert run(tmp_path, params)[0] == 0
    [task] = TEMPLATE.parse(tmp_path, params).tasks
    assert task.verdict is Verdict.FAIL
    assert task.failure
    assert "below the target" in task.failure.signature


@pytest.mark.parametrize(
    ("python", "raw", "words"),
    [
        pytest.param('exec "$PYTHON" -S "$@"', {}, "the Python package torch is missing", id="no PyTorch"),
        pytest.param(
            'CUDA_VISIBLE_DEVICES= exec "$PYTHON" "$@"', {"gpus": 1}, "1 GPU(s) were asked for", id="no GPU"
        ),
    ],
)
def test_what_a_node_lacks_is_named(tmp_path: Path, python: str, raw: dict[str, int], words: str) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    wrapper = tools / "python"
    wrapper.write_text(f"#!/bin/bash\nPYTHON={sys.executable}\n{python}\n")
    wrapper.chmod(0o755)
    code, output = run(tmp_path / "workspace", TEMPLATE.validate(raw), f"{tools}:{os.environ['PATH']}")
    assert (code, words in output) == (69, True), output


def test_parameters_that_cannot_be_read_are_a_usage_error(tmp_path: Path) -> None:
    spec = TEMPLATE.render(PARAMS)
    prepare(tmp_path, spec)
    (tmp_path / "training/parameters.json").write_text('{"epochs": 1}')
    ended = run_task(tmp_path, spec, path=PATH)
    assert ended.exit_code == 64
    assert "cannot read the parameters" in ended.output
