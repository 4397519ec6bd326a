"""The sweep template: which values it draws, and what it reads of trials that a tenant could have written."""

import json
from pathlib import Path
from typing import Any

import pytest

from workloads.ai.sweep import Sweep
from workloads.errors import InvalidParameters
from workloads.template import Results, Verdict

TEMPLATE = Sweep()
OWN = {"files": {"mine/train.py": "print()"}, "program": "mine/train.py"}


def written(**raw: Any) -> dict[str, Any]:  # noqa: ANN401
    spec = TEMPLATE.render(TEMPLATE.validate(raw))
    found: dict[str, Any] = json.loads(spec.inputs[0].content)
    return found


def result(workspace: Path, task: int, **told: object) -> None:
    (workspace / "results").mkdir(exist_ok=True)
    (workspace / f"results/{task}.json").write_text(json.dumps(told))


def test_a_grid_has_every_combination_once_on_each_range_s_own_scale() -> None:
    space = {
        "lr": "float 0.001 0.1 log",
        "drop": "float 0 1",
        "depth": "int 1 2",
        "net": "choice small 'very big'",
    }
    found = list(written(search="grid", space=space)["values"].values())
    assert len({tuple(values.items()) for values in found}) == len(found) == 3 * 3 * 2 * 2
    assert sorted({values["lr"] for values in found}) == pytest.approx([0.001, 0.01, 0.1])
    assert sorted({values["drop"] for values in found}) == [0, 0.5, 1]
    assert {(values["depth"], values["net"]) for values in found} == {
        *((1, "small"), (2, "small"), (1, "very big"), (2, "very big")),
    }


def test_a_random_search_is_repeated_by_its_seed_and_stays_in_its_ranges() -> None:
    space = {"lr": "float 0.0003 0.1 log", "width": "int 1 64 log", "seed": "int -5 5", "n": "choice 1 2.5 x"}
    one, again, other = (
        list(written(trials=200, seed=seed, space=space)["values"].values()) for seed in (1, 1, 2)
    )
    assert one == again != other
    assert all(0.0003 <= values["lr"] <= 0.1 for values in one)
    assert {values["n"] for values in one} == {1, 2.5, "x"}
    assert {values["seed"] for values in one} == set(range(-5, 6))
    assert all(isinstance(values["width"], int) and 1 <= values["width"] <= 64 for values in one)


def test_optuna_s_values_are_not_drawn_before_the_trials_run() -> None:
    assert written(search="tpe")["values"] == {}


@pytest.mark.parametrize(
    ("raw", "expression"),
    [
        ({"trials": 10, "at_once": 3}, "0-9%3"),
        ({"trials": 2, "at_once": 5}, "0-1%2"),
        ({"search": "grid", "grid_points": 5, "space": {"a": "int 1 9", "b": "choice 1 2"}}, "0-9%2"),
    ],
)
def test_each_trial_is_a_task_and_only_some_run_at_once(raw: dict[str, Any], expression: str) -> None:
    array = TEMPLATE.render(TEMPLATE.validate(raw)).array
    assert array
    assert array.expression == expression


def test_the_shipped_example_is_what_a_form_without_files_runs_and_nothing_more() -> None:
    example = TEMPLATE.render(TEMPLATE.validate({}))
    own = TEMPLATE.render(TEMPLATE.validate(OWN))
    assert example.script == own.script
    paths = {one.path for one in example.inputs} ^ {one.path for one in own.inputs}
    assert paths == {"program/train_digits.py", "program/digits.py", "program/mine/train.py"}


def test_only_a_program_that_saves_is_told_before_its_time_is_over() -> None:
    warned, cut = (TEMPLATE.render(TEMPLATE.validate({**OWN, "resumes": one})) for one in (True, False))
    assert warned.warning_signal
    assert cut.warning_signal is None


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"space": {"a": line}}, "space.a")
        for line in (
            *("", "float", "float 1", "float 1 1", "float 2 1", "float a b", "float 0 1 log", "float 1 2 3"),
            *("float 1 2 lin", "float nan 2", "float 1 inf", "int 1.5 2", "int 0 8 log", "choice", "log 1 2"),
            *("choice 1 1", 'choice "', "choice " + " ".join(map(str, range(101))), "int 1 1e999"),
        )
    ]
    + [
        ({"space": {}}, "space"),
        ({"space": {"--a": "int 1 2"}}, "space.--a.[key]"),
        ({"search": "grid", "grid_points": 100, "space": {"a": "int 1 99", "b": "int 1 99"}}, "space"),
        ({"program": "absent.py"}, "program"),
        ({"program": "../train.py"}, "program"),
        ({"files": {"../x": ""}}, "files.../x.[key]"),
        ({"arguments": ["a\0"]}, "arguments.0"),
    ],
)
def test_what_makes_no_sweep_is_refused(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert [problem.field for problem in refused.value.problems] == [field]
    assert refused.value.problems[0].message


def test_trials_are_ranked_by_their_best_and_their_ends_told(tmp_path: Path) -> None:
    values = {"learning_rate": 0.01, "hidden_units": 8, "batch_size": 32}
    result(tmp_path, 0, values=values, points=[[1, 0.5], [2, 0.4]], best=0.5, end="pruned")
    result(tmp_path, 1, values=values, points=[[1, 0.6], [2, 0.9]], best=0.9, end="done")
    result(tmp_path, 2, values=values, points=[[1, 0.95]], end="failed", message="boom at 0x12")
    result(tmp_path, 3, points=[[1, 0.7]])
    results = TEMPLATE.parse(tmp_path, TEMPLATE.validate({}))
    assert {task.task_index: task.verdict for task in results.tasks} == {
        0: Verdict.PASS,
        1: Verdict.PASS,
        2: Verdict.FAIL,
    }
    failure = results.tasks[2].failure
    assert failure
    assert (failure.line, failure.signature) == ("boom at 0x12", "boom at *")
    assert results.tables[0].rows == (
        (1, 0.01, 8, 32, 0.9, 2, "done"),
        (3, None, None, None, 0.7, 1, "-"),
        (0, 0.01, 8, 32, 0.5, 2, "pruned"),
        (2, 0.01, 8, 32, 0.95, 1, "failed"),
    )
    assert {metric.name: metric.value for metric in results.metrics} == {
        "best_objective": 0.9,
        "best_trial": 1,
        "trials_ended": 3,
        "trials_stopped_early": 1,
        "trials_failed": 1,
        "steps_reported": 6,
    }
    lowest = TEMPLATE.parse(tmp_path, TEMPLATE.validate({"direction": "minimize"}))
    assert [row[0] for row in lowest.tables[0].rows] == [0, 1, 3, 2]


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{", "[" * 3000, "null", '{"values": [], "points": 3, "end": ["done"], "message": 1}'),
        '{"values": {"learning_rate": NaN}, "points": [[1], [1, NaN], ["a", 1], null], "best": Infinity}',
    ],
)
def test_what_a_tenant_writes_into_a_result_is_no_error(tmp_path: Path, text: str) -> None:
    assert TEMPLATE.parse(tmp_path, TEMPLATE.validate({})) == Results()
    result(tmp_path, 0)
    (tmp_path / "results/0.json").write_text(text)
    for name in ("00.json", "1000.json", "x.json", "1.new"):
        (tmp_path / "results" / name).touch()
    results = TEMPLATE.parse(tmp_path, TEMPLATE.validate({}))
    assert results.tasks == ()
    ((task, *_, best, step, end),) = results.tables[0].rows
    assert (task, best, step, end) == (0, None, None, "-")
