"""A hyper-parameter sweep: an array of trainings, by grid, at random or by Optuna, bad ones stopped early."""

import json
import math
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schedulers.jobspec import ArraySpec, InputFile, JobSpec, RequeuePolicy
from workloads.ai.launch import EXIT_RUN_AGAIN, warning_signal
from workloads.curves import is_number, read_metrics
from workloads.errors import FieldProblem, InvalidParameters
from workloads.resources import JobName, Resources
from workloads.scripts import shipped
from workloads.template import (
    N_,
    Artefact,
    Column,
    Failure,
    Metric,
    Parameters,
    Results,
    Series,
    Table,
    TaskResult,
    Template,
    Verdict,
)
from workloads.workspace import list_folders, read_text

MOST_TRIALS = 1000
_PROGRAMS = ("run_trial.py", "shared_trial.py", "train_digits.py", "digits.py")
_SCRIPT = """#!/bin/bash
# exec, so that the signals that ask for a checkpoint reach Python and not this shell.
exec python -u training/run_trial.py training/sweep.json
"""
_LARGEST_VALUES_BYTES = 4096
_MOST_CURVES = 20
_NUMBER = re.compile(r"0|[1-9][0-9]{0,2}")
_VALUES = ("learning_rate", "hidden_units", "batch_size")
_Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]


class SweepParameters(Parameters):
    """What is searched, how, and how long a trial trains."""

    name: JobName = "training-sweep"
    search: Literal["grid", "random", "tpe"] = Field(
        default="random",
        title=N_("Search"),
        description=N_("grid tries all combinations; tpe lets Optuna learn from the trials before."),
        json_schema_extra={"group": N_("Search")},
    )
    pruning: Literal["none", "median", "hyperband"] = Field(
        default="median",
        title=N_("Early stopping"),
        description=N_("Ends trials that are worse than others were at the same epoch."),
        json_schema_extra={"group": N_("Search")},
    )
    trials: int = Field(
        default=6,
        ge=1,
        le=MOST_TRIALS,
        title=N_("Trials"),
        description=N_("A grid has as many as it has combinations, whatever stands here."),
        json_schema_extra={"group": N_("Search")},
    )
    at_once: int = Field(
        default=2,
        ge=1,
        le=MOST_TRIALS,
        title=N_("Trials at once"),
        description=N_("Few at once let the later ones learn more from the earlier ones."),
        json_schema_extra={"group": N_("Search")},
    )
    seed: int = Field(
        default=1, ge=0, le=2**31 - 1, title=N_("Seed"), json_schema_extra={"group": N_("Search")}
    )
    lowest_learning_rate: _Rate = Field(
        default=0.0003, title=N_("Lowest learning rate"), json_schema_extra={"group": N_("Search space")}
    )
    highest_learning_rate: _Rate = Field(
        default=0.1, title=N_("Highest learning rate"), json_schema_extra={"group": N_("Search space")}
    )
    learning_rates: int = Field(
        default=3,
        ge=1,
        le=100,
        title=N_("Learning rates of a grid"),
        description=N_("Evenly spaced on a logarithmic scale."),
        json_schema_extra={"group": N_("Search space")},
    )
    hidden_units: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        default=[32, 128],
        min_length=1,
        max_length=20,
        title=N_("Hidden units"),
        json_schema_extra={"group": N_("Search space")},
    )
    batch_sizes: list[Annotated[int, Field(ge=1, le=1437)]] = Field(
        default=[64],
        min_length=1,
        max_length=20,
        title=N_("Batch sizes"),
        json_schema_extra={"group": N_("Search space")},
    )
    epochs: int = Field(
        default=20,
        ge=1,
        le=10_000,
        title=N_("Epochs"),
        description=N_("Of a trial that is not stopped early."),
        json_schema_extra={"group": N_("Training")},
    )
    gpus: int = Field(
        default=0, ge=0, le=1, title=N_("GPUs of each trial"), json_schema_extra={"group": N_("Resources")}
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=2048, walltime_seconds=1800), title=N_("Resources")
    )


