"""The training's rendered script on CUDA: it learns there, is stopped in the middle, and goes on."""

import json
import os
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.gpu.the_gpu import ASKED
from tests.integration.workloads.runner import finish, prepare, run_task, start
from workloads.ai.training import Training
from workloads.template import Verdict

TEMPLATE = Training()
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
PATIENCE_SECONDS = 240

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="this Python has no PyTorch")


def test_a_training_on_the_gpu_is_stopped_and_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    params = TEMPLATE.validate({"epochs": 40, "hidden_units": 256, "gpus": ASKED})
    spec = TEMPLATE.render(params)
    through, stopped = tmp_path / "through", tmp_path / "stopped"
    prepare(through, spec)
    whole = run_task(through, spec, path=PATH)
    assert whole.exit_code == 0, whole.output

    prepare(stopped, spec)
    process = start(stopped, spec, path=PATH)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(len(series.points) >= 5 for series in TEMPLATE.parse(stopped, params).series):
        assert process.poll() is None, finish(stopped, process).output
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert finish(stopped, process).exit_code == 75
    again = run_task(stopped, spec, path=PATH)
    assert again.exit_code == 0, again.output

    started = json.loads((stopped / "metrics.jsonl").read_text().splitlines()[0])
    assert (started["device"], started["gpus"]) == ("cuda" if ASKED else "cpu", ASKED)
    found, expected = TEMPLATE.parse(stopped, params), TEMPLATE.parse(through, params)
    assert [marker.kind for marker in found.markers] == ["preempted", "resumed"]
    assert found.tasks[0].verdict is expected.tasks[0].verdict is Verdict.PASS
    assert found.series == expected.series
