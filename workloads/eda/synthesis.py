"""Synthesis with Yosys and timing with OpenSTA: libraries and variants x clock periods as one array."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from schedulers.jobspec import ArraySpec, InputFile, JobSpec
from workloads.campaign import summary
from workloads.eda.sources import compiled, design_files, lines_file
from workloads.eda.synthesis_parameters import MOST_TASKS, SynthesisParameters
from workloads.eda.task_facts import (
    count,
    ended_tasks,
    failure,
    missing_tool,
    number,
    present,
    read_facts,
    task_script,
)
from workloads.errors import InvalidParameters, field_problem
from workloads.scripts import shipped
from workloads.template import (
    N_,
    CampaignCell,
    Column,
    Failure,
    Metric,
    Results,
    Table,
    TaskResult,
    Template,
    Verdict,
)

_EXAMPLE = {"fifo.sv": "fifo/fifo.sv"}
_MOST_ROWS = 1000
_MOST_PATHS = 10
_MOST_PATHS_OF_MANY = 3
_MOST_PATHS_READ = 50


@dataclass(frozen=True, slots=True)
class Point:
    """One task: a library, a clock period and a variant."""

    index: int
    library: str
    period_ns: float
    variant: str

    @property
    def row(self) -> str:
        """Its row in the matrix: `osu018 WIDTH=16`."""
        return f"{self.library} {self.variant}".strip()

    @property
    def column(self) -> str:
        """Its column in the matrix: `2.5 ns`."""
        return f"{self.period_ns:g} ns"


class Synthesis(Template[SynthesisParameters]):
    """Task index = (library, variant) number x clock periods + period number."""

    name: ClassVar[str] = "synthesis"
    title: ClassVar[str] = N_("Synthesis and timing")
    summary: ClassVar[str] = N_("RTL to standard cells with Yosys; area, slack and worst paths with OpenSTA.")
    domain: ClassVar[str] = "synthesis"
    parameters = SynthesisParameters

    def render(self, params: SynthesisParameters) -> JobSpec:
        """One array task for each point of the sweep; the scripts are the same text for all parameters."""
        self._refuse_contradictions(params)
        points = _points(params)
        throttle = f"%{params.max_parallel}" if params.max_parallel else ""
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=task_script("synthesis_task.sh"),
                environment={
                    "SYN_TOP": params.top,
                    "SYN_CLOCK": params.clock_port or "",
                    "SYN_DRIVER": params.driving_cell,
                    "SYN_LOAD_PF": f"{params.output_load_pf:g}",
                    "SYN_INPUT_DELAY_NS": f"{params.input_delay_ns:g}",
                    "SYN_OUTPUT_DELAY_NS": f"{params.output_delay_ns:g}",
                    "SYN_LATE_DERATE": f"{params.late_derate:g}",
                    "SYN_FAIL_ON_SLACK": str(int(params.fail_on_slack)),
                },
                partition=params.resources.partition,
                resources=params.resources.request(),
                programs=("yosys", "yosys-abc", "sta"),
                array=ArraySpec(expression=f"0-{len(points) - 1}{throttle}"),
                stdout_path="logs/task-%a.out",
                inputs=_inputs(params, points),
            )

    def campaign(self, params: SynthesisParameters) -> Sequence[CampaignCell]:
        """Libraries and variants are rows, clock periods are columns."""
        return [CampaignCell(point.index, point.row, point.column) for point in _points(params)]

    def parse(self, workspace: Path, params: SynthesisParameters) -> Results:
        """Area and timing of every task that has ended by itself."""
        points = _points(params)
        found = [
            (points[index], facts, _task_result(workspace, points[index], facts, params))
            for index in ended_tasks(workspace, range(len(points)))
            if (facts := read_facts(workspace, index))
        ]
        tasks = tuple(task for _, _, task in found)
        return Results(
            tasks=tasks,
            metrics=tasks[0].metrics if len(points) == 1 and tasks else summary(tasks),
            tables=(
                *_table_of_points(tasks),
                *_table_of_paths([(point, facts) for point, facts, _ in found]),
            ),
        )

    def _refuse_contradictions(self, params: SynthesisParameters) -> None:
        problems = []
        if params.sources and not compiled(params.sources):
            problems.append(
                field_problem("sources", "no_source", N_("There is no .sv or .v file to compile."))
            )
        for field in ("technologies", "clock_periods_ns", "parameter_sets"):
            values = getattr(params, field)
            if len(set(values)) != len(values):
                problems.append(field_problem(field, "duplicate", N_("Each value may be given once.")))
        tasks = len(_points(params))
        if tasks > MOST_TASKS:
            text = N_("%(count)s tasks; a campaign can have %(most)s.")
            problems.append(field_problem("parameter_sets", "too_large", text, count=tasks, most=MOST_TASKS))
        if problems:
            raise InvalidParameters(self.name, problems)


def _points(params: SynthesisParameters) -> list[Point]:
    each = [
        (library, period, variant)
        for library in (params.liberty or params.technologies)
        for variant in (params.parameter_sets or [""])
        for period in params.clock_periods_ns
    ]
    return [Point(index, *values) for index, values in enumerate(each)]


def _inputs(params: SynthesisParameters, points: Sequence[Point]) -> tuple[InputFile, ...]:
    design = design_files(params.sources, _EXAMPLE)
    constraints = [
        f"set_driving_cell {params.driving_cell}",
        f"set_load {params.output_load_pf:g} [all_outputs]",
    ]
    return (
        lines_file(
            "synthesis/tasks.txt", [_line(point, own=point.library in params.liberty) for point in points]
        ),
        lines_file("synthesis/defines.txt", params.defines),
        lines_file("synthesis/sources.txt", compiled({one.path: "" for one in design})),
        lines_file("synthesis/abc.constr", constraints),
        *(
            InputFile(path=path, content=shipped(path))
            for path in ("synthesis/synthesize.tcl", "synthesis/timing.tcl", "synthesis/sequential.awk")
        ),
        *(InputFile(path=f"liberty/{name}", content=text) for name, text in params.liberty.items()),
        *design,
    )


def _line(point: Point, *, own: bool) -> str:
    library = f"liberty/{point.library}" if own else point.library
    period = f"{point.period_ns:.9g}"
    return "\t".join((str(point.index), library, period, str(round(point.period_ns * 1000)), point.variant))


def _task_result(
    workspace: Path, point: Point, facts: Mapping[str, str], params: SynthesisParameters
) -> TaskResult:
    label = f"{point.row}, {point.column}"
    if missing := missing_tool(facts, point.index, label):
        return missing
    metrics = _metrics(facts)
    doubt = facts.get("untimed", "").removeprefix("Warning: ") or _implausible(
        {metric.name: metric.value for metric in metrics}, point, params
    )
    log = f"logs/timing-{point.index}.log"
    verdict, why = Verdict.PASS, None
    if count(facts, "exit_code") != 0:
        verdict, why = Verdict.FAIL, failure(facts, otherwise="the task ended without a reason", file=log)
        if "violated" in facts:
            why = replace(why, signature="setup timing is violated")
    elif doubt:
        verdict, why = Verdict.NO_VERDICT, Failure(f"no verdict: {doubt}", doubt, log, 0)
    return TaskResult(
        task_index=point.index,
        label=label,
        verdict=verdict,
        metrics=metrics,
        failure=why,
        artefacts=(
            *present(workspace, f"netlists/{point.index}", {"netlist.v": "source", "stat.txt": "report"}),
            *present(
                workspace, "logs", {f"timing-{point.index}.log": "log", f"synthesis-{point.index}.log": "log"}
            ),
        ),
    )


_METRICS = (
    ("area", "design__instance__area", "um^2"),
    ("cells", "design__instance__count", ""),
    ("sequential_area", "design__instance__area__class:sequential_cell", "um^2"),
    ("sequential_cells", "design__instance__count__class:sequential_cell", ""),
    ("setup_worst_slack", "timing__setup__ws", "ns"),
    ("setup_total_negative_slack", "timing__setup__tns", "ns"),
    ("setup_violations", "timing__setup_vio__count", ""),
)
"""Fact, LibreLane's metric, unit."""


