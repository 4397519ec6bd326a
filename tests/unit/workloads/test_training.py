"""The training template: what it renders and how it reads a curve that may be half written."""

import json
from pathlib import Path
from typing import Any

import pytest

from schedulers.jobspec import Launch, WarningSignal
from workloads.ai.training import Training
from workloads.errors import InvalidParameters
from workloads.template import Marker, Results, Verdict

TEMPLATE = Training()
PARAMS = TEMPLATE.validate({"epochs": 2})
FIRST = {"event": "epoch", "epoch": 1, "train_loss": 1.5, "val_acc": 0.8, "samples_per_s": 9.0}
SECOND = {"event": "epoch", "epoch": 2, "train_loss": 0.5, "val_acc": 0.95, "samples_per_s": 8.0}
DONE = {"event": "done", "epoch": 2}


def parse(workspace: Path, *lines: object) -> Results:
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    (workspace / "metrics.jsonl").write_text(text)
    return TEMPLATE.parse(workspace, PARAMS)


def test_the_job_carries_its_own_program_and_may_be_stopped_and_run_again() -> None:
    spec = TEMPLATE.render(PARAMS)
    assert {one.path for one in spec.inputs} == {
        "training/train_digits.py",
        "training/digits.py",
        "training/parameters.json",
    }
    assert spec.requeue.on_exit_codes == (75,)
    assert spec.warning_signal == WarningSignal(name="SIGUSR1", seconds_before_end=60)


@pytest.mark.parametrize(("walltime", "seconds"), [(1, None), (8, 2), (240, 60), (86_400, 60)])
def test_the_warning_leaves_most_of_a_short_walltime_to_the_work(walltime: int, seconds: int | None) -> None:
    spec = TEMPLATE.render(TEMPLATE.validate({"resources": {"walltime_seconds": walltime}}))
    assert (spec.warning_signal.seconds_before_end if spec.warning_signal else None) == seconds


def test_resources_that_are_given_in_part_keep_the_template_s_other_defaults() -> None:
    spec = TEMPLATE.render(TEMPLATE.validate({"resources": {"cpus": 2}}))
    assert spec.resources.memory_mib_per_node == 2048


@pytest.mark.parametrize(
    ("raw", "gpus"),
    [
        ({}, {}),
        ({"gpus": 2}, {"": 2}),
        ({"gpus": 1, "gpu_type": "h100"}, {"h100": 1}),
        ({"gpu_type": "h100"}, {}),
    ],
)
def test_gpus_are_asked_for_by_type_or_any(raw: dict[str, Any], gpus: dict[str, int]) -> None:
    assert TEMPLATE.render(TEMPLATE.validate(raw)).resources.gpus_per_node == gpus


@pytest.mark.parametrize(
    ("raw", "on_a_node", "in_all"),
    [
        ({}, "1", 1),
        ({"processes": 4}, "4", 4),
        ({"nodes": 3, "processes": 2}, "2", 6),
        ({"nodes": 2, "gpus": 8, "processes": 3}, "8", 16),
    ],
)
def test_every_node_starts_its_processes_and_the_program_knows_them_all(
    raw: dict[str, Any], on_a_node: str, in_all: int
) -> None:
    spec = TEMPLATE.render(TEMPLATE.validate(raw))
    assert spec.environment["TRAINING_PROCESSES"] == on_a_node
    [given] = [json.loads(one.content) for one in spec.inputs if one.path.endswith(".json")]
    assert given["processes"] == in_all
    assert (spec.resources.nodes, spec.resources.ntasks) == (raw.get("nodes", 1), raw.get("nodes", 1))
    assert spec.launch is Launch.EVERY_NODE


@pytest.mark.parametrize("rate", [0, -1, "nan", "inf", 11])
def test_a_learning_rate_that_cannot_train_is_refused(rate: object) -> None:
    with pytest.raises(InvalidParameters, match="learning_rate"):
        TEMPLATE.validate({"learning_rate": rate})


def test_nothing_yet_is_no_error(tmp_path: Path) -> None:
    assert TEMPLATE.parse(tmp_path, PARAMS) == Results()


def test_a_running_training_shows_its_curve_without_a_verdict(tmp_path: Path) -> None:
    found = parse(tmp_path, FIRST, '{"event": "epoch", "epo')
    assert found.tasks == ()
    assert [(series.name, series.points) for series in found.series] == [
        ("train_loss", ((1, 1.5),)),
        ("val_acc", ((1, 0.8),)),
    ]


def test_a_finished_training_passes_when_it_reached_its_target(tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    [task] = parse(tmp_path, FIRST, SECOND, DONE).tasks
    assert task.verdict is Verdict.PASS
    assert {(one.path, one.kind) for one in task.artefacts} == {
        ("metrics.jsonl", "curve"),
        ("model.pt", "model"),
    }


def test_a_finished_training_below_its_target_fails_though_it_ended_well(tmp_path: Path) -> None:
    [task] = parse(tmp_path, SECOND, FIRST, DONE).tasks
    assert task.verdict is Verdict.FAIL
    assert task.failure
    assert task.failure.line == "validation accuracy 0.8000 is below the target 0.9"


def test_a_diverged_training_fails_and_says_why(tmp_path: Path) -> None:
    [task] = parse(tmp_path, FIRST, {"event": "diverged", "epoch": 2}).tasks
    assert task.failure
    assert task.failure.signature == "the loss is not finite"
    assert task.failure.line_number == 2


def test_stops_and_resumes_are_marked_on_the_curve(tmp_path: Path) -> None:
    found = parse(
        tmp_path, FIRST, {"event": "preempted", "epoch": 2}, {"event": "resumed", "epoch": 2}, SECOND, DONE
    )
    assert found.markers == (Marker("preempted", 2), Marker("resumed", 2))
    assert {metric.name: metric.value for metric in found.metrics}["resumes"] == 1


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "[" * 100_000,
        '{"event": 7}',
        '{"event": "epoch"}',
        '{"event": "epoch", "epoch": 1, "train_loss": NaN, "val_acc": 0.1}',
        '{"event": "epoch", "epoch": 1, "train_loss": Infinity, "val_acc": 0.1}',
        '{"event": "epoch", "epoch": 1, "train_loss": "low", "val_acc": 0.1}',
        '{"event": "epoch", "epoch": 1' + "0" * 400 + ', "train_loss": 1, "val_acc": 0.1}',
        '{"event": "epoch", "epoch": ' + "9" * 5000 + ', "train_loss": 1, "val_acc": 0.1}',
        '{"event": "resumed", "epoch": "x"}',
        "\0\0\0",
    ],
)
def test_lines_that_are_no_event_are_left_out(tmp_path: Path, line: str) -> None:
    found = parse(tmp_path, line, FIRST)
    assert found.series[0].points == ((1, 1.5),)
    assert found.markers == ()
