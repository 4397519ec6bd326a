"""The form of the VHDL template: a design with its bench, generics, seeds, and what fails a run."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from workloads.eda.sources import SourceText, written_as
from workloads.regression.file import Pattern
from workloads.regression.plan import LARGEST_SEED
from workloads.resources import JobName, Resources
from workloads.template import N_, Parameters

MOST_TASKS = 10_000

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*\.(vhd|vhdl)")
_LONGEST_PATH = 255
_GENERIC = r"[A-Za-z][A-Za-z0-9_]{0,63}=-?[A-Za-z0-9_.+]{1,64}"


def _vhdl_path(path: str) -> str:
    if not _PATH.fullmatch(path) or len(path) > _LONGEST_PATH:
        raise ValueError(
            N_("a source needs a relative path of letters, digits and _ . + - that ends in .vhd or .vhdl")
        )
    return path


VhdlPath = Annotated[str, AfterValidator(_vhdl_path)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
"""A basic identifier of VHDL."""
Generics = Annotated[
    str,
    StringConstraints(max_length=400),
    written_as(
        rf"{_GENERIC}( {_GENERIC})*", N_("a variant is NAME=value NAME=value, of letters and numbers")
    ),
]
StopTime = Annotated[
    str,
    written_as(
        r"[1-9][0-9]{0,8} ?(fs|ps|ns|us|ms|sec)", N_("a time is a whole number and fs, ps, ns, us, ms or sec")
    ),
]


class VhdlParameters(Parameters):
    """What to simulate, how often, and how to tell a pass."""

    model_config = ConfigDict(regex_engine="python-re")

    name: JobName = "vhdl"
    sources: dict[VhdlPath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Source files"),
        description=N_(
            "VHDL by path, analysed in this order. Empty runs the Gray counter that comes with the portal."
        ),
        json_schema_extra={"widget": "files", "group": N_("Design")},
    )
    top: Name = Field(
        default="gray_counter_tb",
        title=N_("Top entity"),
        description=N_("The bench."),
        json_schema_extra={"group": N_("Design")},
    )
    standard: Literal["93", "02", "08"] = Field(
        default="08",
        title=N_("VHDL standard"),
        description=N_("Of 1993, 2002 or 2008."),
        json_schema_extra={"group": N_("Design")},
    )
    synopsys_packages: bool = Field(
        default=False,
        title=N_("Synopsys packages"),
        description=N_("On for designs that use std_logic_arith and its kin."),
        json_schema_extra={"advanced": True, "group": N_("Design")},
    )
    variants: list[Generics] = Field(
        default_factory=list,
        max_length=1000,
        title=N_("Variants"),
        description=N_(
            "Generics of the bench, one variant a line, such as n=500 HAS_BUG=true; each is a row."
        ),
        json_schema_extra={"group": N_("Campaign")},
    )
    seed_generic: Name | None = Field(
        default="seed",
        title=N_("Seed's generic"),
        description=N_("A generic of the bench that each run gets another number for; empty if it has none."),
        json_schema_extra={"advanced": True, "group": N_("Campaign")},
    )
    seeds: int = Field(
        default=5,
        ge=1,
        le=MOST_TASKS,
        title=N_("Seeds"),
        description=N_("Runs of each variant; each is a column."),
        json_schema_extra={"group": N_("Campaign")},
    )
    first_seed: int = Field(
        default=1, ge=0, le=LARGEST_SEED, title=N_("First seed"), json_schema_extra={"group": N_("Campaign")}
    )
    seed_offset: int = Field(
        default=0,
        ge=0,
        le=LARGEST_SEED,
        title=N_("Added to every seed"),
        description=N_("For a rerun with other seeds."),
        json_schema_extra={"advanced": True, "group": N_("Campaign")},
    )
    only_tasks: list[Annotated[int, Field(ge=0, lt=MOST_TASKS)]] = Field(
        default_factory=list,
        max_length=MOST_TASKS,
        title=N_("Only these tasks"),
        description=N_("Task numbers of the matrix to run again; empty runs all."),
        json_schema_extra={"advanced": True, "group": N_("Campaign")},
    )
    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=MOST_TASKS,
        title=N_("At most at once"),
        description=N_("Tasks that may run at the same time; empty sets no limit."),
        json_schema_extra={"group": N_("Campaign")},
    )
    stop_failures: int | None = Field(
        default=None,
        ge=1,
        le=MOST_TASKS,
        title=N_("Stop after failures"),
        description=N_("Starts no further task once so many did not pass; empty runs all."),
        json_schema_extra={"advanced": True, "group": N_("Campaign")},
    )
    stop_time: StopTime | None = Field(
        default="1 ms",
        title=N_("Stop time"),
        description=N_(
            "Simulated time after which a run ends, such as 500 us; empty leaves it to the bench."
        ),
        json_schema_extra={"advanced": True, "group": N_("Verdict")},
    )
    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=366 * 86_400,
        title=N_("Time limit of a simulation"),
        description=N_("Then it fails and keeps its log; empty leaves the walltime."),
        json_schema_extra={"unit": "s", "group": N_("Verdict")},
    )
    fail_level: Literal["warning", "error", "failure"] = Field(
        default="error",
        title=N_("Severity that fails"),
        description=N_(
            "An assertion or report of this severity, or a higher one, ends the run and fails it."
        ),
        json_schema_extra={"group": N_("Verdict")},
    )
    pass_patterns: list[Pattern] = Field(
        default=["TEST PASSED CHECKS"],
        max_length=20,
        title=N_("Pass texts"),
        description=N_("A log must contain all of these to pass; empty asks for no failed assertion only."),
        json_schema_extra={"advanced": True, "group": N_("Verdict")},
    )
    waves: Literal["none", "fst", "ghw"] = Field(
        default="none",
        title=N_("Waveforms"),
        description=N_("FST is compact; GHW also holds records and enumerations."),
        json_schema_extra={"group": N_("Verdict")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=512, walltime_seconds=600),
        title=N_("Resources of each task"),
    )