def _metrics(facts: Mapping[str, str]) -> tuple[Metric, ...]:
    return tuple(
        Metric(name, value, unit)
        for fact, name, unit in _METRICS
        if (value := number(facts.get(fact))) is not None
    )


def _implausible(found: Mapping[str, float], point: Point, params: SynthesisParameters) -> str:
    """Why these numbers cannot be the result of a synthesis; empty when they can."""
    if missing := [name for _, name, _ in _METRICS if name not in found]:
        return f"{missing[0]} is missing"
    if found["design__instance__count"] < 1 or found["design__instance__area"] <= 0:
        return "the netlist has no cells"
    if found["design__instance__area__class:sequential_cell"] > found["design__instance__area"]:
        return "the registers are larger than the design"
    slack, total = found["timing__setup__ws"], found["timing__setup__tns"]
    if slack > 2 * point.period_ns + abs(params.input_delay_ns) + abs(params.output_delay_ns):
        return "no path is timed by the clock"
    if (slack < 0) != (total < 0) or total > min(slack, 0) + 1e-6:
        return "the total negative slack contradicts the worst slack"
    return ""


def _table_of_points(tasks: Sequence[TaskResult]) -> tuple[Table, ...]:
    if not tasks:
        return ()
    columns = (
        Column(N_("Run")),
        Column(N_("Area"), "µm²"),
        Column(N_("Registers"), "µm²"),
        Column(N_("Cells")),
        Column(N_("Worst slack"), "ns"),
        Column(N_("Total negative slack"), "ns"),
        Column(N_("Violated endpoints")),
    )
    names = (
        "design__instance__area",
        "design__instance__area__class:sequential_cell",
        "design__instance__count",
        "timing__setup__ws",
        "timing__setup__tns",
        "timing__setup_vio__count",
    )
    rows = []
    for task in tasks[:_MOST_ROWS]:
        values = {} if task.verdict is Verdict.NO_VERDICT else {one.name: one.value for one in task.metrics}
        rows.append((task.label, *(values.get(name) for name in names)))
    return (Table(N_("Area and timing"), columns, tuple(rows), is_cut=len(tasks) > _MOST_ROWS),)


def _table_of_paths(found: Sequence[tuple[Point, Mapping[str, str]]]) -> tuple[Table, ...]:
    """The worst paths of each run, the worst first."""
    most = _MOST_PATHS if len(found) == 1 else _MOST_PATHS_OF_MANY
    rows = [
        (f"{point.row}, {point.column}", slack, start, end)
        for point, facts in found
        for slack, start, end in _paths(facts)[:most]
    ]
    if not rows:
        return ()
    columns = (Column(N_("Run")), Column(N_("Slack"), "ns"), Column(N_("Startpoint")), Column(N_("Endpoint")))
    return (Table(N_("Worst paths"), columns, tuple(rows[:_MOST_ROWS]), is_cut=len(rows) > _MOST_ROWS),)


def _paths(facts: Mapping[str, str]) -> list[tuple[float, str, str]]:
    """Slack, start and end; OpenSTA lists the worst of each path group."""
    lines = [facts.get(f"path_{rank}", "").split() for rank in range(_MOST_PATHS_READ)]
    found = [
        (slack, words[1], words[2])
        for words in lines
        if len(words) == len(("slack", "from", "to")) and (slack := number(words[0])) is not None
    ]
    return sorted(found)[:_MOST_PATHS]
