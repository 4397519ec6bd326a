"""Geometric rules of any process on GDS or OASIS with KLayout: violations by rule and place."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, StringConstraints

from schedulers.jobspec import InputFile, JobSpec
from workloads.eda.sources import SourceText, Word, design_files, written_as
from workloads.eda.task_facts import count, failure, missing_tool, present, read_facts, task_script
from workloads.errors import InvalidParameters, field_problem
from workloads.resources import JobName, Resources
from workloads.scripts import shipped
from workloads.template import (
    N_,
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
from workloads.workspace import read_text

_EXAMPLE = {"and2.gds.b64": "layout/and2.gds.b64"}
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_LAYOUT = re.compile(rf"{_NAME}(/{_NAME})*\.(gds|oas)\.b64")
_LONGEST_PATH = 255
_LARGEST_REPORT_BYTES = 32 * 1024**2
_MOST_ROWS = 1000
_LAYER = r"[0-9]{1,5}/[0-9]{1,5}"
_LENGTH = r"[0-9]{1,6}(\.[0-9]{1,6})?"


def _layout_path(path: str) -> str:
    if not _LAYOUT.fullmatch(path) or len(path) > _LONGEST_PATH:
        raise ValueError(
            N_(
                "a layout needs a relative path of letters, digits and _ . + - that ends in "
                ".gds.b64 or .oas.b64"
            )
        )
    return path


LayoutPath = Annotated[str, AfterValidator(_layout_path)]
Rule = Annotated[
    str,
    StringConstraints(max_length=120),
    written_as(
        rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,39}} ((width|space|area|grid) {_LAYER} {_LENGTH}"
        rf"|(separation|enclosure) {_LAYER} {_LAYER} {_LENGTH}|inside {_LAYER} {_LAYER})",
        N_("a rule is NAME CHECK LAYER/TYPE VALUE, with a second LAYER/TYPE where the check compares two"),
    ),
]


class LayoutRulesParameters(Parameters):
    """Which layout to check, by which rules."""

    name: JobName = "layout-rules"
    sources: dict[LayoutPath, SourceText] = Field(
        default_factory=dict,
        max_length=100,
        title=N_("Layout"),
        description=N_(
            "GDS or OASIS as text, what `base64 chip.gds` prints, by path. Empty takes the AND gate that "
            "comes with the portal."
        ),
        json_schema_extra={"widget": "files", "group": N_("Layout")},
    )
    layout: LayoutPath = Field(
        default="and2.gds.b64", title=N_("Main layout file"), json_schema_extra={"group": N_("Layout")}
    )
    top: Word | None = Field(
        default=None,
        title=N_("Top cell"),
        description=N_("Empty takes the only one that no other cell holds."),
        json_schema_extra={"group": N_("Layout")},
    )
    rules: list[Rule] = Field(
        default=[
            "POLY.W width 46/0 0.2",
            "POLY.S space 46/0 0.3",
            "ACTIVE.W width 43/0 0.3",
            "ACTIVE.S space 43/0 0.3",
            "CONTACT.S space 48/0 0.3",
            "CONTACT.E enclosure 49/0 48/0 0.1",
            "M1.W width 49/0 0.3",
            "M1.S space 49/0 0.3",
            "M1.A area 49/0 0.2",
        ],
        min_length=1,
        max_length=2000,
        title=N_("Rules"),
        description=N_(
            "NAME CHECK LAYER/TYPE VALUE in µm, one a line. Checks: width, space, grid; area in µm²; "
            "separation A B; enclosure A B, where A is around B; inside A B, where A is in B: no value."
        ),
        json_schema_extra={"group": N_("Checks")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=1024, walltime_seconds=1800), title=N_("Resources")
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule: how many shapes it looked at, and where it is broken, in µm."""

    name: str
    shapes: int
    count: int
    places: tuple[tuple[float, ...], ...]


