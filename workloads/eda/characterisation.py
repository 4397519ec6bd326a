"""Library characterisation on ngspice: cells' netlists become delay and transition tables in Liberty."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from schedulers.jobspec import ArraySpec, InputFile, JobSpec
from workloads.eda.characterisation_cells import Cell, cells_of, problems_of_ports, read_ports
from workloads.eda.characterisation_decks import cell_with_blanks, deck, header
from workloads.eda.characterisation_parameters import CharacterisationParameters
from workloads.eda.characterisation_results import read_results
from workloads.eda.sources import lines_file
from workloads.eda.task_facts import task_script
from workloads.errors import FieldProblem, InvalidParameters, field_problem
from workloads.scripts import shipped
from workloads.template import N_, CampaignCell, Results, Template

_EXAMPLE = {"cells.sp": "characterisation/cells.sp", "devices.lib": "spice/devices.lib"}
_MOST_ARCS = 2000
"""Each is a deck that travels with the job."""


class Characterisation(Template[CharacterisationParameters]):
    """One array task for each cell; the library grows as they end."""

    name: ClassVar[str] = "characterisation"
    title: ClassVar[str] = N_("Library characterisation")
    summary: ClassVar[str] = N_(
        "Cells' SPICE netlists to a Liberty file with ngspice: delay and transition tables."
    )
    domain: ClassVar[str] = "analog"
    parameters = CharacterisationParameters

    def render(self, params: CharacterisationParameters) -> JobSpec:
        """The script is the same text for all parameters; what is simulated comes as decks."""
        files = params.sources or {path: shipped(origin) for path, origin in _EXAMPLE.items()}
        ports = read_ports(files.values())
        cells = cells_of(params)
        if problems := [*_problems_of_tables(params), *_problems_of_cells(params, cells, ports, files)]:
            raise InvalidParameters(self.name, problems)
        throttle = f"%{params.max_parallel}" if params.max_parallel else ""
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=task_script("characterisation_task.sh"),
                environment={
                    "CHAR_COMPATIBILITY": params.compatibility,
                    "CHAR_SUPPLY_V": f"{params.voltage:.9g}",
                    "CHAR_LIBRARY": params.library,
                },
                partition=params.resources.partition,
                resources=params.resources.request(),
                programs=("ngspice", "flock"),
                array=ArraySpec(expression=f"0-{len(cells) - 1}{throttle}"),
                stdout_path="logs/task-%a.out",
                inputs=(
                    *_inputs(params, cells, ports),
                    *(InputFile(path=f"design/{path}", content=text) for path, text in files.items()),
                ),
            )

    def campaign(self, params: CharacterisationParameters) -> Sequence[CampaignCell]:
        """Cells are rows; the corner is the column."""
        corner = f"{params.corner} {params.voltage:g} V {params.temperature:g} °C"
        return [CampaignCell(cell.index, cell.name, corner) for cell in cells_of(params)]

    def parse(self, workspace: Path, params: CharacterisationParameters) -> Results:
        """The tables of every cell whose task has ended by itself."""
        return read_results(workspace, params)


def _inputs(
    params: CharacterisationParameters, cells: Sequence[Cell], ports: dict[str, tuple[str, ...]]
) -> Iterator[InputFile]:
    arcs = {cell.index: list(cell.function.arcs()) for cell in cells}
    yield lines_file(
        "characterisation/tasks.txt",
        [f"{cell.index}\t{cell.name}\t{len(arcs[cell.index])}" for cell in cells],
    )
    yield InputFile(path="characterisation/fill.awk", content=shipped("characterisation/fill.awk"))
    yield InputFile(path="characterisation/header.lib", content=header(params))
    for cell in cells:
        text = cell_with_blanks(params, cell.name, cell.output, cell.function)
        yield InputFile(path=f"characterisation/{cell.index}.lib", content=text)
        for number, arc in enumerate(arcs[cell.index]):
            content = deck(params, cell.name, cell.output, ports[cell.name.lower()], arc)
            yield InputFile(path=f"characterisation/{cell.index}-{number}.cir", content=content)


def _problems_of_tables(params: CharacterisationParameters) -> Iterator[FieldProblem]:
    for field in ("slews_ns", "loads_pf"):
        values = getattr(params, field)
        if list(values) != sorted(set(values)):
            yield field_problem(field, "order", N_("Each value must be larger than the one before."))
    longest = max(params.slews_ns) / (params.high - params.low)
    if longest > params.window_ns / 2:
        text = N_("The longest edge takes %(longest)s ns: the window must be at least twice as long.")
        yield field_problem("window_ns", "too_small", text, longest=f"{longest:g}")


def _problems_of_cells(
    params: CharacterisationParameters,
    cells: Sequence[Cell],
    ports: dict[str, tuple[str, ...]],
    files: dict[str, str],
) -> Iterator[FieldProblem]:
    for field in ("netlist", "models"):
        path = getattr(params, field)
        if path is not None and path not in files:
            yield field_problem(field, "missing", N_("There is no file %(path)s."), path=path)
    for name, times in Counter(cell.name.lower() for cell in cells).items():
        if times > 1:
            text = N_("%(name)s is listed %(times)s times.")
            yield field_problem("cells", "duplicate", text, name=name, times=times)
    total = 0
    for cell in cells:
        yield from problems_of_ports(params, cell, ports.get(cell.name.lower()))
        arcs = list(cell.function.arcs())
        total += len(arcs)
        if {arc.input for arc in arcs} != set(cell.function.inputs):
            text = N_("An input of %(cell)s has no influence on its output.")
            yield field_problem(f"cells.{cell.index}", "function", text, cell=cell.name)
    if total > _MOST_ARCS:
        text = N_("%(count)s timing arcs; a job can have %(most)s.")
        yield field_problem("cells", "too_large", text, count=total, most=_MOST_ARCS)
