"""The form of the synthesis template: a design, its constraints and what to sweep."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from workloads.eda.sources import Define, SourcePath, SourceText, Word, written_as
from workloads.resources import JobName, Resources
from workloads.template import N_, Parameters

MOST_TASKS = 10_000

_VALUE = r"(-?[0-9]{1,18}|[0-9]{1,4}'[bodh][0-9a-fA-F_]{1,64})"
_LIBRARY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,100}\.lib")


def _library_name(name: str) -> str:
    if not _LIBRARY.fullmatch(name):
        raise ValueError(N_("a library needs a name of letters, digits and _ . + - that ends in .lib"))
    return name


ParameterSet = Annotated[
    str,
    StringConstraints(max_length=400),
    written_as(
        rf"[A-Za-z_][A-Za-z0-9_]*={_VALUE}( [A-Za-z_][A-Za-z0-9_]*={_VALUE})*",
        N_("a variant is NAME=value NAME=value, with whole numbers or constants such as 4'hF"),
    ),
]
Nanoseconds = Annotated[float, Field(ge=0.001, le=1e6, allow_inf_nan=False)]
_Delay = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class SynthesisParameters(Parameters):
    """What to synthesise, for which clock, and in which variants."""

    name: JobName = "synthesis"
    sources: dict[SourcePath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Source files"),
        description=N_(
            "SystemVerilog by path, read in this order; .svh and .vh are for `include only. "
            "Empty takes the FIFO example that comes with the portal."
        ),
        json_schema_extra={"widget": "files", "group": N_("Design")},
    )
    top: Word = Field(default="fifo", title=N_("Top module"), json_schema_extra={"group": N_("Design")})
    defines: list[Define] = Field(
        default_factory=list,
        max_length=100,
        title=N_("Defines"),
        description=N_("NAME or NAME=value, one a line."),
        json_schema_extra={"group": N_("Design")},
    )
    clock_port: Word | None = Field(
        default="clk",
        title=N_("Clock port"),
        description=N_("Empty for a design without registers: its paths are timed from port to port."),
        json_schema_extra={"group": N_("Constraints")},
    )
    input_delay_ns: _Delay = Field(
        default=0,
        title=N_("Input delay"),
        description=N_("When inputs arrive after the clock edge."),
        json_schema_extra={"unit": "ns", "group": N_("Constraints")},
    )
    output_delay_ns: _Delay = Field(
        default=0,
        title=N_("Output delay"),
        description=N_("How long before the next clock edge outputs must be ready."),
        json_schema_extra={"unit": "ns", "group": N_("Constraints")},
    )
    driving_cell: Word = Field(
        default="BUFX4",
        title=N_("Driving cell"),
        description=N_("The cell of the library that drives every input."),
        json_schema_extra={"advanced": True, "group": N_("Constraints")},
    )
    output_load_pf: float = Field(
        default=0.05,
        ge=0,
        le=1000,
        allow_inf_nan=False,
        title=N_("Output load"),
        json_schema_extra={"advanced": True, "unit": "pF", "group": N_("Constraints")},
    )
    late_derate: float = Field(
        default=1,
        ge=0.1,
        le=10,
        allow_inf_nan=False,
        title=N_("Late derate"),
        description=N_("Multiplies every delay: the OSU libraries have one typical corner only."),
        json_schema_extra={"advanced": True, "group": N_("Constraints")},
    )
    fail_on_slack: bool = Field(
        default=True,
        title=N_("Fail on violated timing"),
        description=N_("Off, a negative slack is reported and the run passes."),
        json_schema_extra={"group": N_("Constraints")},
    )
    technologies: list[Literal["osu018", "osu035", "osu050"]] = Field(
        default=["osu018"],
        min_length=1,
        max_length=3,
        title=N_("Technologies"),
        description=N_("Open standard cells: osu018, osu035, osu050 (0.18 to 0.5 µm), one a line."),
        json_schema_extra={"group": N_("Sweep")},
    )
    liberty: dict[Annotated[str, AfterValidator(_library_name)], SourceText] = Field(
        default_factory=dict,
        max_length=20,
        title=N_("Your own libraries"),
        description=N_("Liberty files by name; they take the place of the technologies above."),
        json_schema_extra={"widget": "files", "group": N_("Sweep")},
    )
    clock_periods_ns: list[Nanoseconds] = Field(
        default=[3.0, 4.0],
        min_length=1,
        max_length=200,
        title=N_("Clock periods"),
        description=N_("One a line; each is a column of the matrix."),
        json_schema_extra={"unit": "ns", "group": N_("Sweep")},
    )
    parameter_sets: list[ParameterSet] = Field(
        default_factory=list,
        max_length=1000,
        title=N_("Variants"),
        description=N_("Parameters of the top module, one variant a line, such as WIDTH=16 DEPTH=32."),
        json_schema_extra={"group": N_("Sweep")},
    )
    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=MOST_TASKS,
        title=N_("At most at once"),
        description=N_("Tasks that may run at the same time; empty sets no limit."),
        json_schema_extra={"group": N_("Sweep")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=1024, walltime_seconds=1800),
        title=N_("Resources of each task"),
    )
