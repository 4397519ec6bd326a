"""Sweeps that really run, with the real Optuna: of programs of one's own, and of the shipped training."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend

from tests.integration.workloads.forked_tasks import exit_codes, run_forked
from tests.integration.workloads.runner import finish, prepare, run_task, start
from workloads.ai.sweep import Sweep
from workloads.ai.sweep_parameters import SweepParameters
from workloads.template import Verdict

TEMPLATE = Sweep()
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
REPORTS = """
import json, os, signal, sys, time
given = json.load(open(os.environ["HPC_TRIAL_VALUES"]))
assert sys.argv[1:] == ["fixed", f"--lr={given['lr']}"] and os.environ["HPC_VALUE_LR"] == str(given["lr"])

def report(step, value):
    with open("metrics.jsonl", "a") as file:
        print(json.dumps({"step": step, "score": value}), file=file)
"""
"""What programs of these tests begin with: they get their values in all three ways, and can report."""
GOOD_UNLESS_SMALL = (
    REPORTS
    + """
for step in range(1, 6):
    report(step, given["lr"] * step)
if given["lr"] < 3:
    signal.pause()  # only a signal ends it
"""
)
SAVES = (
    REPORTS
    + """
begun = os.path.exists("saved")
open("saved", "a").write("begun\\n")
report(1, 0.5)
if not begun:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(75))
    open("listens", "w").close()
    signal.pause()
report(2, 0.7)
"""
)
PROGRAM = "sweep/run_trial.py sweep/sweep.json"

pytestmark = pytest.mark.timeout(600)


def run(workspace: Path, *tasks: int) -> list[int]:
    return exit_codes(run_forked("optuna", PROGRAM, *((workspace, task) for task in tasks)))


def prepared(workspace: Path, program: str, **raw: object) -> SweepParameters:
    own: dict[str, Any] = {
        "files": {"try.py": program},
        "program": "try.py",
        "arguments": ["fixed"],
        "space": {"lr": "int 1 4"},
        "objective": "score",
    }
    params = TEMPLATE.validate(own | raw)
    prepare(workspace, TEMPLATE.render(params))
    return params


def trials_of(workspace: Path) -> list[optuna.trial.FrozenTrial]:
    backend = JournalFileBackend(str(workspace / "sweep.journal"))
    return optuna.load_study(study_name="sweep", storage=optuna.storages.JournalStorage(backend)).trials


def states_of(workspace: Path) -> list[tuple[int, str]]:
    return [(one.user_attrs["task"], one.state.name) for one in trials_of(workspace)]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_hopeless_trials_are_stopped_by_a_signal_and_none_is_counted_twice(tmp_path: Path) -> None:
    params = prepared(tmp_path, GOOD_UNLESS_SMALL, search="grid", grid_points=4, pruning="median")
    assert run(tmp_path, 3, 2, 1, 0) == [0] * 4, "the best values first"
    results = TEMPLATE.parse(tmp_path, params)
    assert [task.verdict for task in results.tasks] == [Verdict.PASS] * 4
    assert results.tables[0].rows == (
        *((3, 4, 20, 5, "done"), (2, 3, 15, 5, "done")),
        *((1, 2, 10, 5, "pruned"), (0, 1, 5, 5, "pruned")),
    )
    ended = [(3, "COMPLETE"), (2, "COMPLETE"), (1, "PRUNED"), (0, "PRUNED")]
    assert states_of(tmp_path) == ended
    (tmp_path / "results/3.json").unlink()  # as if it was killed after it had told the others
    assert run(tmp_path, 3, 1) == [0, 0], "what is over is not run again"
    assert states_of(tmp_path) == ended


def test_a_trial_that_was_stopped_goes_on_and_one_that_was_killed_is_run_again(tmp_path: Path) -> None:
    params = prepared(tmp_path, SAVES, search="tpe", pruning="hyperband", trials=2)
    spec, first = TEMPLATE.render(params), tmp_path / "trials/0"
    asked = start(tmp_path, spec, 0, PATH)
    wait_until((first / "listens").exists)
    asked.send_signal(signal.SIGTERM)
    assert finish(tmp_path, asked).exit_code == 75
    values = json.loads((first / "values.json").read_text())
    assert run(tmp_path, 0) == [0]
    assert (first / "saved").read_text() == "begun\n" * 2, "it went on in its folder"

    killed = start(tmp_path, spec, 1, PATH)
    wait_until((tmp_path / "trials/1/listens").exists)
    killed.kill()
    assert finish(tmp_path, killed, 1).exit_code == -signal.SIGKILL
    drawn = json.loads((tmp_path / "results/1.json").read_text())["values"]
    assert run(tmp_path, 1) == [0]
    trials = trials_of(tmp_path)
    assert states_of(tmp_path) == [(0, "FAIL"), (0, "COMPLETE"), (1, "FAIL"), (1, "COMPLETE")]
    assert [one.params for one in trials] == [values, values, drawn, drawn]
    assert [one.value for one in trials if one.value is not None] == [0.7, 0.7]
    assert [row[3:] for row in TEMPLATE.parse(tmp_path, params).tables[0].rows] == [(2, "done")] * 2


def test_a_trial_without_a_checkpoint_begins_anew_in_an_empty_folder(tmp_path: Path) -> None:
    params = prepared(tmp_path, SAVES, search="random", pruning="none", trials=1, resumes=False)
    spec = TEMPLATE.render(params)
    for _ in range(2):
        asked = start(tmp_path, spec, 0, PATH)
        wait_until((tmp_path / "trials/0/listens").exists)
        assert (tmp_path / "trials/0/saved").read_text() == "begun\n"
        asked.kill()
        asked.wait()
        (tmp_path / "trials/0/listens").unlink()


def test_tensorboard_tells_as_well_and_small_may_be_better(tmp_path: Path) -> None:
    program = """