class Sweep(Template[SweepParameters]):
    """Each task is a trial in a folder of its own; an Optuna journal holds what they tell each other."""

    name: ClassVar[str] = "training-sweep"
    title: ClassVar[str] = N_("Hyper-parameter sweep")
    summary: ClassVar[str] = N_(
        "Many trainings with different settings: grid, random or Optuna; bad ones end early."
    )
    domain: ClassVar[str] = "training"
    parameters = SweepParameters

    def render(self, params: SweepParameters) -> JobSpec:
        """An array with a task for each trial; those of a grid and of a random search are drawn here."""
        values = _values(params)
        count = len(values) if values else params.trials
        problems = list(_problems(params, count))
        if problems:
            raise InvalidParameters(self.name, problems)
        request = params.resources.request()
        if params.gpus:
            request = request.model_copy(update={"gpus_per_node": {"": params.gpus}})
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=_SCRIPT,
                environment={"CUBLAS_WORKSPACE_CONFIG": ":4096:8"},
                partition=params.resources.partition,
                programs=("python",),
                resources=request,
                array=ArraySpec(expression=f"0-{count - 1}%{min(count, params.at_once)}"),
                requeue=RequeuePolicy(on_exit_codes=(EXIT_RUN_AGAIN,), max_requeues=100),
                warning_signal=warning_signal(params.resources.walltime_seconds),
                inputs=(
                    InputFile(path="training/sweep.json", content=_written(params, values)),
                    *(InputFile(path=f"training/{name}", content=shipped(name)) for name in _PROGRAMS),
                ),
            )

    def parse(self, workspace: Path, params: SweepParameters) -> Results:
        """Every trial with its values and its best accuracy; a trial that was stopped early has passed."""
        del params
        numbers = sorted(int(name) for name in list_folders(workspace, "trials") if _NUMBER.fullmatch(name))
        trials = [_read_trial(workspace, number) for number in numbers[:MOST_TRIALS]]
        tasks = tuple(_task(trial) for trial in trials if trial.ended)
        begun = [trial for trial in trials if trial.curve]
        if not begun:
            return Results(tasks=tasks)
        metrics = (
            Metric("best_val_acc", max(trial.best for trial in begun)),
            Metric("trials_ended", len(tasks)),
            Metric("trials_stopped_early", sum(trial.ended == "pruned" for trial in trials)),
            Metric("epochs_trained", sum(len(trial.curve) for trial in trials)),
        )
        curves = tuple(Series(f"val_acc, {one.task}", "epoch", "", one.curve) for one in begun[:_MOST_CURVES])
        return Results(tasks=tasks, metrics=metrics, series=curves, tables=(_table(begun),))


@dataclass(frozen=True, slots=True)
class _Trial:
    task: int
    values: Mapping[str, float]
    curve: tuple[tuple[float, float], ...]
    """Epoch and validation accuracy."""
    ended: str
    """`done`, `pruned` (stopped early) or `diverged`; empty while it goes on."""

    @property
    def best(self) -> float:
        """Of a trial that has a curve."""
        return max(accuracy for _, accuracy in self.curve)


def _problems(params: SweepParameters, count: int) -> Iterator[FieldProblem]:
    if params.lowest_learning_rate > params.highest_learning_rate:
        text = N_("the lowest learning rate is above the highest")
        yield FieldProblem("lowest_learning_rate", text, "value_error", text)
    if count > MOST_TRIALS:
        text = N_("a sweep can have 1000 trials at most")
        yield FieldProblem("learning_rates", text, "value_error", text)


