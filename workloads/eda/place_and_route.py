"""Place and route with qflow on open standard cells: RTL or netlist to a checked layout."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

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
from workloads.eda.place_and_route_parameters import ROUTING_LAYERS, PlaceAndRouteParameters
from workloads.eda.sources import compiled, design_files, lines_file
from workloads.eda.task_facts import count, failure, missing_tool, number, present, read_facts, task_script
from workloads.errors import InvalidParameters, field_problem
from workloads.scripts import shipped
from workloads.template import (
    N_,
    Artefact,
    Column,
    Failure,
    Metric,
    Results,
    Table,
    TaskResult,
    Template,
    Verdict,
)
from workloads.workspace import read_text

_EXAMPLE = {"fifo.sv": "fifo/fifo.sv"}
_STEPS = ("synthesize", "place", "sta", "route", "backanno", "migrate")
_MOST_NETS = 1000
_LONGEST_LIST_BYTES = 256 * 1024
_METRICS = (
    ("cells", "design__instance__count", ""),
    ("registers", "design__instance__count__class:sequential_cell", ""),
    ("cell_area", "design__instance__area", "um^2"),
    ("die_area", "design__die__area", "um^2"),
    ("frequency_before", "timing__fmax__stage:placement", "MHz"),
    ("frequency_after", "timing__fmax", "MHz"),
    ("wire_length", "route__wirelength", "um"),
    ("vias", "route__vias", ""),
    ("unrouted", "route__unrouted_net__count", ""),
    ("drc_errors", "magic__drc_error__count", ""),
)
"""Fact, metric (LibreLane's where it has one), unit."""
_ALWAYS = ("cells", "cell_area", "die_area")
_ROUTED = (*_ALWAYS, "wire_length", "vias", "unrouted")
_NEEDED = {"placement": _ALWAYS, "routing": _ROUTED, "checks": (*_ROUTED, "drc_errors")}
"""The facts that a layout which went so far must have."""


class PlaceAndRoute(Template[PlaceAndRouteParameters]):
    """qflow: Yosys, graywolf, qrouter, vesta, Magic and Netgen.

    The cells are abstract (LEF): DRC checks the routing and LVS the connections between cells; what is inside
    the cells is not in the GDS.
    """

    name: ClassVar[str] = "place-and-route"
    title: ClassVar[str] = N_("Place and route")
    summary: ClassVar[str] = N_(
        "RTL or netlist to a routed layout with qflow: area, wire length, timing, DRC and LVS."
    )
    domain: ClassVar[str] = "layout"
    parameters = PlaceAndRouteParameters

    def render(self, params: PlaceAndRouteParameters) -> JobSpec:
        """One job; the scripts are the same text for all parameters."""
        self._refuse_contradictions(params)
        resources = params.sized_resources()
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=task_script("layout/checks.sh", "place_and_route_task.sh"),
                environment={
                    "PNR_TOP": params.top,
                    "PNR_PARAMETERS": params.parameter_set or "",
                    "PNR_TECHNOLOGY": params.technology,
                    "PNR_DENSITY": f"{params.density:.4f}",
                    "PNR_ASPECT": f"{params.aspect_ratio:.4f}",
                    "PNR_LAYERS": str(params.routing_layers or ""),
                    "PNR_SEED": str(params.seed),
                    "PNR_LAST": params.last_step,
                    "PNR_PERIOD_NS": f"{params.clock_period_ns or 0:.9g}",
                },
                partition=resources.partition,
                resources=resources.request(),
                programs=("yosys", "qflow", "graywolf", "qrouter", "magic", "netgen-lvs"),
                inputs=_inputs(params),
            )

    def parse(self, workspace: Path, params: PlaceAndRouteParameters) -> Results:
        """How far it came, what it measures, and what is wrong with it."""
        facts = read_facts(workspace, 0)
        if not facts:
            return Results()
        if missing := missing_tool(facts, 0, self.name):
            return Results(tasks=(missing,))
        rules = read_broken_rules(workspace)
        compared = read_comparison(workspace)
        verdict, why = _judge(facts, params, compared)
        measured = _metrics(facts, compared)
        task = TaskResult(
            task_index=0,
            label=self.name,
            verdict=verdict,
            metrics=(*measured, *rule_metrics(rules)),
            failure=why,
            artefacts=_artefacts(workspace, params.top),
        )
        return Results(
            tasks=(task,),
            metrics=measured,
            tables=(
                *_table_of_unrouted(workspace),
                *rule_tables(rules),
                *mismatch_tables(compared),
                *_table_of_steps(facts),
            ),
        )

    def _refuse_contradictions(self, params: PlaceAndRouteParameters) -> None:
        problems = []
        if params.sources and not compiled(params.sources):
            problems.append(
                field_problem("sources", "no_source", N_("There is no .sv or .v file to compile."))
            )
        layers = ROUTING_LAYERS[params.technology]
        if params.routing_layers and params.routing_layers > layers:
            text = N_("%(technology)s has %(layers)s metal layers.")
            facts = {"technology": params.technology, "layers": layers}
            problems.append(field_problem("routing_layers", "too_large", text, **facts))
        if problems:
            raise InvalidParameters(self.name, problems)


