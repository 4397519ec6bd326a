"""An RTL simulation regression: tests x seeds as one array job on Icarus Verilog, built once for all."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from schedulers.jobspec import ArraySpec, InputFile, JobSpec
from workloads.campaign import summary
from workloads.errors import FieldProblem, InvalidParameters
from workloads.resources import JobName, Resources
from workloads.scripts import shipped
from workloads.template import (
    N_,
    Artefact,
    CampaignCell,
    Failure,
    Metric,
    Parameters,
    Results,
    TaskResult,
    Template,
    Verdict,
)
from workloads.verdict import judge, signature
from workloads.workspace import list_files, read_text

LARGEST_SEED = 2**31 - 1
"""Verilog's int is signed and has 32 bits."""

MOST_TASKS = 100_000
"""A page shows the whole matrix."""

_SOURCE = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*\.(sv|v|svh|vh)$")
_COMPILED = (".sv", ".v")
_STATISTIC = re.compile(r"\b([A-Za-z]\w{0,63})=(-?\d{1,18}(?:\.\d{1,18})?)(?!\S)")
_COUNT = re.compile(r"^[0-9]{1,15}$")
_MOST_STATISTICS = 32
_LARGEST_RESULT_BYTES = 16 * 1024


def _source_path(path: str) -> str:
    if not _SOURCE.match(path) or "\n" in path or len(path) > 255:  # noqa: PLR2004 - a file name's limit
        raise ValueError(
            N_(
                "a source needs a relative path of letters, digits and _ . + - "
                "that ends in .sv, .v, .svh or .vh"
            )
        )
    return path


