"""RTL lint on Verilator: warnings with their places, waivers by file and line, codes that fail."""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from schedulers.jobspec import InputFile, JobSpec
from workloads.eda.sources import (
    Define,
    SourcePath,
    SourceText,
    Word,
    compiled,
    design_files,
    lines_file,
    written_as,
)
from workloads.eda.task_facts import count, failure, missing_tool, present, read_facts, task_script
from workloads.errors import InvalidParameters, field_problem
from workloads.resources import JobName, Resources
from workloads.template import (
    N_,
    Column,
    Metric,
    Parameters,
    Results,
    Table,
    TaskResult,
    Template,
    Verdict,
)
from workloads.workspace import read_text

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=40)]
Waiver = Annotated[
    str,
    StringConstraints(max_length=320),
    written_as(
        r"[A-Z][A-Z0-9_]* [A-Za-z0-9_][A-Za-z0-9_./+-]*(:[0-9]{1,7}(-[0-9]{1,7})?)?",
        N_("a waiver is CODE file, CODE file:line or CODE file:first-last"),
    ),
]

_EXAMPLE = {"fifo.sv": "fifo/fifo.sv"}
_LOG = "logs/lint.log"
_LARGEST_LOG_BYTES = 16 * 1024**2
_MOST_ROWS = 1000
_MESSAGE = re.compile(
    r"^%(?P<severity>Warning|Error)(-(?P<code>[A-Z0-9_]+))?: "
    r"(?P<file>[^:\n]+):(?P<line>[0-9]{1,7}):([0-9]{1,7}:)? (?P<text>.*)$",
    re.MULTILINE,
)
_ERROR = re.compile(r"^%Error(?!: Exiting due to )", re.MULTILINE)


class LintParameters(Parameters):
    """What to check, and which findings count as a failure."""

    name: JobName = "lint"
    sources: dict[SourcePath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Source files"),
        description=N_(
            "SystemVerilog by path, compiled in this order; .svh and .vh are for `include only. "
            "Empty checks the FIFO example that comes with the portal."
        ),
        json_schema_extra={"widget": "files", "group": N_("Design")},
    )
    top: Word = Field(
        default="fifo",
        title=N_("Top module"),
        description=N_("What it does not instantiate is not checked."),
        json_schema_extra={"group": N_("Design")},
    )
    defines: list[Define] = Field(
        default_factory=list,
        max_length=100,
        title=N_("Defines"),
        description=N_("NAME or NAME=value. With BUG_LEVEL the FIFO example has a warning to find."),
        json_schema_extra={"group": N_("Design")},
    )
    fail_on: list[Code] = Field(
        default=[
            "BLKSEQ",
            "CASEINCOMPLETE",
            "CASEOVERLAP",
            "COMBDLY",
            "IMPLICIT",
            "LATCH",
            "MULTIDRIVEN",
            "PINMISSING",
            "UNDRIVEN",
            "UNOPTFLAT",
            "WIDTH",
            "WIDTHEXPAND",
            "WIDTHTRUNC",
        ],
        max_length=100,
        title=N_("Warnings that fail"),
        description=N_(
            "Verilator's codes; other warnings are listed and counted. Empty fails on errors only."
        ),
        json_schema_extra={"group": N_("Verdict")},
    )
    waivers: list[Waiver] = Field(
        default_factory=list,
        max_length=1000,
        title=N_("Waivers"),
        description=N_("Accepted warnings, one a line: CODE file, CODE file:line or CODE file:first-last."),
        json_schema_extra={"group": N_("Verdict")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=1024, walltime_seconds=600), title=N_("Resources")
    )