class LayoutRules(Template[LayoutRulesParameters]):
    """Layers are flat and merged. A rule of an empty layer is not broken; only such rules are no verdict."""

    name: ClassVar[str] = "layout-rules"
    title: ClassVar[str] = N_("Rules of a process on GDS")
    summary: ClassVar[str] = N_(
        "Widths, spaces, areas and enclosures on GDS or OASIS of any process with KLayout, by rule and place."
    )
    domain: ClassVar[str] = "signoff"
    parameters = LayoutRulesParameters

    def render(self, params: LayoutRulesParameters) -> JobSpec:
        """One job; the script is the same text for all parameters."""
        self._refuse_contradictions(params)
        asked = {"top": params.top or "", "rules": [_rule(line) for line in params.rules]}
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=task_script("layout_rules_task.sh"),
                environment={"RULES_LAYOUT": params.layout},
                partition=params.resources.partition,
                resources=params.resources.request(),
                programs=("python", "klayout"),
                inputs=(
                    InputFile(path="layout/check_layout_rules.py", content=shipped("check_layout_rules.py")),
                    InputFile(path="layout/rules.json", content=json.dumps(asked)),
                    *design_files(params.sources, _EXAMPLE),
                ),
            )

    def parse(self, workspace: Path, params: LayoutRulesParameters) -> Results:
        """PASS when no rule is broken and there was something to look at."""
        facts = read_facts(workspace, 0)
        if not facts:
            return Results()
        if missing := missing_tool(facts, 0, self.name):
            return Results(tasks=(missing,))
        found = _read(workspace)
        verdict, why = _judge(facts, params, found)
        total = count(facts, "broken")
        measured = () if total is None else (Metric("klayout__drc_error__count", total),)
        task = TaskResult(
            task_index=0,
            label=self.name,
            verdict=verdict,
            metrics=(*measured, *_rule_metrics(found)),
            failure=why,
            artefacts=(
                *present(workspace, "reports", {"rules.lyrdb": "report", "rules.json": "report"}),
                *present(workspace, "logs", {"rules.log": "log"}),
            ),
        )
        return Results(tasks=(task,), metrics=measured, tables=_tables(found))

    def _refuse_contradictions(self, params: LayoutRulesParameters) -> None:
        problems = []
        if params.layout not in (params.sources or _EXAMPLE):
            problems.append(
                field_problem("layout", "no_file", N_("There is no file %(path)s."), path=params.layout[:100])
            )
        names = [line.partition(" ")[0] for line in params.rules]
        if len(set(names)) != len(names):
            problems.append(field_problem("rules", "duplicate", N_("Each name may be given once.")))
        if problems:
            raise InvalidParameters(self.name, problems)


def _rule(line: str) -> dict[str, Any]:
    name, check, *rest = line.split(" ")
    layers = [list(map(int, word.split("/"))) for word in rest if "/" in word]
    return {
        "name": name,
        "check": check,
        "layers": layers,
        "value": float(rest[-1]) if "/" not in rest[-1] else 0,
    }


def _read(workspace: Path) -> list[Finding] | None:
    text = read_text(workspace, "reports/rules.json", max_bytes=_LARGEST_REPORT_BYTES)
    try:
        return [
            Finding(
                str(one["name"])[:40],
                int(one["shapes"]),
                int(one["count"]),
                tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in one["places"]),
            )
            for one in json.loads(text or "")
        ]
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None


def _judge(
    facts: Mapping[str, str], params: LayoutRulesParameters, found: list[Finding] | None
) -> tuple[Verdict, Failure | None]:
    why = failure(facts, otherwise="the check ended without a reason", file="logs/rules.log")
    if count(facts, "broken") or (found and any(one.count for one in found)):
        return Verdict.FAIL, replace(why, signature="design rules are broken")
    if count(facts, "exit_code") != 0:
        return Verdict.FAIL, why
    doubt = ""
    if found is None or [one.name for one in found] != [line.partition(" ")[0] for line in params.rules]:
        doubt = "the report is not whole"
    elif not any(one.shapes for one in found):
        doubt = "the layers of the rules are empty"
    if doubt:
        return Verdict.NO_VERDICT, Failure(f"no verdict: {doubt}", doubt, "logs/rules.log", 0)
    return Verdict.PASS, None


def _rule_metrics(found: list[Finding] | None) -> tuple[Metric, ...]:
    return tuple(
        Metric(f"klayout__drc_error__count__rule:{one.name}", one.count) for one in found or () if one.count
    )


def _tables(found: list[Finding] | None) -> tuple[Table, ...]:
    if not found:
        return ()
    columns = (Column(N_("Rule")), Column(N_("Shapes")), Column(N_("Places")))
    rules = tuple((one.name, one.shapes, one.count) for one in found[:_MOST_ROWS])
    places: list[tuple[str | float | None, ...]] = [(one.name, *box) for one in found for box in one.places]
    tables = [Table(N_("Rules"), columns, rules, len(found) > _MOST_ROWS)]
    if places:
        edges = (N_("Left"), N_("Bottom"), N_("Right"), N_("Top"))
        tables.append(
            Table(
                N_("Where design rules are broken"),
                (Column(N_("Rule")), *(Column(edge, "µm") for edge in edges)),
                tuple(places[:_MOST_ROWS]),
                sum(one.count for one in found) > _MOST_ROWS,
            )
        )
    return tuple(tables)
