"""A hyper-parameter sweep of any program: an array of trials, by grid, at random or by Optuna."""

import json
from pathlib import Path
from typing import ClassVar

from schedulers.jobspec import ArraySpec, InputFile, JobSpec, RequeuePolicy
from workloads.ai.launch import EXIT_RUN_AGAIN, warning_signal
from workloads.ai.own_program import program_files
from workloads.ai.sweep_parameters import EXAMPLE, SweepParameters, problems_of
from workloads.ai.sweep_results import read_sweep
from workloads.ai.sweep_space import Value, draw, grid
from workloads.errors import InvalidParameters
from workloads.scripts import shipped, shipped_module
from workloads.template import N_, Results, Template

_PROGRAMS = ("run_trial.py", "shared_trial.py", "trial_metrics.py", "own_process.py")
_SCRIPT = """#!/bin/bash
# exec, so that the signals that ask for a checkpoint reach Python and not this shell.
exec python -u sweep/run_trial.py sweep/sweep.json
"""


class Sweep(Template[SweepParameters]):
    """Each task is a trial in a folder of its own; an Optuna journal holds what they tell each other."""

    name: ClassVar[str] = "training-sweep"
    title: ClassVar[str] = N_("Hyper-parameter sweep")
    summary: ClassVar[str] = N_(
        "A program of your own with many settings: grid, random or Optuna; bad trials end early."
    )
    domain: ClassVar[str] = "training"
    parameters = SweepParameters

    def render(self, params: SweepParameters) -> JobSpec:
        """An array with a task for each trial; those of a grid and of a random search are drawn here."""
        problems = list(problems_of(params))
        if problems:
            raise InvalidParameters(self.name, problems)
        count = params.trial_count()
        request = params.resources.request()
        if params.gpus:
            request = request.model_copy(update={"gpus_per_node": {"": params.gpus}})
        walltime = params.resources.walltime_seconds
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=_SCRIPT,
                # cuBLAS is deterministic only with this; CPUs do not read it.
                environment={"CUBLAS_WORKSPACE_CONFIG": ":4096:8"},
                partition=params.resources.partition,
                programs=("python",),
                resources=request,
                array=ArraySpec(expression=f"0-{count - 1}%{min(count, params.at_once)}"),
                requeue=RequeuePolicy(on_exit_codes=(EXIT_RUN_AGAIN,), max_requeues=100),
                # Without a checkpoint, a trial that is too long would begin again for ever.
                warning_signal=warning_signal(walltime) if params.resumes else None,
                inputs=(
                    InputFile(path="sweep/sweep.json", content=_written(params)),
                    *(InputFile(path=f"sweep/{name}", content=shipped(name)) for name in _PROGRAMS),
                    InputFile(path="sweep/event_files.py", content=shipped_module("event_files")),
                    *program_files(params.files, EXAMPLE),
                ),
            )

    def parse(self, workspace: Path, params: SweepParameters) -> Results:
        """Every trial with its values and its best; a trial that was stopped early has passed."""
        return read_sweep(workspace, params)


def _values(params: SweepParameters) -> list[dict[str, Value]]:
    """The values of each trial that can be told before any has run; [] where Optuna draws them."""
    match params.search:
        case "grid":
            return list(grid(params.dimensions(), params.grid_points))
        case "random":
            return draw(params.dimensions(), params.trials, params.seed)
        case "tpe":
            return []


def _written(params: SweepParameters) -> str:
    """The file that run_trial.py reads."""
    told = ("search", "pruning", "warmup_steps", "seed", "objective", "direction")
    started = ("program", "arguments", "values_as", "resumes")
    sweep = {
        **params.model_dump(include={*told, *started}),
        "values": {str(task): one for task, one in enumerate(_values(params))},
        "space": {name: dimension.written() for name, dimension in params.dimensions().items()},
    }
    return json.dumps(sweep, indent=1, sort_keys=True) + "\n"
