"""Sweeps with the real PyTorch and Optuna: bad trials end early, stopped ones go on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend

from tests.integration.workloads.runner import prepare, run_task
from workloads.ai.sweep import Sweep, SweepParameters
from workloads.template import Verdict

TEMPLATE = Sweep()
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
FORK = """
import os, runpy, sys, optuna, torch, sklearn.datasets
tasks = sys.argv[1:]
sys.argv = ["run_trial.py", "training/sweep.json"]
sys.path.insert(0, "training")
for task in tasks:
    process = os.fork()
    if not process:
        os.environ["HPC_ARRAY_TASK_ID"] = task
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            runpy.run_path("training/run_trial.py", run_name="__main__")
        except SystemExit as ended:
            os._exit(ended.code or 0)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""
"""Runs tasks one after the other, each in a process of its own, and imports PyTorch once for all."""

pytestmark = pytest.mark.timeout(900)


def run(workspace: Path, tasks: range, prelude: str = "") -> list[int]:
    command = [sys.executable, "-c", prelude + FORK, *map(str, tasks)]
    return [int(line) for line in subprocess.check_output(command, cwd=workspace, text=True).split()]


def prepared(workspace: Path, **raw: object) -> SweepParameters:
    params = TEMPLATE.validate(raw)
    prepare(workspace, TEMPLATE.render(params))
    return params


def trials_of(workspace: Path) -> list[optuna.trial.FrozenTrial]:
    backend = JournalFileBackend(str(workspace / "sweep.journal"))
    return optuna.load_study(study_name="sweep", storage=optuna.storages.JournalStorage(backend)).trials


def test_trials_share_what_they_learn_and_hopeless_ones_end_early(tmp_path: Path) -> None:
    params = prepared(
        tmp_path,
        search="grid",
        learning_rates=4,
        lowest_learning_rate=1e-6,
        highest_learning_rate=1e-2,
        hidden_units=[32],
        epochs=10,
    )
    assert run(tmp_path, range(3, -1, -1)) == [0] * 4, "the best learning rates first"
    results = TEMPLATE.parse(tmp_path, params)
    assert [task.verdict for task in results.tasks] == [Verdict.PASS] * 4
    found = {metric.name: metric.value for metric in results.metrics}
    assert found["best_val_acc"] > 0.9
    assert found["trials_stopped_early"] >= 1
    assert found["epochs_trained"] < 40
    assert results.tables[0].rows[0][0] == 3
    states = {trial.user_attrs["task"]: trial.state.name for trial in trials_of(tmp_path)}
    assert (states[3], states[0]) == ("COMPLETE", "PRUNED")


def test_optuna_draws_the_values_and_a_stopped_trial_goes_on_with_its_own(tmp_path: Path) -> None:
    params = prepared(tmp_path, search="tpe", pruning="hyperband", trials=2, hidden_units=[16, 32], epochs=8)
    stopped = (
        "import signal\nsignal.signal = (lambda keep: lambda n, f: (keep(n, f), os.kill(os.getpid(), n))[0])"
    )
    stopped = f"import os\n{stopped}(signal.signal)\n"
    assert run(tmp_path, range(1), stopped) == [75], "it gets SIGTERM as soon as it listens"
    values = json.loads((tmp_path / "trials/0/values.json").read_text())
    assert run_task(tmp_path, TEMPLATE.render(params), 0, path=PATH).exit_code == 0
    assert run(tmp_path, range(1, 2)) == [0]
    assert json.loads((tmp_path / "trials/0/values.json").read_text()) == values
    trials = trials_of(tmp_path)
    assert [(one.user_attrs["task"], one.state.name) for one in trials][:2] == [(0, "FAIL"), (0, "COMPLETE")]
    assert trials[0].params == trials[1].params == values
    assert len(trials[1].intermediate_values) == 8
    assert len(TEMPLATE.parse(tmp_path, params).tasks) == 2


def test_a_random_search_needs_no_optuna_and_early_stopping_says_that_it_does(tmp_path: Path) -> None:
    hidden = "import sys\nsys.modules['optuna'] = None\n"
    fork = FORK.replace("optuna, ", "")
    for pruning, code in (("none", 0), ("median", 69)):
        workspace = tmp_path / pruning
        prepared(workspace, search="random", pruning=pruning, trials=1, hidden_units=[8], epochs=1)
        command = [sys.executable, "-c", hidden + fork, "0"]
        ended = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=True)
        assert ended.stdout.split() == [str(code)], ended.stderr
    assert "the Python package optuna is missing" in ended.stderr
