"""Batch inference with the real PyTorch: shards name every image once, and none is computed twice."""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.integration.workloads.runner import prepare, run_task
from workloads.ai.inference import Inference
from workloads.template import Verdict

TEMPLATE = Inference()
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

# PyTorch is imported in every run: 5 s each on a calm machine, a minute on a busy one.
pytestmark = pytest.mark.timeout(900)


def test_the_example_trains_names_every_digit_and_does_nothing_twice(tmp_path: Path) -> None:
    params = TEMPLATE.validate({"shards": 2, "batch_size": 100})
    spec = TEMPLATE.render(params)
    prepare(tmp_path, spec)
    for shard in range(2):
        ended = run_task(tmp_path, spec, shard, path=PATH)
        assert ended.exit_code == 0, ended.output
        assert len(TEMPLATE.parse(tmp_path, params).tasks) == shard + 1
    written = [(tmp_path / f"predictions/{shard}.csv").read_text().splitlines() for shard in range(2)]
    rows = [row for lines in written for row in csv.DictReader(lines)]
    assert [int(row["index"]) for row in rows] == list(range(1797))
    results = TEMPLATE.parse(tmp_path, params)
    assert [task.verdict for task in results.tasks] == [Verdict.PASS] * 2
    found = {metric.name: metric.value for metric in results.metrics}
    assert found["images"] == 1797
    assert found["accuracy"] > 0.95
    before = (tmp_path / "predictions/0.csv").stat().st_mtime_ns

    model, images = tmp_path / "example/0/model.pt", tmp_path / "images.npy"
    np.save(images, np.zeros((3, 64), dtype=np.uint8))
    own = TEMPLATE.validate({"shards": 5, "model_path": str(model), "input_path": str(images)})
    workspace = tmp_path / "own"
    prepare(workspace, TEMPLATE.render(own))
    assert run_task(workspace, TEMPLATE.render(own), 4, path=PATH).exit_code == 0, "a shard without images"
    assert (workspace / "predictions/4.csv").read_text() == "index,digit,probability\n"
    assert run_task(tmp_path, spec, 0, path=PATH).exit_code == 0
    assert (tmp_path / "predictions/0.csv").stat().st_mtime_ns == before


def test_a_model_that_is_none_is_said_in_words(tmp_path: Path) -> None:
    params = TEMPLATE.validate({"model_path": "/etc/passwd"})
    prepare(tmp_path, TEMPLATE.render(params))
    ended = run_task(tmp_path, TEMPLATE.render(params), 0, path=PATH)
    assert (ended.exit_code, "cannot use the model /etc/passwd" in ended.output) == (65, True), ended.output
    assert TEMPLATE.parse(tmp_path, params).tasks == ()