def _values(params: SweepParameters) -> list[dict[str, float]]:
    """The values of each trial that can be told before any has run; [] where Optuna draws them."""
    low, high = math.log(params.lowest_learning_rate), math.log(params.highest_learning_rate)
    match params.search:
        case "grid":
            steps = max(1, params.learning_rates - 1)
            rates = [_between(params, low + (high - low) * at / steps) for at in range(params.learning_rates)]
            found = list(product(rates, params.hidden_units, params.batch_sizes))
        case "random":
            chance = random.Random(params.seed)  # noqa: S311 - a search, not a secret
            found = [
                (
                    _between(params, chance.uniform(low, high)),
                    chance.choice(params.hidden_units),
                    chance.choice(params.batch_sizes),
                )
                for _ in range(params.trials)
            ]
        case "tpe":
            return []
    names = ("learning_rate", "hidden_units", "batch_size")
    return [dict(zip(names, values, strict=True)) for values in found]


def _between(params: SweepParameters, logarithm: float) -> float:
    """Rounding may not lead out of the range: Optuna refuses that."""
    rate = math.exp(logarithm)
    return min(max(rate, params.lowest_learning_rate), params.highest_learning_rate)


def _written(params: SweepParameters, values: list[dict[str, float]]) -> str:
    """The file that run_trial.py reads."""
    rates = {"low": params.lowest_learning_rate, "high": params.highest_learning_rate}
    sweep = {
        "search": params.search,
        "pruning": params.pruning,
        "seed": params.seed,
        "values": {str(task): one for task, one in enumerate(values)},
        "space": {
            "learning_rate": rates,
            "hidden_units": {"choices": sorted(set(params.hidden_units))},
            "batch_size": {"choices": sorted(set(params.batch_sizes))},
        },
        "fixed": {
            "epochs": params.epochs,
            "seed": params.seed,
            "cpus": params.resources.cpus,
            "gpus": params.gpus,
            "processes": 1,
            "checkpoint_epochs": max(1, params.epochs // 10),
        },
    }
    return json.dumps(sweep, indent=1, sort_keys=True) + "\n"


def _read_trial(workspace: Path, task: int) -> _Trial:
    events = list(read_metrics(workspace, f"trials/{task}/metrics.jsonl"))
    ends = [one["event"] for one in events if one.get("event") in ("done", "pruned", "diverged")]
    points = {
        one["epoch"]: one["val_acc"]
        for one in events
        if one.get("event") == "epoch" and is_number(one.get("epoch")) and is_number(one.get("val_acc"))
    }
    return _Trial(
        task, _read_values(workspace, task), tuple(sorted(points.items())), ends[-1] if ends else ""
    )


def _read_values(workspace: Path, task: int) -> dict[str, float]:
    text = read_text(workspace, f"trials/{task}/values.json", max_bytes=_LARGEST_VALUES_BYTES) or ""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return (
        {name: found[name] for name in _VALUES if is_number(found.get(name))}
        if isinstance(found, dict)
        else {}
    )


def _task(trial: _Trial) -> TaskResult:
    failure = None
    log = f"trials/{trial.task}/metrics.jsonl"
    if trial.ended == "diverged":
        failure = Failure(
            "the loss is not finite", "the loss is not finite; the learning rate is too high", log, 1
        )
    metrics = (Metric("val_acc", trial.best), Metric("epochs", trial.curve[-1][0])) if trial.curve else ()
    return TaskResult(
        task_index=trial.task,
        label=f"trial {trial.task}",
        verdict=Verdict.FAIL if failure else Verdict.PASS,
        metrics=metrics,
        failure=failure,
        artefacts=(Artefact(log, "curve"),),
    )


def _table(trials: list[_Trial]) -> Table:
    """The best first."""
    columns = (
        Column(N_("Trial")),
        Column(N_("Learning rate")),
        Column(N_("Hidden units")),
        Column(N_("Batch size")),
        Column(N_("Best accuracy")),
        Column(N_("Epochs")),
        Column(N_("End")),
    )
    rows = tuple(
        (one.task, *(one.values.get(name) for name in _VALUES), one.best, one.curve[-1][0], one.ended or "-")
        for one in sorted(trials, key=lambda one: (-one.best, one.task))
    )
    return Table(N_("Trials"), columns, rows)
