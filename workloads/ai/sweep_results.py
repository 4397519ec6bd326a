"""What a sweep achieved: its trials from the best down, read from files that a tenant could have written."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workloads.ai.sweep_parameters import MOST_TRIALS, SweepParameters
from workloads.ai.sweep_space import Value
from workloads.curves import is_number
from workloads.template import (
    N_,
    Artefact,
    Column,
    Failure,
    Metric,
    Results,
    Series,
    Table,
    TaskResult,
    Verdict,
)
from workloads.verdict import signature
from workloads.workspace import list_files, read_text

_LARGEST_RESULT_BYTES = 256 * 1024
_MOST_CURVES = 20
_MOST_POINTS = 5000
_LONGEST_TEXT = 300
_RESULT = re.compile(r"(0|[1-9][0-9]{0,2})\.json")
_ENDS = ("done", "pruned", "failed")


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of values and what came of it."""

    task: int
    values: dict[str, Value]
    points: tuple[tuple[float, float], ...]
    """Step and objective, in the order of steps."""
    best: float | None
    end: str
    """`done`, `pruned` (stopped early) or `failed`; empty while it goes on."""
    message: str
    """The last line of its error output."""


def read_sweep(workspace: Path, params: SweepParameters) -> Results:
    """Trials that are over as tasks; all that have begun in the table, those without a number last."""
    numbers = sorted(
        int(found[1]) for name in list_files(workspace, "results") if (found := _RESULT.fullmatch(name))
    )
    trials = [_read_trial(workspace, params, number) for number in numbers[:MOST_TRIALS]]
    if not trials:
        return Results()
    ranked = _ranked(trials, params)
    objective = params.objective[:_LONGEST_TEXT]
    best = [one.best for one in ranked[:1] if one.best is not None]
    metrics = (
        *([Metric("best_objective", best[0]), Metric("best_trial", ranked[0].task)] if best else []),
        Metric("trials_ended", sum(bool(one.end) for one in trials)),
        Metric("trials_stopped_early", sum(one.end == "pruned" for one in trials)),
        Metric("trials_failed", sum(one.end == "failed" for one in trials)),
        Metric("steps_reported", sum(len(one.points) for one in trials)),
    )
    return Results(
        tasks=tuple(_task(trial) for trial in trials if trial.end),
        metrics=metrics,
        series=tuple(
            Series(f"{objective}, {one.task}", "step", "", one.points)
            for one in ranked[:_MOST_CURVES]
            if one.points
        ),
        tables=(_table(ranked, params),),
    )


def _ranked(trials: Sequence[Trial], params: SweepParameters) -> list[Trial]:
    """The best first; failed trials and those without a number after all others."""
    sign = -1 if params.direction == "maximize" else 1
    return sorted(
        trials,
        key=lambda one: (one.end == "failed", one.best is None, sign * (one.best or 0), one.task),
    )


def _read_trial(workspace: Path, params: SweepParameters, task: int) -> Trial:
    text = read_text(workspace, f"results/{task}.json", max_bytes=_LARGEST_RESULT_BYTES) or ""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raw = {}
    found = raw if isinstance(raw, dict) else {}
    values, message = found.get("values"), found.get("message")
    points = tuple(sorted(_points(found.get("points")).items()))
    reported = [value for _, value in points]
    if is_number(found.get("best")):
        reported.append(found["best"])
    choose = max if params.direction == "maximize" else min
    return Trial(
        task=task,
        values={name: _shown(values[name]) for name in params.space if name in values}
        if isinstance(values, dict)
        else {},
        points=points,
        best=choose(reported) if reported else None,
        end=next((end for end in _ENDS if end == found.get("end")), ""),
        message=message[:_LONGEST_TEXT] if isinstance(message, str) else "",
    )


def _points(raw: object) -> dict[float, float]:
    found: dict[float, float] = {}
    for point in raw[:_MOST_POINTS] if isinstance(raw, list) else ():
        if isinstance(point, list) and len(point) == 2 and all(map(is_number, point)):  # noqa: PLR2004 - x, y
            found[point[0]] = point[1]
    return found


def _shown(value: object) -> Value:
    return value if is_number(value) else str(value)[:_LONGEST_TEXT]  # type: ignore[return-value]


def _task(trial: Trial) -> TaskResult:
    file = f"results/{trial.task}.json"
    failure = None
    if trial.end == "failed":
        line = trial.message or "the program failed without a message"
        failure = Failure(signature(line), line, file, 1)
    metrics = () if trial.best is None else (Metric("objective", trial.best),)
    steps = (Metric("steps", trial.points[-1][0]),) if trial.points else ()
    return TaskResult(
        task_index=trial.task,
        label=f"trial {trial.task}",
        verdict=Verdict.FAIL if failure else Verdict.PASS,
        metrics=(*metrics, *steps),
        failure=failure,
        artefacts=(Artefact(file, "curve"),),
    )


def _table(ranked: Sequence[Trial], params: SweepParameters) -> Table:
    columns = (
        Column(N_("Trial")),
        *(Column(name) for name in params.space),
        Column(params.objective),
        Column(N_("Last step")),
        Column(N_("End")),
    )
    rows = tuple(
        (
            one.task,
            *(one.values.get(name) for name in params.space),
            one.best,
            one.points[-1][0] if one.points else None,
            one.end or "-",
        )
        for one in ranked
    )
    return Table(N_("Trials"), columns, rows)
