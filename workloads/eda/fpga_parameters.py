"""The form of the FPGA template: a design, the part and its pins, the clock, and how many seeds."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from workloads.eda.sources import Define, SourcePath, SourceText, Word
from workloads.resources import JobName, Resources
from workloads.template import N_, Parameters

MOST_SEEDS = 1000
PACKAGES: dict[str, tuple[str, ...]] = {
    "hx1k": ("cb81", "cb121", "cb132", "cm36", "cm49", "cm81", "cm121", "qn84", "swg16tr", "tq144", "vq100"),
    "hx4k": ("bg121", "cb132", "cm81", "cm121", "cm225", "tq144"),
    "hx8k": ("bg121", "cb132", "cm81", "cm121", "cm225", "ct256"),
    "lp384": ("cm36", "cm49", "qn32"),
    "lp1k": ("cb81", "cb121", "cb132", "cm36", "cm49", "cm81", "cm121", "qn84", "swg16tr", "tq144", "vq100"),
    "lp4k": ("bg121", "cb132", "cm81", "cm121", "cm225", "tq144"),
    "lp8k": ("bg121", "cb132", "cm81", "cm121", "cm225", "ct256"),
    "up3k": ("sg48", "uwg30"),
    "up5k": ("sg48", "uwg30"),
    "u1k": ("sg48",),
    "u2k": ("sg48",),
    "u4k": ("sg48",),
}
"""By device: what nextpnr-ice40 0.4 accepts."""

Device = Literal["hx1k", "hx4k", "hx8k", "lp384", "lp1k", "lp4k", "lp8k", "up3k", "up5k", "u1k", "u2k", "u4k"]
Pins = Annotated[str, StringConstraints(strip_whitespace=False, max_length=256 * 1024)]


class FpgaParameters(Parameters):
    """What to build for which part, and how fast it must be."""

    name: JobName = "fpga"
    sources: dict[SourcePath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Source files"),
        description=N_(
            "SystemVerilog by path, read in this order; .svh and .vh are for `include only. "
            "Empty takes the wave over eight LEDs that comes with the portal."
        ),
        json_schema_extra={"widget": "files", "group": N_("Design")},
    )
    top: Word = Field(default="blinky", title=N_("Top module"), json_schema_extra={"group": N_("Design")})
    defines: list[Define] = Field(
        default_factory=list,
        max_length=100,
        title=N_("Defines"),
        description=N_("NAME or NAME=value, one a line."),
        json_schema_extra={"group": N_("Design")},
    )
    device: Device = Field(
        default="hx8k",
        title=N_("Device"),
        description=N_("Of Lattice's iCE40 family."),
        json_schema_extra={"group": N_("FPGA")},
    )
    package: Word = Field(
        default="ct256",
        title=N_("Package"),
        description=N_("Such as ct256 for hx8k, tq144 for hx1k, sg48 for up5k."),
        json_schema_extra={"group": N_("FPGA")},
    )
    pins: Pins = Field(
        default="",
        title=N_("Pins"),
        description=N_(
            "A physical constraints file (PCF): set_io NAME PIN, and set_frequency NAME MHZ for a clock. "
            "Empty places pins anywhere, or takes the example's."
        ),
        json_schema_extra={"widget": "textarea", "group": N_("FPGA")},
    )
    free_pins: bool = Field(
        default=False,
        title=N_("Some pins may lie anywhere"),
        description=N_("Off, a port that the constraints do not name is an error."),
        json_schema_extra={"group": N_("FPGA")},
    )
    frequency_mhz: float = Field(
        default=100,
        ge=0.1,
        le=1000,
        allow_inf_nan=False,
        title=N_("Target frequency"),
        description=N_("Of every clock that the constraints say nothing about."),
        json_schema_extra={"unit": "MHz", "group": N_("Timing")},
    )
    fail_on_timing: bool = Field(
        default=True,
        title=N_("Fail on a missed clock"),
        description=N_("Off, a clock that is too slow is reported and the run passes."),
        json_schema_extra={"group": N_("Timing")},
    )
    seeds: int = Field(
        default=4,
        ge=1,
        le=MOST_SEEDS,
        title=N_("Seeds"),
        description=N_("So many placements are tried; the fastest is kept as bitstreams/best.bin."),
        json_schema_extra={"group": N_("Timing")},
    )
    first_seed: int = Field(
        default=1, ge=0, le=10**9, title=N_("First seed"), json_schema_extra={"group": N_("Timing")}
    )
    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=MOST_SEEDS,
        title=N_("At most at once"),
        description=N_("Tasks that may run at the same time; empty sets no limit."),
        json_schema_extra={"group": N_("Timing")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=1024, walltime_seconds=1800),
        title=N_("Resources of each task"),
    )
