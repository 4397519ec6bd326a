"""The inference template: its array, and results that a tenant could have written."""

import json
from pathlib import Path

import pytest

from workloads.ai.inference import Inference
from workloads.template import Metric, Results

TEMPLATE = Inference()


def test_each_shard_is_a_task_and_its_paths_go_into_a_file_and_not_into_the_script() -> None:
    params = TEMPLATE.validate({"shards": 7, "model_path": "/data/$(touch x)/model.pt"})
    spec = TEMPLATE.render(params)
    assert spec.array
    assert spec.array.expression == "0-6"
    assert spec.script == TEMPLATE.render(TEMPLATE.validate({})).script
    assert json.loads(spec.inputs[0].content)["model_path"] == "/data/$(touch x)/model.pt"


def test_shards_are_summed_and_accuracy_is_that_of_the_labelled_ones(tmp_path: Path) -> None:
    shards = [{"images": 100, "seconds": 2, "correct": 90}, {"images": 300, "seconds": 2}]
    for folder in ("predictions", "results"):
        (tmp_path / folder).mkdir()
    for number, shard in enumerate(shards):
        (tmp_path / f"predictions/{number}.csv").touch()
        (tmp_path / f"results/{number}.json").write_text(json.dumps(shard))
    results = TEMPLATE.parse(tmp_path, TEMPLATE.validate({"shards": 3}))
    assert [task.task_index for task in results.tasks] == [0, 1]
    assert results.metrics == (
        Metric("images", 400),
        Metric("images_per_second", 100, "1/s"),
        Metric("accuracy", 0.9),
    )


@pytest.mark.parametrize("text", ["", "{", '{"images": -1, "seconds": 1}', '{"images": 1, "seconds": NaN}'])
def test_a_result_that_is_none_gives_no_number(tmp_path: Path, text: str) -> None:
    assert TEMPLATE.parse(tmp_path, TEMPLATE.validate({})) == Results()
    for folder in ("predictions", "results"):
        (tmp_path / folder).mkdir()
    (tmp_path / "predictions/0.csv").touch()
    (tmp_path / "results/0.json").write_text(text)
    results = TEMPLATE.parse(tmp_path, TEMPLATE.validate({}))
    assert ([task.metrics for task in results.tasks], results.metrics) == ([()], ())