import struct, sys
def record(step, value):
    tag = b"loss/val"
    summary = b"\\x0a" + bytes([len(tag)]) + tag + b"\\x15" + struct.pack("<f", value)
    summary = b"\\x0a" + bytes([len(summary)]) + summary
    event = b"\\x10" + bytes([step]) + b"\\x2a" + bytes([len(summary)]) + summary
    return struct.pack("<Q", len(event)) + bytes(4) + event + bytes(4)
assert sys.argv[1] == "model.lr=2", sys.argv
import os; os.mkdir("runs")
with open("runs/events.out.tfevents.1.node", "wb") as file:
    file.write(record(1, 0.5) + record(2, 0.25) + record(3, 0.75))
"""
    params = prepared(
        tmp_path,
        program,
        search="random",
        pruning="none",
        trials=1,
        arguments=[],
        objective="loss/val",
        direction="minimize",
        values_as="name=value",
        space={"model.lr": "choice 2"},
    )
    ended = run_task(tmp_path, TEMPLATE.render(params), 0, PATH)
    assert ended.exit_code == 0, ended.output
    results = TEMPLATE.parse(tmp_path, params)
    assert results.tables[0].rows == ((0, 2, 0.25, 3, "done"),)
    assert results.series[0].points == ((1, 0.5), (2, 0.25), (3, 0.75))


def test_a_program_that_fails_says_why_and_is_not_taken_for_a_trial(tmp_path: Path) -> None:
    cases = {
        "raises": ("import sys; sys.exit('the learning rate 3 is too high')", "none", 1, "is too high"),
        "killed": ("import os; os.kill(os.getpid(), 9)", "none", 137, ""),
        "says nothing": ("print('done')", "none", 65, "reported no number 'score'"),
        "no optuna": ("print('done')", "median", 69, ""),
    }
    for name, (program, pruning, code, message) in cases.items():
        params = prepared(tmp_path / name, program, search="random", pruning=pruning, trials=1)
        ended = run_forked("-optuna", PROGRAM, (tmp_path / name, 0))
        assert exit_codes(ended) == [code], ended.stderr
        failures = [task.failure for task in TEMPLATE.parse(tmp_path / name, params).tasks]
        assert all(failure and message in failure.line for failure in failures)
        assert len(failures) == (code != 69)
    assert "the Python package optuna is missing" in ended.stderr


def test_hostile_values_and_arguments_reach_the_program_as_they_are(tmp_path: Path) -> None:
    program = """import json, sys
print(json.dumps(sys.argv[1:]))
print('{"score": 1}', file=open('metrics.jsonl', 'w'))
"""
    words = ["$(touch INJECTED)", "`touch INJECTED`", "'; touch INJECTED; '", "--help", "*", "Đà Nẵng"]
    params = prepared(
        tmp_path,
        program,
        search="random",
        pruning="none",
        trials=1,
        arguments=words,
        space={"word": """choice '"; touch INJECTED; "'"""},
    )
    ended = run_task(tmp_path, TEMPLATE.render(params), 0, PATH)
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.output.splitlines()[0]) == [*words, '--word="; touch INJECTED; "']
    assert not list(tmp_path.rglob("INJECTED*"))


def test_the_shipped_training_is_a_program_like_any_other(tmp_path: Path) -> None:
    params = TEMPLATE.validate(
        {
            "trials": 1,
            "pruning": "none",
            "arguments": ["--epochs=3"],
            "space": {"learning_rate": "choice 0.003", "hidden_units": "choice 64"},
        }
    )
    spec = TEMPLATE.render(params)
    prepare(tmp_path, spec)
    ended = run_task(tmp_path, spec, 0, PATH)
    assert ended.exit_code == 0, ended.output
    results = TEMPLATE.parse(tmp_path, params)
    assert results.metrics[0].value > 0.5
    assert [x for x, _ in results.series[0].points] == [1, 2, 3]
