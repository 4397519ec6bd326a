"""Design rules with Magic, layout against netlist with Netgen: of GDS, CIF, DEF or Magic's own cells."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from schedulers.jobspec import InputFile, JobSpec
from workloads.eda.layout_reports import (
    Comparison,
    check_files,
    mismatch_tables,
    read_broken_rules,
    read_comparison,
    rule_metrics,
    rule_tables,
)
from workloads.eda.sources import SourceText, Word, design_files
from workloads.eda.task_facts import count, failure, missing_tool, present, read_facts, task_script
from workloads.errors import InvalidParameters, field_problem
from workloads.resources import JobName, Resources
from workloads.scripts import shipped
from workloads.template import N_, Failure, Metric, Parameters, Results, TaskResult, Template, Verdict

_EXAMPLE = {"and2.mag": "layout/and2.mag", "and2.spice": "layout/and2.spice"}
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_LAYOUT = re.compile(rf"{_NAME}(/{_NAME})*\.(mag|def|cif|gds\.b64)")
_NETLIST = re.compile(rf"{_NAME}(/{_NAME})*\.(spice|sp|spi|spc|cir|ckt|net|cdl)")
_LONGEST_PATH = 255


def _layout_path(path: str) -> str:
    if not _LAYOUT.fullmatch(path) or len(path) > _LONGEST_PATH:
        raise ValueError(
            N_(
                "a layout needs a relative path of letters, digits and _ . + - that ends in .mag, .def, .cif "
                "or .gds.b64"
            )
        )
    return path


def _netlist_path(path: str) -> str:
    if not _NETLIST.fullmatch(path) or len(path) > _LONGEST_PATH:
        raise ValueError(
            N_(
                "a netlist needs a relative path of letters, digits and _ . + - that ends in "
                ".spice, .sp, .spi, .spc, .cir, .ckt, .net or .cdl"
            )
        )
    return path


def _any_path(path: str) -> str:
    return path if _NETLIST.fullmatch(path) and len(path) <= _LONGEST_PATH else _layout_path(path)


LayoutPath = Annotated[str, AfterValidator(_layout_path)]
NetlistPath = Annotated[str, AfterValidator(_netlist_path)]
FilePath = Annotated[str, AfterValidator(_any_path)]


class LayoutCheckParameters(Parameters):
    """Which layout to check, by which rules, and against what."""

    name: JobName = "layout-check"
    sources: dict[FilePath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Layout and netlist"),
        description=N_(
            "Cells of Magic (.mag), DEF, CIF, or GDS as text (.gds.b64, what `base64 chip.gds` prints), and "
            "the SPICE netlist, by path. Empty takes the AND gate that comes with the portal."
        ),
        json_schema_extra={"widget": "files", "group": N_("Layout")},
    )
    layout: LayoutPath = Field(
        default="and2.mag",
        title=N_("Main layout file"),
        description=N_("Other cells of Magic are looked for in its folder."),
        json_schema_extra={"group": N_("Layout")},
    )
    top: Word = Field(
        default="and2",
        title=N_("Top cell"),
        description=N_("What it is called in the layout and, as .subckt, in the netlist."),
        json_schema_extra={"group": N_("Layout")},
    )
    technology: Literal["osu018", "osu035", "osu050"] = Field(
        default="osu018",
        title=N_("Technology"),
        description=N_("MOSIS's scalable rules for 0.18, 0.35 and 0.5 µm."),
        json_schema_extra={"group": N_("Checks")},
    )
    checks: Literal["both", "drc", "lvs"] = Field(
        default="both",
        title=N_("Checks"),
        description=N_("Design rules, layout against netlist, or both."),
        json_schema_extra={"group": N_("Checks")},
    )
    netlist: NetlistPath = Field(
        default="and2.spice",
        title=N_("Main netlist file"),
        description=N_("Compared with what is extracted from the layout; not read for design rules alone."),
        json_schema_extra={"group": N_("Checks")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=512, walltime_seconds=1800), title=N_("Resources")
    )


class LayoutCheck(Template[LayoutCheckParameters]):
    """Transistors are extracted and compared with their sizes; cells of a DEF are compared by their pins."""

    name: ClassVar[str] = "layout-check"
    title: ClassVar[str] = N_("DRC and LVS")
    summary: ClassVar[str] = N_(
        "Design rules with Magic by rule and place; layout against netlist with Netgen, differences by name."
    )
    domain: ClassVar[str] = "signoff"
    parameters = LayoutCheckParameters

    def render(self, params: LayoutCheckParameters) -> JobSpec:
        """One job; the scripts are the same text for all parameters."""
        self._refuse_contradictions(params)
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=task_script("layout/checks.sh", "layout_check_task.sh"),
                environment={
                    "LAYOUT_SOURCE": params.layout,
                    "LAYOUT_TOP": params.top,
                    "LAYOUT_NETLIST": params.netlist,
                    "LAYOUT_TECHNOLOGY": params.technology,
                    "LAYOUT_CHECKS": params.checks,
                },
                partition=params.resources.partition,
                resources=params.resources.request(),
                programs=("magic",) if params.checks == "drc" else ("magic", "netgen-lvs"),
                inputs=(
                    InputFile(path="layout/read.tcl", content=shipped("layout/read.tcl")),
                    *check_files(),
                    *design_files(params.sources, _EXAMPLE),
                ),
            )

    def parse(self, workspace: Path, params: LayoutCheckParameters) -> Results:
        """PASS when every check that was asked for has a result and nothing is wrong."""
        facts = read_facts(workspace, 0)
        if not facts:
            return Results()
        if missing := missing_tool(facts, 0, self.name):
            return Results(tasks=(missing,))
        rules, compared = read_broken_rules(workspace), read_comparison(workspace)
        verdict, why = _judge(facts, params, compared)
        measured = _metrics(facts, compared)
        task = TaskResult(
            task_index=0,
            label=params.top,
            verdict=verdict,
            metrics=(*measured, *rule_metrics(rules)),
            failure=why,
            artefacts=(
                *present(workspace, "reports", {"layout.png": "image"}),
                *present(workspace, "run", {"extracted.spice": "source"}),
                *present(workspace, "reports", {"drc.txt": "report", "lvs.txt": "report"}),
                *present(workspace, "logs", {"drc.log": "log", "lvs.log": "log"}),
            ),
        )
        return Results(
            tasks=(task,), metrics=measured, tables=(*rule_tables(rules), *mismatch_tables(compared))
        )

    def _refuse_contradictions(self, params: LayoutCheckParameters) -> None:
        present_files = params.sources or _EXAMPLE
        problems = [
            field_problem(field, "no_file", N_("There is no file %(path)s."), path=path[:100])
            for field, path in (("layout", params.layout), ("netlist", params.netlist))
            if path not in present_files and not (field == "netlist" and params.checks == "drc")
        ]
        if params.layout.endswith(".mag") and PurePosixPath(params.layout).stem != params.top:
            text = N_("A cell of Magic is called after its file: the two differ.")
            problems.append(field_problem("top", "mismatch", text))
        if problems:
            raise InvalidParameters(self.name, problems)


def _judge(
    facts: Mapping[str, str], params: LayoutCheckParameters, compared: Comparison | None
) -> tuple[Verdict, Failure | None]:
    why = failure(facts, otherwise="the check ended without a reason", file="logs/drc.log")
    if count(facts, "drc_errors"):
        return Verdict.FAIL, replace(why, signature="design rules are broken")
    if facts.get("lvs") == "mismatch" or (compared and compared.mismatches):
        return Verdict.FAIL, replace(why, signature="layout and netlist differ")
    if count(facts, "exit_code") != 0:
        return Verdict.FAIL, why
    if doubt := _doubt(facts, params, compared):
        return Verdict.NO_VERDICT, Failure(f"no verdict: {doubt}", doubt, "results/0", 0)
    return Verdict.PASS, None


def _doubt(facts: Mapping[str, str], params: LayoutCheckParameters, compared: Comparison | None) -> str:
    """Why nothing wrong is not the same as right; empty when it is."""
    if not count(facts, "width") or not count(facts, "height"):
        return "the layout is empty"
    if params.checks != "lvs" and count(facts, "drc_errors") is None:
        return "DRC has no result"
    if params.checks != "drc" and (facts.get("lvs") != "match" or compared is None):
        return "LVS has no result"
    if params.checks != "drc" and compared and not compared.devices:
        return "there is nothing to compare"
    return ""


def _metrics(facts: Mapping[str, str], compared: Comparison | None) -> tuple[Metric, ...]:
    found = []
    if (errors := count(facts, "drc_errors")) is not None:
        found.append(Metric("magic__drc_error__count", errors))
    if compared is not None:
        found.append(Metric("design__lvs_error__count", len(compared.mismatches)))
        found.append(Metric("design__device__count", compared.devices))
    return tuple(found)
