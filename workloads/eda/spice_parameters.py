"""The form of the SPICE template: a deck, its corners, what varies at random, and what is measured."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from workloads.eda.sources import SourceText, Word, written_as
from workloads.eda.spice_limits import Limit
from workloads.resources import JobName, Resources
from workloads.template import N_, Parameters

MOST_TASKS = 10_000
MOST_RANDOM_VALUES = 20_000
"""They travel with the job as text."""

_FILE = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*\.(cir|sp|spi|spice|ckt|net|inc|lib|mod|pm)"
)
_LONGEST_PATH = 255
_NUMBER = r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"


def _deck_path(path: str) -> str:
    if not _FILE.fullmatch(path) or len(path) > _LONGEST_PATH:
        raise ValueError(
            N_(
                "a deck needs a relative path of letters, digits and _ . + - that ends in "
                ".cir, .sp, .spi, .spice, .ckt, .net, .inc, .lib, .mod or .pm"
            )
        )
    return path


DeckPath = Annotated[str, AfterValidator(_deck_path)]
Variation = Annotated[
    str,
    StringConstraints(max_length=150),
    written_as(
        rf"[A-Za-z_][A-Za-z0-9_]{{0,63}}={_NUMBER}:{_NUMBER}",
        N_("a variation is NAME=MEAN:SIGMA, such as dvt=0:0.02"),
    ),
]
_Volts = Annotated[float, Field(ge=-1e4, le=1e4, allow_inf_nan=False)]
_Celsius = Annotated[float, Field(ge=-273, le=1000, allow_inf_nan=False)]


class SpiceParameters(Parameters):
    """What to simulate at which corners, and which numbers are good."""

    name: JobName = "spice"
    sources: dict[DeckPath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Decks and models"),
        description=N_("SPICE files by path. Empty takes the ring oscillator that comes with the portal."),
        json_schema_extra={"widget": "files", "group": N_("Circuit")},
    )
    netlist: DeckPath = Field(
        default="ring.cir",
        title=N_("Main deck"),
        description=N_("A whole deck with analyses and .meas lines; it runs without .control."),
        json_schema_extra={"group": N_("Circuit")},
    )
    models: DeckPath = Field(
        default="devices.lib",
        title=N_("Model library"),
        description=N_("The file whose .lib sections are the process corners."),
        json_schema_extra={"group": N_("Circuit")},
    )
    supply: Word = Field(
        default="vdd",
        title=N_("Supply parameter"),
        description=N_("The .param that the voltages below are given to."),
        json_schema_extra={"group": N_("Circuit")},
    )
    compatibility: Literal["none", "hs", "hsa", "ps", "psa", "lt", "ltps"] = Field(
        default="none",
        title=N_("Compatibility"),
        description=N_("Of ngspice with models of other simulators: hsa for those written for HSPICE."),
        json_schema_extra={"advanced": True, "group": N_("Circuit")},
    )
    corners: list[Word] = Field(
        default=["tt", "ss", "ff"],
        max_length=100,
        title=N_("Process corners"),
        description=N_("Sections of the model library, one a line; empty leaves it out."),
        json_schema_extra={"group": N_("Corners")},
    )
    voltages: list[_Volts] = Field(
        default=[1.08, 1.2, 1.32],
        min_length=1,
        max_length=100,
        title=N_("Supply voltages"),
        json_schema_extra={"unit": "V", "group": N_("Corners")},
    )
    temperatures: list[_Celsius] = Field(
        default=[-40.0, 25.0, 125.0],
        min_length=1,
        max_length=100,
        title=N_("Temperatures"),
        description=N_("One a line; each is a column of the matrix."),
        json_schema_extra={"unit": "°C", "group": N_("Corners")},
    )
    variations: list[Variation] = Field(
        default_factory=list,
        max_length=200,
        title=N_("Random variations"),
        description=N_("NAME=MEAN:SIGMA of a .param, one a line; normal and independent of each other."),
        json_schema_extra={"group": N_("Monte-Carlo")},
    )
    samples: int = Field(
        default=1,
        ge=1,
        le=MOST_RANDOM_VALUES,
        title=N_("Samples"),
        description=N_("At every corner, the same ones; without variations 1 is enough."),
        json_schema_extra={"group": N_("Monte-Carlo")},
    )
    seed: int = Field(
        default=1,
        ge=0,
        le=2**31 - 1,
        title=N_("Seed"),
        description=N_("Sample 7 of a seed is the same however many samples there are."),
        json_schema_extra={"group": N_("Monte-Carlo")},
    )
    samples_per_task: int = Field(
        default=100,
        ge=1,
        le=10_000,
        title=N_("Samples in a task"),
        description=N_("Fewer run side by side, more save starting tasks."),
        json_schema_extra={"advanced": True, "group": N_("Monte-Carlo")},
    )
    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=MOST_TASKS,
        title=N_("At most at once"),
        description=N_("Tasks that may run at the same time; empty sets no limit."),
        json_schema_extra={"group": N_("Monte-Carlo")},
    )
    measures: list[Limit] = Field(
        default=["period 0.8e-10..5e-10 s", "power ..1e-3 W"],
        min_length=1,
        max_length=50,
        title=N_("Measures"),
        description=N_(
            "Names of .meas lines with their limits: NAME LOW..HIGH UNIT; either may be left out."
        ),
        json_schema_extra={"group": N_("Verdict")},
    )
    validity: list[Limit] = Field(
        default=["agreement 0.99..1.01", "swing 0.8.."],
        max_length=50,
        title=N_("Valid only if"),
        description=N_(
            "Measures that show that the simulation means something; else its numbers are not used."
        ),
        json_schema_extra={"group": N_("Verdict")},
    )
    target_yield: float = Field(
        default=1,
        ge=0,
        le=1,
        allow_inf_nan=False,
        title=N_("Target yield"),
        description=N_("The part of the samples that must be within all limits."),
        json_schema_extra={"group": N_("Verdict")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=512, walltime_seconds=1800),
        title=N_("Resources of each task"),
    )
