"""The inference template: its array, and results that a tenant could have written."""

import json
from pathlib import Path
from typing import Any

import pytest

from workloads.ai.inference import Inference
from workloads.errors import InvalidParameters
from workloads.template import Metric, Results, Verdict

TEMPLATE = Inference()


def write(workspace: Path, shard: int, text: str) -> None:
    (workspace / "results").mkdir(exist_ok=True)
    (workspace / f"results/{shard}.json").write_text(text)


def test_each_shard_is_a_task_and_what_is_asked_goes_into_a_file_and_not_into_the_script() -> None:
    params = TEMPLATE.validate({"shards": 7, "input_folder": "/data/$(touch x)"})
    spec = TEMPLATE.render(params)
    assert spec.array
    assert spec.array.expression == "0-6"
    assert spec.script == TEMPLATE.render(TEMPLATE.validate({})).script
    assert json.loads(spec.inputs[0].content)["input_folder"] == "/data/$(touch x)"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"program": "absent.py"}, "program"),
        ({"input_folder": "relative"}, "input_folder"),
        ({"inputs": [""]}, "inputs.0"),
        ({"pattern": "a/b"}, "pattern"),
    ],
)
def test_what_makes_no_inference_is_refused(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert [problem.field for problem in refused.value.problems] == [field]


def test_shards_are_summed_and_bad_inputs_are_named(tmp_path: Path) -> None:
    first = {
        "inputs": 100,
        "bad": 1,
        "seconds": 2,
        "named": [{"input": "a.png", "error": "is no image"}],
        "numbers": {"correct": {"sum": 90, "count": 99}},
    }
    second = {"inputs": 300, "bad": 0, "seconds": 2, "named": [], "numbers": {}}
    for number, shard in enumerate((first, second)):
        write(tmp_path, number, json.dumps(shard))
    results = TEMPLATE.parse(tmp_path, TEMPLATE.validate({"shards": 3}))
    assert [(task.task_index, task.verdict) for task in results.tasks] == [
        (0, Verdict.PASS),
        (1, Verdict.PASS),
    ]
    assert results.metrics == (
        Metric("inputs", 400),
        Metric("bad_inputs", 1),
        Metric("inputs_per_second", 100, "1/s"),
        Metric("mean_correct", 90 / 99),
    )
    assert results.tables[0].rows == (("a.png", "is no image"),)
    assert not results.tables[0].is_cut


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "[" * 3000, '{"inputs": -1}'),
        '{"inputs": 1, "bad": 0, "seconds": NaN, "named": [], "numbers": {}}',
        '{"inputs": 1, "bad": 0, "seconds": 1, "named": [{}], "numbers": {}}',
        '{"inputs": 1, "bad": 0, "seconds": 1, "named": [], "numbers": {"a": {"sum": 1, "count": 0}}}',
    ],
)
def test_a_result_that_is_none_gives_no_number(tmp_path: Path, text: str) -> None:
    assert TEMPLATE.parse(tmp_path, TEMPLATE.validate({})) == Results()
    write(tmp_path, 0, text)
    results = TEMPLATE.parse(tmp_path, TEMPLATE.validate({}))
    assert ([task.metrics for task in results.tasks], results.metrics, results.tables) == ([()], (), ())