SourcePath = Annotated[str, AfterValidator(_source_path)]
SourceText = Annotated[str, StringConstraints(strip_whitespace=False, max_length=1024 * 1024)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
Define = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(=[A-Za-z0-9_'.]*)?$", max_length=128)
]
Pattern = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", min_length=1, max_length=200)]


class RtlRegressionParameters(Parameters):
    """What to simulate, how often, and how to tell a pass."""

    model_config = ConfigDict(regex_engine="python-re")

    name: JobName = "rtl-regression"
    sources: dict[SourcePath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Source files"),
        description=N_(
            "SystemVerilog by path, compiled in this order; .svh and .vh are for `include only. "
            "Empty runs the FIFO example that comes with the portal."
        ),
        json_schema_extra={"widget": "files", "group": N_("Design")},
    )
    top: Word = Field(
        default="tb",
        title=N_("Top module"),
        description=N_("The bench; it reads +test, +seed, +n and +waves."),
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
        description=N_("Each is passed to the bench as +test=NAME."),
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
    only_tasks: list[Annotated[int, Field(ge=0, lt=MOST_TASKS)]] = Field(
        default_factory=list,
        max_length=10_000,
        title=N_("Only these tasks"),
        description=N_("Task numbers of the matrix to run again; empty runs all."),
        json_schema_extra={"group": N_("Campaign")},
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
        description=N_("A log must contain all of these to pass."),
        json_schema_extra={"group": N_("Verdict")},
    )
    fail_patterns: list[Pattern] = Field(
        default=["TB_ERROR", "TEST FAILED CHECKS", "ERROR:", "FATAL:"],
        max_length=50,
        title=N_("Fail texts"),
        description=N_("A log that contains one of these fails, whatever the exit code."),
        json_schema_extra={"group": N_("Verdict")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=256, walltime_seconds=600),
        title=N_("Resources of each task"),
    )


class RtlRegression(Template[RtlRegressionParameters]):
    """Tests x seeds; task index = test number x seeds + seed number."""

    name: ClassVar[str] = "rtl-regression"
    title: ClassVar[str] = N_("RTL simulation regression")
    summary: ClassVar[str] = N_("Run tests with many random seeds on Icarus Verilog and group what fails.")
    domain: ClassVar[str] = "verification"
    parameters = RtlRegressionParameters

    def render(self, params: RtlRegressionParameters) -> JobSpec:
        """One array task for each (test, seed); the script is the same text for all parameters."""
        self._refuse_contradictions(params)
        with self._refusing({"array": "only_tasks"}):
            return JobSpec(
                name=params.name,
                script=shipped("rtl_task.sh"),
                environment={
                    "RTL_TOP": params.top,
                    "RTL_SEEDS": str(params.seeds),
                    "RTL_FIRST_SEED": str(params.first_seed),
                    "RTL_TRANSACTIONS": str(params.transactions),
                    "RTL_WAVES": str(int(params.waves)),
                },
                partition=params.resources.partition,
                resources=params.resources.request(),
                array=ArraySpec(expression=_array_expression(params)),
                stdout_path="regression/task-%a.out",
                inputs=_inputs(params),
            )

    def campaign(self, params: RtlRegressionParameters) -> Sequence[CampaignCell]:
        """Tests are rows, seeds are columns."""
        return [
            CampaignCell(index, *map(str, _test_and_seed(params, index))) for index in _task_indices(params)
        ]

    def parse(self, workspace: Path, params: RtlRegressionParameters) -> Results:
        """A result for every task that has ended by itself; a task that was killed left none."""
        waveforms = frozenset(list_files(workspace, "waves"))
        ended = {int(name) for name in list_files(workspace, "regression/results") if name.isdecimal()}
        tasks = tuple(
            _task_result(params, index, facts, waveforms)
            for index in _task_indices(params)
            if index in ended and (facts := _read_facts(workspace, index))
        )
        return Results(tasks=tasks, metrics=summary(tasks))

    def _refuse_contradictions(self, params: RtlRegressionParameters) -> None:
        problems = []
        if len(set(params.tests)) != len(params.tests):
            problems.append(FieldProblem("tests", "each test may be named once", "duplicate"))
        if params.first_seed + params.seeds - 1 > LARGEST_SEED:
            problems.append(
                FieldProblem("first_seed", f"the last seed would pass {LARGEST_SEED}", "too_large")
            )
        total = len(params.tests) * params.seeds
        if total > MOST_TASKS:
            problems.append(
                FieldProblem("seeds", f"{total} tasks; a regression can have {MOST_TASKS}", "too_large")
            )
        if any(index >= total for index in params.only_tasks):
            problems.append(FieldProblem("only_tasks", f"the last task is {total - 1}", "too_large"))
        if params.sources and not any(path.endswith(_COMPILED) for path in params.sources):
            problems.append(FieldProblem("sources", "there is no .sv or .v file to compile", "missing"))
        if problems:
            raise InvalidParameters(self.name, problems)


def rerun_failures(params: RtlRegressionParameters, results: Results) -> RtlRegressionParameters:
    """The parameters of a job that runs again what did not pass: same seeds, same sources, with waveforms."""
    failed = [task.task_index for task in results.tasks if task.verdict is not Verdict.PASS]
    return params.model_copy(update={"only_tasks": failed, "waves": True})


def _task_indices(params: RtlRegressionParameters) -> Iterable[int]:
    return sorted(set(params.only_tasks)) or range(len(params.tests) * params.seeds)


def _test_and_seed(params: RtlRegressionParameters, index: int) -> tuple[str, int]:
    test, seed = divmod(index, params.seeds)
    return params.tests[test], params.first_seed + seed


def _array_expression(params: RtlRegressionParameters) -> str:
    ranges: list[list[int]] = []
    if not params.only_tasks:
        ranges = [[0, len(params.tests) * params.seeds - 1]]
    for index in sorted(set(params.only_tasks)):
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    members = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    return f"{members}%{params.max_parallel}" if params.max_parallel else members


def _inputs(params: RtlRegressionParameters) -> tuple[InputFile, ...]:
    sources = params.sources or {name: shipped(f"fifo/{name}") for name in ("fifo.sv", "tb.sv")}
    compile_lines = [
        "+incdir+design",
        *(f"+define+{define}" for define in params.defines),
        *(f"design/{path}" for path in sources if path.endswith(_COMPILED)),
    ]
    return (
        _lines_file("regression/tests.txt", params.tests),
        _lines_file("regression/compile.f", compile_lines),
        _lines_file("regression/pass.txt", params.pass_patterns),
        _lines_file("regression/fail.txt", params.fail_patterns),
        *(InputFile(path=f"design/{path}", content=content) for path, content in sources.items()),
    )


def _lines_file(path: str, lines: Sequence[str]) -> InputFile:
    return InputFile(path=path, content="".join(f"{line}\n" for line in lines))


def _read_facts(workspace: Path, index: int) -> dict[str, str]:
    """What rtl_task.sh wrote down at the end of a task; {} when it is no such file."""
    text = read_text(workspace, f"regression/results/{index}", max_bytes=_LARGEST_RESULT_BYTES) or ""
    facts = dict(line.partition("=")[::2] for line in text.split("\n") if "=" in line)
    return facts if _COUNT.match(facts.get("exit_code", "")) else {}


def _task_result(
    params: RtlRegressionParameters, index: int, facts: dict[str, str], waveforms: frozenset[str]
) -> TaskResult:
    test, seed = _test_and_seed(params, index)
    built = facts.get("stage") != "build"
    artefacts = [Artefact(f"logs/{test}-{seed}.log" if built else "build/build.log", "log")]
    if built and f"{test}-{seed}.vcd" in waveforms:
        artefacts.append(Artefact(f"waves/{test}-{seed}.vcd", "waveform"))
    verdict = judge(
        exit_code=int(facts["exit_code"]),
        fail_line=facts.get("fail_line"),
        pass_seen=facts.get("pass_seen") == "yes",
    )
    return TaskResult(
        task_index=index,
        label=f"{test} seed {seed}",
        verdict=verdict,
        metrics=_metrics(facts) if built else (),
        failure=None if verdict is Verdict.PASS else _failure(facts, artefacts[0].path, verdict),
        artefacts=tuple(artefacts),
    )


def _failure(facts: dict[str, str], file: str, verdict: Verdict) -> Failure:
    line = facts.get("fail_line")
    number = facts.get("fail_line_number", "")
    if line is not None:
        prefix = "build failed: " if facts.get("stage") == "build" else ""
        return Failure(prefix + signature(line), line, file, int(number) if _COUNT.match(number) else 0)
    if verdict is Verdict.NO_VERDICT:
        return Failure("no verdict: a pass text is missing", facts.get("last_line", ""), file, 0)
    return Failure(
        f"the simulator ended with exit code {facts['exit_code']}", facts.get("last_line", ""), file, 0
    )


def _metrics(facts: dict[str, str]) -> tuple[Metric, ...]:
    found = _STATISTIC.findall(facts.get("statistics", ""))[:_MOST_STATISTICS]
    elapsed = facts.get("microseconds", "")
    return (
        *(Metric(name, float(value)) for name, value in found),
        *([Metric("wall_seconds", int(elapsed) / 1e6, "s")] if _COUNT.match(elapsed) else []),
    )