def _inputs(params: PlaceAndRouteParameters) -> tuple[InputFile, ...]:
    design = design_files(params.sources, _EXAMPLE)
    return (
        lines_file("pnr/defines.txt", params.defines),
        lines_file("pnr/sources.txt", compiled({one.path: "" for one in design})),
        InputFile(path="pnr/prepare.tcl", content=shipped("place_and_route/prepare.tcl")),
        InputFile(path="pnr/layout.awk", content=shipped("place_and_route/layout.awk")),
        InputFile(path="pnr/check.tcl", content=shipped("place_and_route/check.tcl")),
        *check_files(),
        *design,
    )


def _judge(
    facts: Mapping[str, str], params: PlaceAndRouteParameters, compared: Comparison | None
) -> tuple[Verdict, Failure | None]:
    """The earliest thing that is wrong gives the failure its name."""
    why = failure(facts, otherwise="the flow ended without a reason", file="results/0")
    if facts.get("failed_step") in _STEPS:
        return Verdict.FAIL, replace(why, signature=f"{facts['failed_step']}: {why.signature}")
    causes = {
        "the router left nets unconnected": bool(count(facts, "unrouted")),
        "the routed design is slower than the clock": "slow" in facts,
        "design rules are broken": bool(count(facts, "drc_errors")),
        "layout and netlist differ": facts.get("lvs") == "mismatch" or bool(compared and compared.mismatches),
    }
    for cause, applies in causes.items():
        if applies:
            return Verdict.FAIL, replace(why, signature=cause)
    if count(facts, "exit_code") != 0:
        return Verdict.FAIL, why
    if doubt := _doubt(facts, params, compared):
        return Verdict.NO_VERDICT, Failure(f"no verdict: {doubt}", doubt, "results/0", 0)
    return Verdict.PASS, None


def _doubt(facts: Mapping[str, str], params: PlaceAndRouteParameters, compared: Comparison | None) -> str:
    """Why these numbers cannot be those of a whole layout; empty when they can."""
    found = {name: number(facts.get(name)) for name in _NEEDED[params.last_step]}
    if absent := [name for name, value in found.items() if value is None]:
        return f"{absent[0]} is missing"
    if not found["cells"]:
        return "the layout has no cells"
    if (found["cell_area"] or 0) > (found["die_area"] or 0):
        return "the cells are larger than the die"
    if params.last_step == "checks" and (facts.get("lvs") != "match" or compared is None):
        return "LVS has no result"
    is_timed = params.clock_period_ns and params.last_step != "placement" and count(facts, "registers")
    if is_timed and number(facts.get("frequency_after")) is None:
        return "the routed design has no timing"
    return ""


def _metrics(facts: Mapping[str, str], compared: Comparison | None) -> tuple[Metric, ...]:
    found = [
        Metric(name, value, unit)
        for fact, name, unit in _METRICS
        if (value := number(facts.get(fact))) is not None
    ]
    area, die = number(facts.get("cell_area")), number(facts.get("die_area"))
    if area is not None and die:
        found.append(Metric("design__instance__utilization", area / die))
    if compared is not None:
        found.append(Metric("design__lvs_error__count", len(compared.mismatches)))
    return tuple(found)


def _table_of_steps(facts: Mapping[str, str]) -> tuple[Table, ...]:
    columns = (Column(N_("Step")), Column(N_("Wall time"), "s"))
    rows = tuple(
        (step, spent / 1e6) for step in _STEPS if (spent := count(facts, f"{step}_microseconds")) is not None
    )
    return (Table(N_("Steps of the flow"), columns, rows),) if rows else ()


def _table_of_unrouted(workspace: Path) -> tuple[Table, ...]:
    text = read_text(workspace, "reports/unrouted.txt", max_bytes=_LONGEST_LIST_BYTES) or ""
    nets = text.split("\n")[:-1]
    rows = tuple((net[:200],) for net in nets[:_MOST_NETS])
    return (
        (Table(N_("Nets without a route"), (Column(N_("Unrouted net")),), rows, len(nets) > _MOST_NETS),)
        if rows
        else ()
    )


def _artefacts(workspace: Path, top: str) -> tuple[Artefact, ...]:
    layout = {f"{top}.def": "layout", f"{top}.gds": "layout", f"{top}.mag": "layout"}
    netlists = {f"{top}.rtlnopwr.v": "source", f"{top}.sdf": "report"}
    logs = dict.fromkeys((f"{name}.log" for name in ("prepare", *_STEPS, "drc", "lvs")), "log")
    return (
        *present(workspace, "reports", {"layout.png": "image"}),
        *present(workspace, "run/layout", layout),
        *present(workspace, "run/synthesis", netlists),
        *present(workspace, "reports", {"drc.txt": "report", "lvs.txt": "report"}),
        *present(workspace, "logs", logs),
    )
