"""The form of an RTL regression."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from workloads.eda.sources import BenchPath, Define, PythonModule, SourceText, Word
from workloads.regression.file import LONGEST_FILE, Pattern
from workloads.regression.plan import LARGEST_SEED, MOST_TASKS
from workloads.resources import JobName, Resources
from workloads.template import N_, Parameters


class RtlRegressionParameters(Parameters):
    """What to simulate, how often, and how to tell a pass."""

    model_config = ConfigDict(regex_engine="python-re")

    name: JobName = "rtl-regression"
    sources: dict[BenchPath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Source files"),
        description=N_(
            "SystemVerilog by path, compiled in this order; .svh and .vh are for `include only, .py for "
            "cocotb. Empty runs the FIFO example that comes with the portal."
        ),
        json_schema_extra={"widget": "files", "group": N_("Design")},
    )
    regression: Annotated[str, StringConstraints(strip_whitespace=False, max_length=LONGEST_FILE)] = Field(
        default="",
        title=N_("Regression file"),
        description=N_(
            "TOML: tests, seeds, configurations, time limits, groups, when to stop. What it says goes before "
            "the fields here; empty runs the tests below."
        ),
        json_schema_extra={"widget": "textarea", "group": N_("Campaign")},
    )
    groups: list[Word] = Field(
        default_factory=list,
        max_length=100,
        title=N_("Groups"),
        description=N_("Of the regression file; empty runs every test."),
        json_schema_extra={"group": N_("Campaign")},
    )
    top: Word = Field(
        default="tb",
        title=N_("Top module"),
        description=N_("The bench; it reads +test, +seed, +n and +waves."),
        json_schema_extra={"group": N_("Design")},
    )
    cocotb: list[PythonModule] = Field(
        default_factory=list,
        max_length=20,
        title=N_("cocotb modules"),
        description=N_(
            "Python modules of the sources whose tests drive the top module; empty runs a SystemVerilog "
            "bench. The example has test_fifo: top module fifo, tests balanced and nearly_full."
        ),
        json_schema_extra={"group": N_("Design")},
    )
    defines: list[Define] = Field(
        default_factory=list,
        max_length=100,
        title=N_("Defines"),
        description=N_("NAME or NAME=value. The FIFO example has two planted bugs: BUG_LEVEL and BUG_DATA."),
        json_schema_extra={"group": N_("Design")},
    )
    tests: list[Word] = Field(
        default=["random", "burst", "drain"],
        min_length=1,
        max_length=1000,
        title=N_("Tests"),
        description=N_(
            "Each is passed to the bench as +test=NAME; with cocotb a test, or a module for all its tests."
        ),
        json_schema_extra={"group": N_("Campaign")},
    )
    seeds: int = Field(
        default=10,
        ge=1,
        le=MOST_TASKS,
        title=N_("Seeds"),
        description=N_("Runs of each test, each with its own random sequence."),
        json_schema_extra={"group": N_("Campaign")},
    )
    first_seed: int = Field(
        default=1, ge=0, le=LARGEST_SEED, title=N_("First seed"), json_schema_extra={"group": N_("Campaign")}
    )
    transactions: int = Field(
        default=1200,
        ge=1,
        le=LARGEST_SEED,
        title=N_("Transactions"),
        description=N_("The length of each run; passed as +n."),
        json_schema_extra={"group": N_("Campaign")},
    )
    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=366 * 86_400,
        title=N_("Time limit of a simulation"),
        description=N_("Then it fails and keeps its log; empty leaves the walltime."),
        json_schema_extra={"unit": "s", "group": N_("Campaign")},
    )
    stop_failures: int | None = Field(
        default=None,
        ge=1,
        le=MOST_TASKS,
        title=N_("Stop after failures"),
        description=N_("Starts no further task once so many did not pass; empty runs all."),
        json_schema_extra={"advanced": True, "group": N_("Campaign")},
    )
    stop_cost_vnd: int | None = Field(
        default=None,
        ge=1,
        le=10**15,
        title=N_("Stop at a cost"),
        description=N_("Starts no further task once the campaign was charged so much, reruns included."),
        json_schema_extra={"advanced": True, "unit": "₫", "group": N_("Campaign")},
    )
    tool: Literal["icarus", "verilator"] = Field(
        default="icarus",
        title=N_("Simulator"),
        description=N_("Verilator builds for longer than Icarus, but runs faster and tells coverage."),
        json_schema_extra={"group": N_("Design")},
    )
    coverage: bool = Field(
        default=False,
        title=N_("Coverage"),
        description=N_("Merged over all passing tasks; Verilator only."),
        json_schema_extra={"group": N_("Design")},
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
    waves: bool = Field(
        default=False,
        title=N_("Record waveforms"),
        description=N_("Slower and larger: for a rerun of what failed."),
        json_schema_extra={"group": N_("Campaign")},
    )
    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=MOST_TASKS,
        title=N_("At most at once"),
        description=N_("Tasks that may run at the same time; empty sets no limit."),
        json_schema_extra={"group": N_("Campaign")},
    )
    pass_patterns: list[Pattern] = Field(
        default=["TEST PASSED CHECKS"],
        min_length=1,
        max_length=20,
        title=N_("Pass texts"),
        description=N_("A log must contain all of these to pass; cocotb's own results go before them."),
        json_schema_extra={"advanced": True, "group": N_("Verdict")},
    )
    fail_patterns: list[Pattern] = Field(
        default=["TB_ERROR", "TEST FAILED CHECKS", "ERROR:", "FATAL:"],
        max_length=50,
        title=N_("Fail texts"),
        description=N_("A log that contains one of these fails, whatever the exit code."),
        json_schema_extra={"advanced": True, "group": N_("Verdict")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=256, walltime_seconds=600),
        title=N_("Resources of each task"),
    )
