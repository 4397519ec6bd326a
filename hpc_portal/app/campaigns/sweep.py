"""A hyper-parameter sweep as its page shows it: an axis for each parameter, a line for each trial, the best.

That the reader may see the job is the caller's to know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workloads.ai.sweep_parameters import SweepParameters
from workloads.ai.sweep_space import Choice, Dimension, Range
from workloads.template import Parameters, Results

Value = int | float | str | None


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter, or the objective, which is the last axis."""

    name: str
    is_log: bool
    choices: tuple[str, ...]
    """What it may be, where that has no order; () for numbers."""


@dataclass(frozen=True, slots=True)
class SweepTrial:
    """One task of the sweep."""

    task_index: int
    values: tuple[Value, ...]
    """A value an axis; None where it is not known."""
    end: str
    """`done`, `pruned` (stopped early) or `failed`; `-` while it goes on."""

    @property
    def objective(self) -> Value:
        """The best that it reported."""
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class SweepView:
    """A whole sweep, as far as it has come."""

    axes: tuple[Axis, ...]
    trials: tuple[SweepTrial, ...]
    """The best first; those without a number last."""
    is_maximized: bool

    @property
    def best(self) -> SweepTrial | None:
        """None before any trial has reported its objective."""
        first = self.trials[0] if self.trials else None
        return first if first and first.objective is not None else None


def sweep_view(parameters: Parameters, results: Results) -> SweepView | None:
    """None for a job that is no sweep."""
    if not isinstance(parameters, SweepParameters):
        return None
    dimensions = parameters.dimensions()
    names = [*dimensions, parameters.objective]
    rows = results.tables[0] if results.tables else None
    trials: Sequence[SweepTrial] = ()
    if rows is not None:
        # By place: a parameter may be called like the objective.
        places = range(1, 1 + len(names))
        trials = [
            SweepTrial(int(row[0] or 0), tuple(row[place] for place in places), str(row[-1]))
            for row in rows.rows
        ]
    return SweepView(
        axes=(*_axes(dimensions), Axis(parameters.objective, is_log=False, choices=())),
        trials=tuple(trials),
        is_maximized=parameters.direction == "maximize",
    )


def _axes(dimensions: Mapping[str, Dimension]) -> Sequence[Axis]:
    found = []
    for name, dimension in dimensions.items():
        match dimension:
            case Range():
                found.append(Axis(name, dimension.is_log, ()))
            case Choice():
                found.append(Axis(name, is_log=False, choices=tuple(map(str, dimension.values))))
    return found
