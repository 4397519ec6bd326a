"""The layout-rules template: what a rule may look like, and when a layout keeps them all."""

import json
from pathlib import Path
from typing import Any

import pytest

from workloads.eda.layout_rules import LayoutRules
from workloads.errors import InvalidParameters
from workloads.template import Results, Verdict

TEMPLATE = LayoutRules()
TWO = {"rules": ["M1.W width 1/0 0.3", "V1.E enclosure 2/0 1/5 0.05"]}
KEPT = [
    {"name": "M1.W", "shapes": 6, "count": 0, "places": []},
    {"name": "V1.E", "shapes": 0, "count": 0, "places": []},
]


def parse(workspace: Path, facts: dict[str, Any], report: Any) -> Results:  # noqa: ANN401 - as untyped as JSON
    for folder in ("results", "reports"):
        (workspace / folder).mkdir()
    (workspace / "results/0").write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    (workspace / "reports/rules.json").write_text(report if isinstance(report, str) else json.dumps(report))
    return TEMPLATE.parse(workspace, TEMPLATE.validate(TWO))


def test_rules_become_layers_and_micrometres() -> None:
    spec = TEMPLATE.render(TEMPLATE.validate({"rules": [*TWO["rules"], "V1.I inside 1/5 2/0"]}))
    rules = json.loads(next(one.content for one in spec.inputs if one.path == "layout/rules.json"))["rules"]
    assert rules == [
        {"name": "M1.W", "check": "width", "layers": [[1, 0]], "value": 0.3},
        {"name": "V1.E", "check": "enclosure", "layers": [[2, 0], [1, 5]], "value": 0.05},
        {"name": "V1.I", "check": "inside", "layers": [[1, 5], [2, 0]], "value": 0},
    ]


def test_a_layout_that_keeps_all_rules_passes(tmp_path: Path) -> None:
    results = parse(tmp_path, {"exit_code": 0, "broken": 0}, KEPT)
    assert results.tasks[0].verdict is Verdict.PASS
    assert results.tables[0].rows == (("M1.W", 6, 0), ("V1.E", 0, 0))


def test_a_broken_rule_is_counted_and_placed(tmp_path: Path) -> None:
    report = [KEPT[0] | {"count": 2, "places": [[0, 0, 1, 0.5], [2, 0, 3, 0.5]]}, KEPT[1]]
    results = parse(tmp_path, {"exit_code": 1, "broken": 2, "fail_line": "RULES total 2"}, report)
    assert results.tasks[0].verdict is Verdict.FAIL
    assert {metric.name: metric.value for metric in results.tasks[0].metrics} == {
        "klayout__drc_error__count": 2,
        "klayout__drc_error__count__rule:M1.W": 2,
    }
    assert results.tables[1].rows == (("M1.W", 0, 0, 1, 0.5), ("M1.W", 2, 0, 3, 0.5))


@pytest.mark.parametrize(
    "report", ["", "[", "{}", [], KEPT[:1], [1], [{"name": "M1.W"}], [KEPT[0] | {"places": [[1]]}, KEPT[1]]]
)
def test_a_report_that_is_not_whole_is_no_verdict(tmp_path: Path, report: Any) -> None:  # noqa: ANN401 - JSON
    [task] = parse(tmp_path, {"exit_code": 0, "broken": 0}, report).tasks
    assert task.verdict is Verdict.NO_VERDICT


@pytest.mark.parametrize(
    "rule",
    [
        "M1.W width 1/0",
        "M1.W width 1/0 -1",
        "M1.W width 1/0 nan",
        "M1.W width 1/0 2/0 1",
        "M1.W inside 1/0 2/0 1",
        "M1.W enclosure 1/0 1",
        "M1.W delete 1/0 1",
        "M1 W width 1/0 1",
        "-M1 width 1/0 1",
        "M1 width 1/0 1\nx",
        "M1 width 100000000/0 1",
    ],
)
def test_what_is_no_rule_is_refused_by_line(rule: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.validate({"rules": [rule]})
    assert refused.value.problems[0].field == "rules.0"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"rules": ["A width 1/0 1", "A space 1/0 1"]}, "rules"),
        ({"rules": []}, "rules"),
        ({"layout": "other.gds.b64"}, "layout"),
        ({"layout": "../a.gds.b64"}, "layout"),
        ({"sources": {"a.gds": ""}}, "sources"),
        ({"top": "a;b"}, "top"),
    ],
)
def test_what_contradicts_itself_is_refused_by_field(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert field in {problem.field.split(".")[0] for problem in refused.value.problems}