class Lint(Template[LintParameters]):
    """`verilator --lint-only -Wall`; its exit code says nothing about warnings, the log does."""

    name: ClassVar[str] = "lint"
    title: ClassVar[str] = N_("RTL lint")
    summary: ClassVar[str] = N_(
        "Check SystemVerilog with Verilator: warnings by code and line, with waivers."
    )
    domain: ClassVar[str] = "verification"
    parameters = LintParameters

    def render(self, params: LintParameters) -> JobSpec:
        """One job; the script is the same text for all parameters."""
        problems = []
        if params.sources and not compiled(params.sources):
            problems.append(
                field_problem("sources", "no_source", N_("There is no .sv or .v file to compile."))
            )
        for place, waiver in enumerate(params.waivers):
            first, _, last = waiver.rpartition(":")[2].partition("-")
            if last and int(first) > int(last):
                text = N_("The first line of a waiver is behind its last.")
                problems.append(field_problem(f"waivers.{place}", "range", text))
        if problems:
            raise InvalidParameters(self.name, problems)
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=task_script("lint_task.sh"),
                environment={"LINT_TOP": params.top},
                partition=params.resources.partition,
                resources=params.resources.request(),
                programs=("verilator",),
                inputs=_inputs(params),
            )

    def parse(self, workspace: Path, params: LintParameters) -> Results:
        """All messages of the log; PASS only after exit code 0, no error and no failing code."""
        del params
        facts = read_facts(workspace, 0)
        if not facts:
            return Results()
        if missing := missing_tool(facts, 0, self.name):
            return Results(tasks=(missing,))
        log = read_text(workspace, _LOG, max_bytes=_LARGEST_LOG_BYTES) or ""
        found = list(_MESSAGE.finditer(log))
        passed = count(facts, "exit_code") == 0 and count(facts, "tool_exit_code") == 0
        task = TaskResult(
            task_index=0,
            label=self.name,
            verdict=Verdict.PASS if passed else Verdict.FAIL,
            metrics=_metrics(found, errors=len(_ERROR.findall(log))),
            failure=None
            if passed
            else failure(
                facts, otherwise=f"Verilator ended with exit code {facts.get('tool_exit_code')}", file=_LOG
            ),
            artefacts=present(workspace, "logs", {"lint.log": "log"}),
        )
        return Results(tasks=(task,), metrics=task.metrics, tables=_tables(found))


def _inputs(params: LintParameters) -> tuple[InputFile, ...]:
    design = design_files(params.sources, _EXAMPLE)
    files = compiled({one.path: one.content for one in design})
    arguments = ["+incdir+design", *(f"+define+{define}" for define in params.defines), "lint/waivers.vlt"]
    return (
        lines_file("lint/verilator.f", [*arguments, *files]),
        lines_file("lint/waivers.vlt", ["`verilator_config", *map(_lint_off, params.waivers)]),
        lines_file("lint/fail_on.txt", [f"^%Warning-{code}:" for code in params.fail_on]),
        *design,
    )


def _lint_off(waiver: str) -> str:
    """A waiver in Verilator's own words; its pattern leaves nothing that could end the quotes."""
    code, _, place = waiver.partition(" ")
    file, _, lines = place.partition(":")
    rule = f'lint_off -rule {code} -file "design/{file}"'
    return f"{rule} -lines {lines}" if lines else rule


def _metrics(found: list[re.Match[str]], *, errors: int) -> tuple[Metric, ...]:
    """LibreLane's names; by code with its `name__key:value` notation."""
    codes = Counter(one["code"] or "" for one in found if one["severity"] == "Warning")
    return (
        Metric("design__lint_error__count", errors),
        Metric("design__lint_warning__count", codes.total()),
        Metric("design__inferred_latch__count", codes["LATCH"]),
        *(
            Metric(f"design__lint_warning__count__code:{code}", times)
            for code, times in sorted(codes.items())
        ),
    )


def _tables(found: list[re.Match[str]]) -> tuple[Table, ...]:
    if not found:
        return ()
    columns = (Column(N_("Code")), Column(N_("File")), Column(N_("Line")), Column(N_("Message")))
    rows = tuple(
        (
            one["code"] or one["severity"],
            one["file"].removeprefix("design/"),
            int(one["line"]),
            one["text"][:300],
        )
        for one in found[:_MOST_ROWS]
    )
    return (Table(N_("Warnings and errors"), columns, rows, is_cut=len(found) > _MOST_ROWS),)
