"""Formal checks with Yosys and an SMT solver: bounded, by induction, and cover points."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from schedulers.jobspec import InputFile, JobSpec
from workloads.eda.sources import (
    Define,
    SourcePath,
    SourceText,
    Word,
    compiled,
    design_files,
    lines_file,
)
from workloads.eda.task_facts import count, failure, missing_tool, present, read_facts, task_script
from workloads.errors import InvalidParameters, field_problem
from workloads.resources import JobName, Resources
from workloads.scripts import shipped
from workloads.template import (
    N_,
    Artefact,
    Column,
    Failure,
    Metric,
    Parameters,
    Results,
    Table,
    TaskResult,
    Template,
    Verdict,
)
from workloads.workspace import list_files

_EXAMPLE = {"fifo.sv": "fifo/fifo.sv"}
_CHECKS = ("bmc", "induction", "cover")
_STATUSES = ("PASSED", "FAILED", "PREUNSAT", "ERROR")
_MOST_TRACES = 50
_PLACE = re.compile(r"(Assert failed|Unreached cover statement) (in|at) \S.*?(?= \(|$)")
"""Two assertions are two causes: here the line number belongs to the signature."""


class FormalParameters(Parameters):
    """What to prove, and how far to look."""

    name: JobName = "formal"
    sources: dict[SourcePath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Source files"),
        description=N_(
            "SystemVerilog with assert, assume and cover, by path; FORMAL is defined. "
            "Empty takes the FIFO example that comes with the portal."
        ),
        json_schema_extra={"widget": "files", "group": N_("Design")},
    )
    top: Word = Field(default="fifo", title=N_("Top module"), json_schema_extra={"group": N_("Design")})
    defines: list[Define] = Field(
        default_factory=list,
        max_length=100,
        title=N_("Defines"),
        description=N_(
            "NAME or NAME=value, one a line. With BUG_LEVEL the FIFO example has a counterexample."
        ),
        json_schema_extra={"group": N_("Design")},
    )
    depth: int = Field(
        default=20,
        ge=1,
        le=10_000,
        title=N_("Depth"),
        description=N_("The bounded check looks at so many steps from reset; induction uses as many."),
        json_schema_extra={"unit": N_("steps"), "group": N_("Checks")},
    )
    induction: bool = Field(
        default=True,
        title=N_("Prove by induction"),
        description=N_(
            "For all time, not only up to the depth. Where it fails nothing is proven or refuted."
        ),
        json_schema_extra={"group": N_("Checks")},
    )
    solver: Literal["z3", "yices-smt2", "boolector", "cvc4"] = Field(
        default="z3",
        title=N_("SMT solver"),
        description=N_("One that the nodes have."),
        json_schema_extra={"group": N_("Checks")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=2048, walltime_seconds=3600), title=N_("Resources")
    )


class Formal(Template[FormalParameters]):
    """`yosys-smtbmc`; a check that passes with nothing to check is no pass."""

    name: ClassVar[str] = "formal"
    title: ClassVar[str] = N_("Formal verification")
    summary: ClassVar[str] = N_("Prove assertions or find a counterexample, with Yosys and an SMT solver.")
    domain: ClassVar[str] = "verification"
    parameters = FormalParameters

    def render(self, params: FormalParameters) -> JobSpec:
        """One job; the scripts are the same text for all parameters."""
        if params.sources and not compiled(params.sources):
            problem = field_problem("sources", "no_source", N_("There is no .sv or .v file to read."))
            raise InvalidParameters(self.name, [problem])
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=task_script("formal_task.sh"),
                environment={
                    "FORMAL_TOP": params.top,
                    "FORMAL_DEPTH": str(params.depth),
                    "FORMAL_INDUCTION": str(int(params.induction)),
                    "FORMAL_SOLVER": params.solver,
                },
                partition=params.resources.partition,
                resources=params.resources.request(),
                programs=("yosys", "yosys-smtbmc", params.solver),
                inputs=_inputs(params),
            )

    def parse(self, workspace: Path, params: FormalParameters) -> Results:
        """PASS when every check that was asked for has passed and there was something to check."""
        facts = read_facts(workspace, 0)
        if not facts:
            return Results()
        if missing := missing_tool(facts, 0, self.name):
            return Results(tasks=(missing,))
        verdict, why = _judge(facts, params)
        task = TaskResult(
            task_index=0,
            label=self.name,
            verdict=verdict,
            metrics=_metrics(facts),
            failure=why,
            artefacts=_artefacts(workspace),
        )
        return Results(tasks=(task,), metrics=task.metrics, tables=_table(facts))


def _inputs(params: FormalParameters) -> tuple[InputFile, ...]:
    design = design_files(params.sources, _EXAMPLE)
    return (
        lines_file("formal/defines.txt", params.defines),
        lines_file("formal/sources.txt", compiled({one.path: "" for one in design})),
        InputFile(path="formal/prepare.tcl", content=shipped("formal/prepare.tcl")),
        *design,
    )


def _judge(facts: Mapping[str, str], params: FormalParameters) -> tuple[Verdict, Failure | None]:
    if count(facts, "exit_code") in (1, 2):
        why = failure(facts, otherwise="the solver ended without a result", file="logs/bmc.log")
        place = _PLACE.search(why.line)
        return Verdict.FAIL, replace(why, signature=place[0]) if place else why
    doubt = _doubt(facts, params)
    if not doubt:
        return Verdict.PASS, None
    where = failure(facts, otherwise=doubt, file="logs/build.log")
    return Verdict.NO_VERDICT, Failure(f"no verdict: {doubt}", where.line, where.file, where.line_number)


def _doubt(facts: Mapping[str, str], params: FormalParameters) -> str:
    """Why what passed is not everything that was asked for; empty when it is."""
    asserts, covers = count(facts, "asserts") or 0, count(facts, "covers") or 0
    asked = {
        "bmc": asserts > 0,
        "induction": asserts > 0 and params.induction,
        "cover": covers > 0,
    }
    statuses = {name: facts.get(f"{name}_status", "") for name in _CHECKS}
    if not asserts and not covers:
        return "there is nothing to check"
    if "PREUNSAT" in statuses.values():
        return "the assumptions contradict each other"
    if statuses["induction"] == "FAILED":
        return f"not proven, and no counterexample within {params.depth} steps"
    missing = [name for name, is_asked in asked.items() if is_asked and statuses[name] != "PASSED"]
    return f"{missing[0]} has no result" if missing else ""


def _metrics(facts: Mapping[str, str]) -> tuple[Metric, ...]:
    found = {
        "formal__assert__count": count(facts, "asserts"),
        "formal__cover__count": count(facts, "covers"),
        "formal__bmc__step": count(facts, "bmc_step"),
    }
    return tuple(Metric(name, value) for name, value in found.items() if value is not None)


def _table(facts: Mapping[str, str]) -> tuple[Table, ...]:
    columns = (
        Column(N_("Check")),
        Column(N_("Result")),
        Column(N_("Last step")),
        Column(N_("Wall time"), "s"),
    )
    rows = tuple(
        (
            name,
            facts[f"{name}_status"],
            count(facts, f"{name}_step"),
            (count(facts, f"{name}_microseconds") or 0) / 1e6,
        )
        for name in _CHECKS
        if facts.get(f"{name}_status") in _STATUSES
    )
    return (Table(N_("Checks"), columns, rows),) if rows else ()


def _artefacts(workspace: Path) -> tuple[Artefact, ...]:
    """The counterexamples first, then the logs."""
    traces = [name for name in list_files(workspace, "traces") if name.endswith(".vcd")][:_MOST_TRACES]
    logs = {f"{name}.log": "log" for name in (*_CHECKS, "build")}
    return (
        *(Artefact(f"traces/{name}", "waveform") for name in traces),
        *present(workspace, "logs", logs),
    )
