"""The sweep template: which values it draws, and what it reads of trials that a tenant could have written."""

import json
from pathlib import Path
from typing import Any

import pytest

from workloads.ai.sweep import Sweep
from workloads.errors import InvalidParameters
from workloads.template import Results, Verdict

TEMPLATE = Sweep()


def written(**raw: Any) -> dict[str, Any]:  # noqa: ANN401
    spec = TEMPLATE.render(TEMPLATE.validate(raw))
    found: dict[str, Any] = json.loads(spec.inputs[0].content)
    return found


def trial(workspace: Path, task: int, *events: dict[str, Any], values: str = "{}") -> None:
    folder = workspace / "trials" / str(task)
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in events))
    (folder / "values.json").write_text(values)


def epoch(number: int, accuracy: object) -> dict[str, Any]:
    return {"event": "epoch", "epoch": number, "val_acc": accuracy}


def test_a_grid_has_every_combination_once_on_a_logarithmic_scale() -> None:
    sweep = written(
        search="grid",
        learning_rates=3,
        lowest_learning_rate=0.001,
        highest_learning_rate=0.1,
        hidden_units=[8, 16],
        batch_sizes=[32],
    )
    found = list(sweep["values"].values())
    assert len({tuple(values.items()) for values in found}) == len(found) == 6
    assert sorted({values["learning_rate"] for values in found}) == pytest.approx([0.001, 0.01, 0.1])


def test_a_random_search_is_repeated_by_its_seed_and_stays_in_its_range() -> None:
    one, again, other = (written(trials=50, seed=seed)["values"] for seed in (1, 1, 2))
    assert one == again != other
    assert all(0.0003 <= values["learning_rate"] <= 0.1 for values in one.values())


def test_optuna_s_values_are_not_drawn_before_the_trials_run() -> None:
    assert written(search="tpe")["values"] == {}


@pytest.mark.parametrize(
    ("raw", "expression"),
    [
        ({"trials": 10, "at_once": 3}, "0-9%3"),
        ({"trials": 2, "at_once": 5}, "0-1%2"),
        ({"search": "grid", "learning_rates": 5, "hidden_units": [1, 2]}, "0-9%2"),
    ],
)
def test_each_trial_is_a_task_and_only_some_run_at_once(raw: dict[str, Any], expression: str) -> None:
    array = TEMPLATE.render(TEMPLATE.validate(raw)).array
    assert array
    assert array.expression == expression


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"lowest_learning_rate": 0.1, "highest_learning_rate": 0.01}, "lowest_learning_rate"),
        ({"search": "grid", "learning_rates": 100, "hidden_units": list(range(1, 12))}, "learning_rates"),
    ],
)
def test_a_space_that_makes_no_sweep_is_refused(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert [problem.field for problem in refused.value.problems] == [field]


def test_trials_are_ranked_and_their_ends_told(tmp_path: Path) -> None:
    values = '{"learning_rate": 0.01, "hidden_units": 8, "batch_size": 32}'
    trial(tmp_path, 0, epoch(1, 0.5), epoch(2, 0.4), {"event": "pruned", "epoch": 2}, values=values)
    trial(tmp_path, 1, epoch(1, 0.6), epoch(2, 0.9), {"event": "done", "epoch": 2}, values=values)
    trial(tmp_path, 2, {"event": "diverged", "epoch": 1})
    trial(tmp_path, 3, epoch(1, 0.7))
    results = TEMPLATE.parse(tmp_path, TEMPLATE.validate({}))
    assert {task.task_index: task.verdict for task in results.tasks} == {
        0: Verdict.PASS,
        1: Verdict.PASS,
        2: Verdict.FAIL,
    }
    assert results.tables[0].rows == (
        (1, 0.01, 8, 32, 0.9, 2, "done"),
        (3, None, None, None, 0.7, 1, "-"),
        (0, 0.01, 8, 32, 0.5, 2, "pruned"),
    )
    assert {metric.name: metric.value for metric in results.metrics} == {
        "best_val_acc": 0.9,
        "trials_ended": 3,
        "trials_stopped_early": 1,
        "epochs_trained": 5,
    }


@pytest.mark.parametrize(
    "values", ["", "[]", "{", '{"learning_rate": "x"}', "[" * 3000, '{"hidden_units": NaN}']
)
def test_what_a_tenant_writes_into_a_trial_is_no_error(tmp_path: Path, values: str) -> None:
    assert TEMPLATE.parse(tmp_path, TEMPLATE.validate({})) == Results()
    trial(tmp_path, 0, epoch(1, 0.5), epoch(2, "x"), {"event": ["done"]}, values=values)
    (tmp_path / "trials/x").mkdir()
    (tmp_path / "trials/00").mkdir()
    results = TEMPLATE.parse(tmp_path, TEMPLATE.validate({}))
    assert results.tasks == ()
    assert results.tables[0].rows == ((0, None, None, None, 0.5, 1, "-"),)
