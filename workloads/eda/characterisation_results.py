"""What was measured of each cell, read back: delays, transitions, capacitances, and the library itself."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workloads.campaign import summary
from workloads.eda.characterisation_cells import Cell, cells_of
from workloads.eda.characterisation_parameters import CharacterisationParameters
from workloads.eda.task_facts import (
    count,
    ended_tasks,
    failure,
    missing_tool,
    number,
    present,
    read_facts,
)
from workloads.template import N_, Column, Failure, Metric, Results, Table, TaskResult, Verdict
from workloads.workspace import read_text

_LARGEST_MEASURES_BYTES = 8 * 1024**2
_MOST_ROWS = 1000
_LINE = re.compile(r"([0-9]{1,4}) (\w{1,40}) (\S{1,40})")

Measures = Mapping[tuple[int, str], float]
"""By arc and name, in SI units."""


def read_results(workspace: Path, params: CharacterisationParameters) -> Results:
    """Everything that the ended tasks left behind."""
    cells = cells_of(params)
    found = [
        (cells[index], facts, _read_measures(workspace, index))
        for index in ended_tasks(workspace, range(len(cells)))
        if (facts := read_facts(workspace, index))
    ]
    tasks = tuple(_task_result(workspace, params, *one) for one in found)
    passed = {task.task_index for task in tasks if task.verdict is Verdict.PASS}
    good = [(cell, measures) for cell, _, measures in found if cell.index in passed]
    return Results(tasks=tasks, metrics=summary(tasks), tables=(*_capacitances(good), *_timing(good)))


def _read_measures(workspace: Path, index: int) -> Measures:
    text = read_text(workspace, f"measures/{index}.txt", max_bytes=_LARGEST_MEASURES_BYTES) or ""
    found = {}
    for line in text.split("\n"):
        match = _LINE.fullmatch(line)
        if match and (value := number(match[3])) is not None:
            found[int(match[1]), match[2]] = value
    return found


def _task_result(
    workspace: Path,
    params: CharacterisationParameters,
    cell: Cell,
    facts: Mapping[str, str],
    measures: Measures,
) -> TaskResult:
    if missing := missing_tool(facts, cell.index, cell.name):
        return missing
    log = f"logs/{cell.index}.log"
    verdict, why = Verdict.PASS, None
    if count(facts, "exit_code") != 0:
        verdict, why = Verdict.FAIL, failure(facts, otherwise="the task ended without a reason", file=log)
        if "unsettled" in facts:
            said = "the output has not settled: a longer window is needed"
            why = Failure(said, why.line, why.file, why.line_number)
    elif doubt := _implausible(params, cell, measures):
        verdict, why = Verdict.NO_VERDICT, Failure(f"no verdict: {doubt}", doubt, log, 0)
    return TaskResult(
        task_index=cell.index,
        label=cell.name,
        verdict=verdict,
        metrics=_metrics(cell, measures) if verdict is Verdict.PASS else (),
        failure=why,
        artefacts=(
            *present(workspace, "liberty", {f"{params.library}.lib": "source"}),
            *present(workspace, "measures", {f"{cell.index}.txt": "report"}),
            *present(workspace, "logs", {f"{cell.index}.log": "log"}),
        ),
    )


def _implausible(params: CharacterisationParameters, cell: Cell, measures: Measures) -> str:
    """Why these numbers cannot be a cell's; empty when they can."""
    window = params.window_ns * 1e-9
    for arc, _ in enumerate(cell.function.arcs()):
        if measures.get((arc, "cap"), -1.0) <= 0:
            return "an input has no capacitance"
        for place in _places(params):
            for edge in (1, 2):
                delay, transition = (measures.get((arc, f"{kind}{edge}_{place}")) for kind in "ds")
                if delay is None or transition is None:
                    return "a measure is missing"
                if not 0 < transition < window or not -window < delay < window:
                    return "a delay or transition is longer than the window"
    return ""


def _places(params: CharacterisationParameters) -> list[str]:
    return [
        f"{row}_{column}" for row in range(len(params.slews_ns)) for column in range(len(params.loads_pf))
    ]


def _metrics(cell: Cell, measures: Measures) -> tuple[Metric, ...]:
    """Capacitances, and the range of what the tables hold."""
    named = {kind: [value for (_, name), value in measures.items() if name[0] == kind] for kind in "ds"}
    return (
        *(
            Metric(f"capacitance__pin:{pin}", 1e12 * value, "pF")
            for pin, value in _pin_capacitances(cell, measures)
        ),
        Metric("delay__min", 1e9 * min(named["d"]), "ns"),
        Metric("delay__max", 1e9 * max(named["d"]), "ns"),
        Metric("transition__min", 1e9 * min(named["s"]), "ns"),
        Metric("transition__max", 1e9 * max(named["s"]), "ns"),
        Metric("timing_arcs", len(list(cell.function.arcs()))),
    )


def _pin_capacitances(cell: Cell, measures: Measures) -> Iterator[tuple[str, float]]:
    """As the library has them: of each input's first arc."""
    seen = set()
    for place, arc in enumerate(cell.function.arcs()):
        if arc.input not in seen:
            seen.add(arc.input)
            yield arc.input, measures[place, "cap"]


def _capacitances(good: Sequence[tuple[Cell, Measures]]) -> tuple[Table, ...]:
    columns = (Column(N_("Cell")), Column(N_("Input")), Column(N_("Capacitance"), "pF"))
    rows = [
        (cell.name, pin, 1e12 * value)
        for cell, measures in good
        for pin, value in _pin_capacitances(cell, measures)
    ]
    return _table(N_("Input capacitances"), columns, rows)


def _timing(good: Sequence[tuple[Cell, Measures]]) -> tuple[Table, ...]:
    """The range of each arc's tables; the library holds them whole."""
    columns = (
        Column(N_("Cell")),
        Column(N_("Input")),
        Column(N_("Others")),
        Column(N_("Output edge")),
        Column(N_("Delay, from"), "ns"),
        Column(N_("Delay, to"), "ns"),
        Column(N_("Transition, from"), "ns"),
        Column(N_("Transition, to"), "ns"),
    )
    rows = [
        (
            cell.name,
            arc.input,
            arc.when,
            output,
            *_range(measures, index, f"d{edge}"),
            *_range(measures, index, f"s{edge}"),
        )
        for cell, measures in good
        for index, arc in enumerate(cell.function.arcs())
        for edge, output in zip((1, 2), ("fall", "rise") if arc.inverts else ("rise", "fall"), strict=True)
    ]
    return _table(N_("Delays and transitions"), columns, rows)


def _range(measures: Measures, arc: int, kind: str) -> tuple[float, float]:
    values = [
        1e9 * value
        for (measured, name), value in measures.items()
        if measured == arc and name.startswith(f"{kind}_")
    ]
    return min(values), max(values)


def _table(
    title: str, columns: tuple[Column, ...], rows: Sequence[tuple[str | float | None, ...]]
) -> tuple[Table, ...]:
    return (Table(title, columns, tuple(rows[:_MOST_ROWS]), is_cut=len(rows) > _MOST_ROWS),) if rows else ()
