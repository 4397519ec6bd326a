"""SPICE on ngspice: process, voltage and temperature corners, Monte-Carlo samples, limits and yield."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from schedulers.jobspec import ArraySpec, InputFile, JobSpec
from workloads.eda.sources import lines_file
from workloads.eda.spice_limits import Measure, read_limit
from workloads.eda.spice_parameters import MOST_RANDOM_VALUES, MOST_TASKS, SpiceParameters
from workloads.eda.spice_points import Point, count_points, points, sample_lines
from workloads.eda.spice_results import read_results
from workloads.eda.task_facts import task_script
from workloads.errors import FieldProblem, InvalidParameters, field_problem
from workloads.scripts import shipped
from workloads.template import N_, CampaignCell, Results, Template

_EXAMPLE = ("ring.cir", "devices.lib")
_EXAMPLE_VARIATIONS = frozenset(f"dn{stage}" for stage in range(1, 6))


class Spice(Template[SpiceParameters]):
    """Task index follows corners, voltages, temperatures, then parts of the samples."""

    name: ClassVar[str] = "spice"
    title: ClassVar[str] = N_("SPICE corners and Monte-Carlo")
    summary: ClassVar[str] = N_("Simulate a circuit with ngspice at all corners: measures, limits, yield.")
    domain: ClassVar[str] = "analog"
    parameters = SpiceParameters

    def render(self, params: SpiceParameters) -> JobSpec:
        """One array task for each corner and part of its samples; the script is the same text for all."""
        self._refuse_contradictions(params)
        tasks = points(params)
        throttle = f"%{params.max_parallel}" if params.max_parallel else ""
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=task_script("spice_task.sh"),
                environment={
                    "SPICE_NETLIST": params.netlist,
                    "SPICE_MODELS": params.models,
                    "SPICE_SUPPLY": params.supply,
                    "SPICE_COMPATIBILITY": params.compatibility,
                },
                partition=params.resources.partition,
                resources=params.resources.request(),
                programs=("ngspice",),
                array=ArraySpec(expression=f"0-{len(tasks) - 1}{throttle}"),
                stdout_path="logs/task-%a.out",
                inputs=_inputs(params, tasks),
            )

    def campaign(self, params: SpiceParameters) -> Sequence[CampaignCell]:
        """Process and voltage are rows, temperatures are columns."""
        return [CampaignCell(point.index, point.row, point.column) for point in points(params)]

    def parse(self, workspace: Path, params: SpiceParameters) -> Results:
        """Measures of every task that has ended by itself; what is invalid is never shown as a number."""
        return read_results(workspace, params)

    def _refuse_contradictions(self, params: SpiceParameters) -> None:
        problems = [
            field_problem(field, "duplicate", N_("Each value may be given once."))
            for field in ("corners", "voltages", "temperatures")
            if len(set(getattr(params, field))) != len(getattr(params, field))
        ]
        known = params.sources or dict.fromkeys(_EXAMPLE, "")
        if params.netlist not in known:
            problems.append(
                field_problem("netlist", "no_file", N_("There is no file %(path)s."), path=params.netlist)
            )
        if params.corners and params.models not in known:
            problems.append(
                field_problem("models", "no_file", N_("There is no file %(path)s."), path=params.models)
            )
        problems += _problems_of_measures(params) + _problems_of_samples(params)
        if problems:
            raise InvalidParameters(self.name, problems)


def _problems_of_measures(params: SpiceParameters) -> list[FieldProblem]:
    problems = []
    names: Counter[str] = Counter()
    for field, limits in (("measures", params.measures), ("validity", params.validity)):
        for place, measure in enumerate(map(read_limit, limits)):
            names[measure.name.lower()] += 1
            if _is_empty(measure):
                text = N_("No value is within %(bounds)s.")
                problems.append(field_problem(f"{field}.{place}", "range", text, bounds=measure.bounds))
    for name, times in names.items():
        if times > 1:
            problems.append(
                field_problem(
                    "measures", "duplicate", N_("%(name)s is listed %(times)s times."), name=name, times=times
                )
            )
    return problems


def _is_empty(measure: Measure) -> bool:
    return measure.low is not None and measure.high is not None and measure.low > measure.high


def _problems_of_samples(params: SpiceParameters) -> list[FieldProblem]:
    problems = []
    names = [variation.partition("=")[0].lower() for variation in params.variations]
    if len(set(names)) != len(names):
        problems.append(field_problem("variations", "duplicate", N_("Each parameter may vary once.")))
    if params.supply.lower() in names:
        problems.append(
            field_problem("variations", "duplicate", N_("%(name)s is the supply."), name=params.supply)
        )
    if not params.sources and (unknown := set(names) - _EXAMPLE_VARIATIONS):
        text = N_("The example has no parameter %(name)s; it has dn1 to dn5.")
        problems.append(field_problem("variations", "unknown", text, name=min(unknown)))
    if any(float(variation.rpartition(":")[2]) < 0 for variation in params.variations):
        problems.append(field_problem("variations", "too_small", N_("A standard deviation is not negative.")))
    values = params.samples * max(len(names), 1)
    if values > MOST_RANDOM_VALUES:
        text = N_("%(count)s random values; the most is %(most)s.")
        problems.append(field_problem("samples", "too_large", text, count=values, most=MOST_RANDOM_VALUES))
    if (tasks := count_points(params)) > MOST_TASKS:
        text = N_("%(count)s tasks; a campaign can have %(most)s.")
        problems.append(field_problem("samples_per_task", "too_large", text, count=tasks, most=MOST_TASKS))
    return problems


def _inputs(params: SpiceParameters, tasks: Sequence[Point]) -> tuple[InputFile, ...]:
    decks = params.sources or {name: shipped(f"spice/{name}") for name in _EXAMPLE}
    limits = [read_limit(text) for text in (*params.measures, *params.validity)]
    return (
        lines_file("spice/tasks.txt", [_line(point) for point in tasks]),
        lines_file("spice/samples.txt", list(sample_lines(params))),
        lines_file("spice/measures.txt", [limit.name for limit in limits]),
        *(InputFile(path=f"design/{path}", content=text) for path, text in decks.items()),
    )


def _line(point: Point) -> str:
    """An empty field would be lost between two tabs: no corner is `-`."""
    numbers = (
        f"{point.voltage:.9g}",
        f"{point.temperature:.9g}",
        str(point.first_sample),
        str(point.samples),
    )
    return "\t".join((str(point.index), point.corner or "-", *numbers))
