"""The place-and-route template: what it refuses, what it asks for, and which layouts it calls good."""

from pathlib import Path
from typing import Any

import pytest

from workloads.eda.place_and_route import PlaceAndRoute
from workloads.errors import InvalidParameters
from workloads.template import Results, Verdict

TEMPLATE = PlaceAndRoute()
GOOD = {
    "exit_code": 0,
    "cells": 21,
    "registers": 4,
    "cell_area": "1208.00",
    "die_area": "1814.4000",
    "wire_length": "488.77",
    "vias": 122,
    "frequency_before": "1386.27",
    "frequency_after": "1352.73",
    "unrouted": 0,
    "drc_errors": 0,
    "lvs": "match",
    "place_microseconds": 1_500_000,
}
MATCH = '[{"name": ["a", "a"], "devices": [[["INVX1", 1]], [["INVX1", 1]]], "nets": [4, 4],'
MATCH += ' "badnets": [], "badelements": [], "pins": [["A"], ["a"]]}]'
DIFFERENT = MATCH.replace('"badnets": []', '"badnets": [[[["gnd", []]], [["gnd", []], ["vdd", []]]]]')


def parse(workspace: Path, facts: dict[str, Any], *, lvs: str = MATCH, drc: str = "", **raw: Any) -> Results:  # noqa: ANN401 - as untyped as a form
    for folder in ("results", "reports"):
        (workspace / folder).mkdir()
    (workspace / "results/0").write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    (workspace / "reports/lvs.json").write_text(lvs)
    (workspace / "reports/drc.txt").write_text(drc)
    return TEMPLATE.parse(workspace, TEMPLATE.validate(raw))


def test_numbers_of_a_clean_layout_have_librelane_s_names(tmp_path: Path) -> None:
    results = parse(tmp_path, GOOD)
    values = {metric.name: (metric.value, metric.unit) for metric in results.metrics}
    assert results.tasks[0].verdict is Verdict.PASS
    assert values["design__instance__utilization"] == (1208 / 1814.4, "")
    assert values["route__wirelength"] == (488.77, "um")
    assert values["timing__fmax"] == (1352.73, "MHz")
    assert values["design__lvs_error__count"] == (0, "")
    assert [(table.title, table.rows) for table in results.tables] == [
        ("Steps of the flow", (("place", 1.5),))
    ]


@pytest.mark.parametrize(
    ("wrong", "signature"),
    [
        ({"exit_code": 2, "failed_step": "place", "fail_line": "graywolf failed"}, "place: graywolf failed"),
        ({"exit_code": 1, "unrouted": 19, "slow": "yes"}, "the router left nets unconnected"),
        ({"exit_code": 1, "slow": "yes", "drc_errors": 2}, "the routed design is slower than the clock"),
        ({"exit_code": 1, "drc_errors": 2, "lvs": "mismatch"}, "design rules are broken"),
        ({"exit_code": 1, "lvs": "mismatch"}, "layout and netlist differ"),
        ({"exit_code": 2, "fail_line": "ERROR: no 12"}, "ERROR: no *"),
    ],
)
def test_a_failure_is_called_after_the_first_thing_that_went_wrong(
    tmp_path: Path, wrong: dict[str, Any], signature: str
) -> None:
    [task] = parse(tmp_path, GOOD | wrong).tasks
    assert task.verdict is Verdict.FAIL
    assert task.failure
    assert task.failure.signature == signature


def test_differences_that_netgen_s_last_line_hides_are_a_failure(tmp_path: Path) -> None:
    results = parse(tmp_path, GOOD, lvs=DIFFERENT)
    assert results.tasks[0].verdict is Verdict.FAIL
    assert results.tables[0].rows == (("net", "gnd", "gnd, vdd"),)


@pytest.mark.parametrize(
    ("wrong", "raw"),
    [
        ({"wire_length": ""}, {}),
        ({"cells": 0}, {}),
        ({"cell_area": "2000"}, {}),
        ({"drc_errors": "x"}, {}),
        ({"lvs": ""}, {}),
        ({"unrouted": ""}, {"last_step": "routing"}),
        ({"frequency_after": ""}, {"clock_period_ns": 5}),
    ],
)
def test_numbers_that_are_missing_or_cannot_be_true_are_no_verdict(
    tmp_path: Path, wrong: dict[str, str], raw: dict[str, Any]
) -> None:
    [task] = parse(tmp_path, GOOD | wrong, **raw).tasks
    assert task.verdict is Verdict.NO_VERDICT


@pytest.mark.parametrize("report", ["", "[", "[]", "{}", "[1]", '[{"badnets": 1}]', "[" * 5000])
def test_without_a_report_that_can_be_read_lvs_has_no_result(tmp_path: Path, report: str) -> None:
    [task] = parse(tmp_path, GOOD, lvs=report).tasks
    assert task.failure
    assert task.failure.signature == "no verdict: LVS has no result"


def test_broken_rules_are_counted_and_placed(tmp_path: Path) -> None:
    text = "DRC total 3\nDRC rule Metal1 spacing < 3 (MOSIS #7.2)\nDRC box 0.100 0 1.5 2\nDRC box x\n"
    results = parse(tmp_path, GOOD | {"exit_code": 1, "drc_errors": 3}, drc=text + "DRC complete\n")
    rule = "Metal1 spacing < 3 (MOSIS #7.2)"
    assert [table.rows for table in results.tables[:2]] == [((rule, 1),), ((rule, 0.1, 0, 1.5, 2),)]
    assert {one.name: one.value for one in results.tasks[0].metrics}[
        f"magic__drc_error__count__rule:{rule}"
    ] == 1


def test_resources_follow_from_the_size_of_the_design_and_are_never_lowered() -> None:
    small = TEMPLATE.render(TEMPLATE.validate({"cells": 100})).resources
    large = TEMPLATE.render(TEMPLATE.validate({"cells": 20_000})).resources
    assert (small.memory_mib_per_node, small.walltime_seconds) == (512, 1800)
    assert (large.memory_mib_per_node, large.walltime_seconds) == (256 + 6000, 120 + 3600)
    assert large.cpus_per_task == 1


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"technology": "sky130"}, "technology"),
        ({"technology": "osu050", "routing_layers": 4}, "routing_layers"),
        ({"density": "nan"}, "density"),
        ({"density": 0}, "density"),
        ({"aspect_ratio": 1e9}, "aspect_ratio"),
        ({"parameter_set": "WIDTH=[exec id]"}, "parameter_set"),
        ({"top": "fifo;id"}, "top"),
        ({"sources": {"a.svh": ""}}, "sources"),
    ],
)
def test_what_no_tool_should_see_is_refused_by_field(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert refused.value.problems[0].field == field
