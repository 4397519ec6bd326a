"""The form of the characterisation template: cells and their functions, a corner, the axes of the tables."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from workloads.eda.characterisation_function import read_function
from workloads.eda.sources import SourceText, Word
from workloads.eda.spice_parameters import DeckPath
from workloads.resources import JobName, Resources
from workloads.template import N_, Parameters

MOST_CELLS = 1000
MOST_INPUTS = 6

_CELL = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_]{0,63}) (?P<output>[A-Za-z_][A-Za-z0-9_]{0,63}) ?= ?"
    r"(?P<function>[A-Za-z0-9_!&|^() ]{1,200})"
)


def cell_parts(text: str) -> tuple[str, str, str]:
    """Name, output and function of a valid cell."""
    match = _CELL.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return match["name"], match["output"], match["function"]


def _cell(text: str) -> str:
    try:
        _, output, function = cell_parts(text)
        inputs = read_function(function).inputs
    except ValueError:
        inputs, output = (), ""
    if not 1 <= len(inputs) <= MOST_INPUTS or output in inputs:
        raise ValueError(
            N_("a cell is NAME OUTPUT=FUNCTION of ! & | ^ ( ) and up to six inputs, such as nand2 Y=!(A & B)")
        )
    return text


Cell = Annotated[str, StringConstraints(max_length=300), AfterValidator(_cell)]
_Slew = Annotated[float, Field(ge=1e-4, le=1e4, allow_inf_nan=False)]
_Load = Annotated[float, Field(ge=0, le=1e3, allow_inf_nan=False)]


class CharacterisationParameters(Parameters):
    """Which cells, at which corner, for which slews and loads."""

    name: JobName = "characterisation"
    sources: dict[DeckPath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Cells and models"),
        description=N_("SPICE files by path. Empty takes the four cells that come with the portal."),
        json_schema_extra={"widget": "files", "group": N_("Library cells")},
    )
    netlist: DeckPath = Field(
        default="cells.sp",
        title=N_("Cell netlists"),
        description=N_("The file with a .subckt for each cell, as drawn or extracted from the layout."),
        json_schema_extra={"group": N_("Library cells")},
    )
    cells: list[Cell] = Field(
        default=["inv_x1 y=!a", "buf_x1 y=a", "nand2_x1 y=!(a & b)", "aoi21_x1 y=!((a & b) | c)"],
        min_length=1,
        max_length=MOST_CELLS,
        title=N_("Cells and functions"),
        description=N_(
            "NAME OUTPUT=FUNCTION, one a line, of ! & | ^ and parentheses: combinational, with one output."
        ),
        json_schema_extra={"group": N_("Library cells")},
    )
    supply_ports: list[Word] = Field(
        default=["vdd"],
        min_length=1,
        max_length=8,
        title=N_("Supply ports"),
        description=N_("Of the .subckt lines, n-wells among them, one a line."),
        json_schema_extra={"group": N_("Library cells")},
    )
    ground_ports: list[Word] = Field(
        default=["gnd"],
        min_length=1,
        max_length=8,
        title=N_("Ground ports"),
        json_schema_extra={"group": N_("Library cells")},
    )
    models: DeckPath | None = Field(
        default="devices.lib",
        title=N_("Model library"),
        description=N_(
            "The file whose .lib sections are the process corners; empty if the netlist has its models."
        ),
        json_schema_extra={"group": N_("Corner")},
    )
    corner: Word = Field(default="tt", title=N_("Process corner"), json_schema_extra={"group": N_("Corner")})
    voltage: float = Field(
        default=1.2,
        gt=0,
        le=100,
        allow_inf_nan=False,
        title=N_("Supply voltage"),
        json_schema_extra={"unit": "V", "group": N_("Corner")},
    )
    temperature: float = Field(
        default=25,
        ge=-273,
        le=1000,
        allow_inf_nan=False,
        title=N_("Temperature"),
        json_schema_extra={"unit": "°C", "group": N_("Corner")},
    )
    compatibility: Literal["none", "hs", "hsa", "ps", "psa", "lt", "ltps"] = Field(
        default="none",
        title=N_("Compatibility"),
        description=N_("Of ngspice with models of other simulators: hsa for those written for HSPICE."),
        json_schema_extra={"advanced": True, "group": N_("Corner")},
    )
    slews_ns: list[_Slew] = Field(
        default=[0.01, 0.05, 0.2],
        min_length=2,
        max_length=12,
        title=N_("Input slews"),
        description=N_("Transition times between the thresholds below, rising, one a line."),
        json_schema_extra={"unit": "ns", "group": N_("Tables")},
    )
    loads_pf: list[_Load] = Field(
        default=[0.001, 0.005, 0.02],
        min_length=2,
        max_length=12,
        title=N_("Output loads"),
        description=N_("Rising, one a line."),
        json_schema_extra={"unit": "pF", "group": N_("Tables")},
    )
    thresholds: Literal["20-80", "10-90", "30-70"] = Field(
        default="20-80",
        title=N_("Slew thresholds"),
        description=N_("Of the supply, in per cent; delays are from half to half."),
        json_schema_extra={"group": N_("Tables")},
    )
    window_ns: float = Field(
        default=2,
        gt=0,
        le=1e6,
        allow_inf_nan=False,
        title=N_("Window of an edge"),
        description=N_("The output must have settled when it ends; longer costs time."),
        json_schema_extra={"advanced": True, "unit": "ns", "group": N_("Tables")},
    )
    library: Word = Field(
        default="characterised",
        title=N_("Library's name"),
        description=N_("The result is liberty/NAME.lib."),
        json_schema_extra={"group": N_("Tables")},
    )
    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=MOST_CELLS,
        title=N_("At most at once"),
        description=N_("Tasks that may run at the same time; empty sets no limit."),
        json_schema_extra={"group": N_("Tables")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=512, walltime_seconds=1800),
        title=N_("Resources of each task"),
    )

    @property
    def low(self) -> float:
        """The lower threshold of a transition, as a part of the supply."""
        return int(self.thresholds.partition("-")[0]) / 100

    @property
    def high(self) -> float:
        """The upper one."""
        return int(self.thresholds.partition("-")[2]) / 100
