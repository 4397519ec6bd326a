"""Corners as their page shows them: what each measured, how far it is from its limits, which corner is worst.

That the reader may see the job is the caller's to know.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from workloads.eda.spice_limits import read_limit
from workloads.eda.spice_parameters import SpiceParameters
from workloads.eda.synthesis_parameters import SynthesisParameters
from workloads.template import N_, Parameters, Results, TaskResult, Verdict

_YIELD_COLUMN = 4
"""Of the table of yields, whose first column names the corner."""
_SETUP_SLACK = "timing__setup__ws"


@dataclass(frozen=True, slots=True)
class Spec:
    """One measured number and its limits, bounds included; None where there is none."""

    name: str
    unit: str
    low: float | None
    high: float | None

    @property
    def has_limit(self) -> bool:
        """Whether a corner can miss it."""
        return self.low is not None or self.high is not None

    def slack(self, value: float | None) -> float | None:
        """How far the value is within the limits, in its own unit; negative when it misses one."""
        if value is None or not self.has_limit:
            return None
        return min(
            value - self.low if self.low is not None else float("inf"),
            self.high - value if self.high is not None else float("inf"),
        )


@dataclass(frozen=True, slots=True)
class Corner:
    """One corner that has ended."""

    name: str
    task_index: int | None
    """None where several tasks share the corner."""
    verdict: Verdict
    values: tuple[float | None, ...]
    """A value a spec; None where the simulation means nothing."""
    slacks: tuple[float | None, ...]
    why: str
    """What it misses, or why it is invalid."""


@dataclass(frozen=True, slots=True)
class WorstCorner:
    """The corner that is nearest to a limit of a spec, or furthest beyond it."""

    spec: Spec
    corner: str
    value: float
    slack: float


@dataclass(frozen=True, slots=True)
class CornerTable:
    """All corners that have ended, in the order of the campaign."""

    specs: tuple[Spec, ...]
    corners: tuple[Corner, ...]

    @property
    def worst(self) -> tuple[WorstCorner, ...]:
        """Of each spec that has a limit and a valid value."""
        found = []
        for at, spec in enumerate(self.specs):
            valid = [
                WorstCorner(spec, one.name, value, slack)
                for one in self.corners
                if (slack := one.slacks[at]) is not None and (value := one.values[at]) is not None
            ]
            if valid:
                found.append(min(valid, key=lambda one: one.slack))
        return tuple(found)


def corner_table(parameters: Parameters, results: Results) -> CornerTable | None:
    """None for a job that has no corners."""
    match parameters:
        case SpiceParameters(samples=1):
            limits = [read_limit(text) for text in parameters.measures]
            specs = tuple(Spec(one.name, one.unit, one.low, one.high) for one in limits)
            return CornerTable(specs, tuple(_of_task(task, specs) for task in results.tasks))
        case SpiceParameters():
            return _by_yield(parameters, results)
        case SynthesisParameters():
            spec = Spec(_SETUP_SLACK, "ns", 0.0, None)
            return CornerTable((spec,), tuple(_of_task(task, (spec,)) for task in results.tasks))
    return None


def _of_task(task: TaskResult, specs: Sequence[Spec]) -> Corner:
    """An invalid result has no number, whatever it measured."""
    measured = {} if task.verdict is Verdict.NO_VERDICT else {one.name: one.value for one in task.metrics}
    values = tuple(measured.get(spec.name) for spec in specs)
    slacks = tuple(spec.slack(value) for spec, value in zip(specs, values, strict=True))
    why = task.failure.line if task.failure else ""
    return Corner(task.label, task.task_index, task.verdict, values, slacks, why)


def _by_yield(parameters: SpiceParameters, results: Results) -> CornerTable:
    """Of random samples a corner has a yield, over all of its tasks."""
    spec = Spec(N_("Yield"), "%", 100 * parameters.target_yield, None)
    corners = []
    for row in results.tables[0].rows if results.tables else ():
        value = row[_YIELD_COLUMN]
        share = value if isinstance(value, int | float) else None
        slack = spec.slack(share)
        verdict = Verdict.PASS if slack is not None and slack >= 0 else Verdict.FAIL
        corners.append(Corner(str(row[0]), None, verdict, (share,), (slack,), ""))
    return CornerTable((spec,), tuple(corners))
