"""What Magic says of design rules and Netgen of a layout against its netlist, read from their reports."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedulers.jobspec import InputFile
from workloads.eda.task_facts import number
from workloads.scripts import shipped
from workloads.template import N_, Column, Metric, Table
from workloads.workspace import read_text

_LARGEST_REPORT_BYTES = 16 * 1024**2
_MOST_ROWS = 1000
_LONGEST_TEXT = 200
_BOX_EDGES = 4


def check_files() -> tuple[InputFile, ...]:
    """What the task's checks read: `layout/checks.sh` is a part of its script."""
    shipped_as = {path: path for path in ("layout/drc.tcl", "layout/pins.awk")}
    shipped_as["layout/draw_layout.py"] = "draw_layout.py"
    return tuple(InputFile(path=path, content=shipped(origin)) for path, origin in shipped_as.items())


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A design rule and the places where it is broken: left, bottom, right, top in µm."""

    text: str
    boxes: tuple[tuple[float, ...], ...]


def read_broken_rules(workspace: Path, path: str = "reports/drc.txt") -> list[BrokenRule]:
    """The rules in a report of `layout/drc.tcl`, the most broken first."""
    text = read_text(workspace, path, max_bytes=_LARGEST_REPORT_BYTES) or ""
    rules: list[tuple[str, list[tuple[float, ...]]]] = []
    for line in text.split("\n"):
        if line.startswith("DRC rule "):
            rules.append((line.removeprefix("DRC rule ")[:_LONGEST_TEXT], []))
        elif line.startswith("DRC box ") and rules:
            edges = [number(edge) for edge in line.split()[2:]]
            if len(edges) == _BOX_EDGES and None not in edges:
                rules[-1][1].append(tuple(edge for edge in edges if edge is not None))
    found = [BrokenRule(rule, tuple(boxes)) for rule, boxes in rules]
    return sorted(found, key=lambda rule: (-len(rule.boxes), rule.text))


def rule_metrics(rules: list[BrokenRule]) -> Iterator[Metric]:
    """In how many places each rule is broken."""
    for rule in rules:
        yield Metric(f"magic__drc_error__count__rule:{rule.text}", len(rule.boxes))


def rule_tables(rules: list[BrokenRule]) -> tuple[Table, ...]:
    """How often each rule is broken, then where; nothing for a clean layout."""
    if not rules:
        return ()
    counted = tuple((rule.text, len(rule.boxes)) for rule in rules[:_MOST_ROWS])
    places: list[tuple[str | float | None, ...]] = [(rule.text, *box) for rule in rules for box in rule.boxes]
    edges = (
        Column(N_("Left"), "µm"),
        Column(N_("Bottom"), "µm"),
        Column(N_("Right"), "µm"),
        Column(N_("Top"), "µm"),
    )
    return (
        Table(
            N_("Broken design rules"),
            (Column(N_("Rule")), Column(N_("Places"))),
            counted,
            len(rules) > _MOST_ROWS,
        ),
        Table(
            N_("Where design rules are broken"),
            (Column(N_("Rule")), *edges),
            tuple(places[:_MOST_ROWS]),
            len(places) > _MOST_ROWS,
        ),
    )


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What stands in the layout and what in the netlist, where the two differ."""

    kind: str
    """`net`, `device`, `pin`, `property`, `devices` or `nets` (their numbers)."""
    in_layout: str
    in_netlist: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What Netgen found."""

    devices: int
    """Of the layout."""
    mismatches: tuple[Mismatch, ...]


def read_comparison(workspace: Path, path: str = "reports/lvs.json") -> Comparison | None:
    """Every difference of the top cell and every property error; None without a report that can be read.

    Nets and devices come in Netgen's groups: members of one group could not be told apart.
    """
    text = read_text(workspace, path, max_bytes=_LARGEST_REPORT_BYTES)
    try:
        cells = json.loads(text or "")
        found = [*_of_top(cells[-1]), *(one for cell in cells for one in _of_properties(cell))]
        return Comparison(sum(number for _, number in cells[-1]["devices"][0]), tuple(found))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _of_top(cell: Mapping[str, Any]) -> Iterator[Mismatch]:
    for kind, key in (("net", "badnets"), ("device", "badelements")):
        for layout, netlist in cell.get(key, ()):
            yield Mismatch(kind, _names(layout), _names(netlist))
    counted = [{name: number for name, number in side if number} for side in cell["devices"]]
    for name in sorted(counted[0].keys() | counted[1].keys()):
        sides = [side.get(name, 0) for side in counted]
        if sides[0] != sides[1]:
            yield Mismatch("devices", f"{name}: {sides[0]}", f"{name}: {sides[1]}")
    if cell["nets"][0] != cell["nets"][1]:
        yield Mismatch("nets", str(cell["nets"][0]), str(cell["nets"][1]))
    for layout, netlist in zip(*cell.get("pins", ((), ())), strict=True):
        if layout.rstrip("!").lower() != netlist.rstrip("!").lower():
            yield Mismatch(
                "pin", *("" if name.startswith("(no matching") else name for name in (layout, netlist))
            )


def _of_properties(cell: Mapping[str, Any]) -> Iterator[Mismatch]:
    for layout, netlist in cell.get("properties", ()):
        yield Mismatch("property", _sizes(layout), _sizes(netlist))


def _names(group: Any) -> str:  # noqa: ANN401 - JSON
    """The names of a group; Netgen fills the shorter side with empty entries."""
    return ", ".join(name for name, _ in group if not name.startswith("(no matching"))[:_LONGEST_TEXT]


def _sizes(device: Any) -> str:  # noqa: ANN401 - JSON
    """`pfet6: w=6e-7`."""
    name, values = device
    return f"{name}: {', '.join(f'{key}={value}' for key, value in values)}"[:_LONGEST_TEXT]


def mismatch_tables(found: Comparison | None) -> tuple[Table, ...]:
    """What differs, one row each; nothing when all is equal."""
    if found is None or not found.mismatches:
        return ()
    columns = (Column(N_("Kind")), Column(N_("In the layout")), Column(N_("In the netlist")))
    rows = [(one.kind, one.in_layout or None, one.in_netlist or None) for one in found.mismatches]
    title = N_("Differences of layout and netlist")
    return (Table(title, columns, tuple(rows[:_MOST_ROWS]), len(rows) > _MOST_ROWS),)
