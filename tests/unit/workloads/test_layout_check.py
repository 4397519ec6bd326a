"""The layout-check template: what it refuses, and when a layout is clean."""

from pathlib import Path
from typing import Any

import pytest

from workloads.eda.layout_check import LayoutCheck
from workloads.errors import InvalidParameters
from workloads.template import Results, Verdict

TEMPLATE = LayoutCheck()
CLEAN = {"exit_code": 0, "width": 56, "height": 60, "drc_errors": 0, "lvs": "match"}
MATCH = '[{"name": ["a", "a"], "devices": [[["nfet", 3]], [["nfet", 3]]], "nets": [4, 4],'
MATCH += ' "badnets": [], "badelements": [], "pins": [["A", "vdd!"], ["a", "VDD"]]}]'


def parse(workspace: Path, facts: dict[str, Any], *, lvs: str = MATCH, **raw: Any) -> Results:  # noqa: ANN401 - as untyped as a form
    for folder in ("results", "reports"):
        (workspace / folder).mkdir()
    (workspace / "results/0").write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    (workspace / "reports/lvs.json").write_text(lvs)
    return TEMPLATE.parse(workspace, TEMPLATE.validate(raw))


def test_clean_is_no_broken_rule_and_no_difference(tmp_path: Path) -> None:
    results = parse(tmp_path, CLEAN)
    assert results.tasks[0].verdict is Verdict.PASS
    assert {metric.name: metric.value for metric in results.metrics} == {
        "magic__drc_error__count": 0,
        "design__lvs_error__count": 0,
        "design__device__count": 3,
    }
    assert results.tables == ()


@pytest.mark.parametrize(
    ("changed", "lvs", "why"),
    [
        ({"width": 0}, MATCH, "the layout is empty"),
        ({"height": ""}, MATCH, "the layout is empty"),
        ({"drc_errors": ""}, MATCH, "DRC has no result"),
        ({"lvs": ""}, MATCH, "LVS has no result"),
        ({}, MATCH.replace("]]}]", ""), "LVS has no result"),
        ({}, MATCH.replace('[["nfet", 3]], [["nfet", 3]]', "[], []"), "there is nothing to compare"),
    ],
)
def test_nothing_wrong_is_no_pass_when_nothing_was_looked_at(
    tmp_path: Path, changed: dict[str, Any], lvs: str, why: str
) -> None:
    [task] = parse(tmp_path, CLEAN | changed, lvs=lvs).tasks
    assert task.verdict is Verdict.NO_VERDICT
    assert task.failure
    assert task.failure.signature == f"no verdict: {why}"


def test_only_the_checks_that_were_asked_for_need_a_result_and_their_tools(tmp_path: Path) -> None:
    rules_only = parse(tmp_path, CLEAN | {"lvs": ""}, lvs="", checks="drc")
    assert rules_only.tasks[0].verdict is Verdict.PASS
    assert TEMPLATE.render(TEMPLATE.validate({"checks": "drc"})).programs == ("magic",)
    assert TEMPLATE.render(TEMPLATE.validate({})).programs == ("magic", "netgen-lvs")


def test_a_difference_in_the_report_wins_over_a_match_in_the_log(tmp_path: Path) -> None:
    results = parse(tmp_path, CLEAN, lvs=MATCH.replace('["a", "VDD"]', '["b", "VDD"]'))
    assert results.tasks[0].verdict is Verdict.FAIL
    assert results.tables[0].rows == (("pin", "A", "b"),)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"sources": {"../and2.mag": ""}}, "sources"),
        ({"sources": {"chip.gds": ""}}, "sources"),
        ({"sources": {".magicrc": ""}}, "sources"),
        ({"layout": "-x.mag"}, "layout"),
        ({"layout": "other.mag"}, "layout"),
        ({"netlist": "other.spice"}, "netlist"),
        ({"top": "other"}, "top"),
        ({"top": "and2;id"}, "top"),
        ({"checks": "all"}, "checks"),
    ],
)
def test_what_no_tool_should_see_is_refused_by_field(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert field in {problem.field.split(".")[0] for problem in refused.value.problems}


def test_design_rules_alone_need_no_netlist() -> None:
    raw = {"sources": {"and2.mag": "magic\n"}, "checks": "drc"}
    assert TEMPLATE.render(TEMPLATE.validate(raw)).environment["LAYOUT_CHECKS"] == "drc"
