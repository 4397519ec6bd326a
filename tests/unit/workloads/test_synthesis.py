"""The synthesis template: its sweep, what it refuses and which numbers it believes."""

from pathlib import Path
from typing import Any

import pytest

from workloads.eda.synthesis import Synthesis
from workloads.errors import InvalidParameters
from workloads.template import Verdict

TEMPLATE = Synthesis()
GOOD = {
    "exit_code": 0,
    "area": "1000.5",
    "cells": 40,
    "sequential_area": "400",
    "sequential_cells": 5,
    "setup_worst_slack": "0.25",
    "setup_total_negative_slack": "0.0",
    "setup_violations": 0,
    "path_0": "1.9e+00 rst_n level[0]_DFFSR/R",
    "path_10": "0.25 a b/D",
}
FAILED = GOOD | {
    "exit_code": 1,
    "violated": "yes",
    "setup_worst_slack": "-0.5",
    "setup_total_negative_slack": "-2",
    "setup_violations": 7,
    "fail_file": "logs/timing-0.log",
    "fail_line_number": 12,
    "fail_line": "  -0.5000  slack (VIOLATED)",
}


def written(workspace: Path, facts: dict[str, Any], index: int = 0) -> Path:
    (workspace / "results").mkdir(exist_ok=True)
    text = "".join(f"{name}={value}\n" for name, value in facts.items())
    (workspace / f"results/{index}").write_text(text)
    return workspace


def test_libraries_and_variants_are_rows_and_periods_are_columns() -> None:
    params = TEMPLATE.validate(
        {
            "technologies": ["osu018", "osu050"],
            "parameter_sets": ["WIDTH=8", "WIDTH=16 INIT=4'hF"],
            "clock_periods_ns": [2, 2.5],
            "max_parallel": 3,
        }
    )
    cells = TEMPLATE.campaign(params)
    spec = TEMPLATE.render(params)
    assert spec.array
    assert spec.array.expression == "0-7%3"
    assert [(cell.task_index, cell.row, cell.column) for cell in cells[2:5]] == [
        (2, "osu018 WIDTH=16 INIT=4'hF", "2 ns"),
        (3, "osu018 WIDTH=16 INIT=4'hF", "2.5 ns"),
        (4, "osu050 WIDTH=8", "2 ns"),
    ]
    files = {one.path: one.content for one in spec.inputs}
    assert files["synthesis/tasks.txt"].splitlines()[3] == "3\tosu018\t2.5\t2500\tWIDTH=16 INIT=4'hF"


def test_own_libraries_take_the_place_of_the_technologies() -> None:
    spec = TEMPLATE.render(TEMPLATE.validate({"liberty": {"mine.lib": "library(mine) {}"}}))
    files = {one.path: one.content for one in spec.inputs}
    assert files["liberty/mine.lib"] == "library(mine) {}"
    assert files["synthesis/tasks.txt"].startswith("0\tliberty/mine.lib\t3\t3000\t\n")


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"clock_periods_ns": [2, 2.0]}, "clock_periods_ns"),
        ({"clock_periods_ns": [0]}, "clock_periods_ns.0"),
        ({"clock_periods_ns": ["nan"]}, "clock_periods_ns.0"),
        ({"technologies": ["sky130"]}, "technologies.0"),
        ({"parameter_sets": ["WIDTH=8; exec touch x"]}, "parameter_sets.0"),
        ({"parameter_sets": ["WIDTH=[exec touch x]"]}, "parameter_sets.0"),
        ({"parameter_sets": ["WIDTH=$env(HOME)"]}, "parameter_sets.0"),
        ({"parameter_sets": ["W=1\tX=2"]}, "parameter_sets.0"),
        ({"driving_cell": "BUFX4]"}, "driving_cell"),
        ({"clock_port": "clk\nexec touch x"}, "clock_port"),
        ({"sources": {"a.svh": ""}}, "sources"),
    ],
)
def test_what_no_tool_should_see_is_refused_by_field(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert refused.value.problems[0].field == field


def test_a_sweep_is_not_larger_than_a_page_can_show() -> None:
    sets = [f"N={n}" for n in range(1000)]
    periods = [n + 1.0 for n in range(11)]
    with pytest.raises(InvalidParameters, match="11000 tasks"):
        TEMPLATE.render(TEMPLATE.validate({"parameter_sets": sets, "clock_periods_ns": periods}))


def test_numbers_have_the_names_of_librelane_and_paths_are_sorted_by_slack(tmp_path: Path) -> None:
    results = TEMPLATE.parse(written(tmp_path, GOOD), TEMPLATE.validate({"clock_periods_ns": [2]}))
    assert results.tasks[0].verdict is Verdict.PASS
    assert {metric.name: (metric.value, metric.unit) for metric in results.metrics} == {
        "design__instance__area": (1000.5, "um^2"),
        "design__instance__count": (40, ""),
        "design__instance__area__class:sequential_cell": (400, "um^2"),
        "design__instance__count__class:sequential_cell": (5, ""),
        "timing__setup__ws": (0.25, "ns"),
        "timing__setup__tns": (0, "ns"),
        "timing__setup_vio__count": (0, ""),
    }
    assert results.tables[1].rows == (
        ("osu018, 2 ns", 0.25, "a", "b/D"),
        ("osu018, 2 ns", 1.9, "rst_n", "level[0]_DFFSR/R"),
    )


def test_violated_timing_is_one_cause_whatever_the_slack(tmp_path: Path) -> None:
    for index in (0, 1):
        written(tmp_path, FAILED | {"fail_line": f"  -0.{index}5  slack (VIOLATED)"}, index)
    tasks = TEMPLATE.parse(tmp_path, TEMPLATE.validate({})).tasks
    assert {task.failure.signature for task in tasks if task.failure} == {"setup timing is violated"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"untimed": "Warning: There are 2 unclocked register/latch pins."},
        {"area": ""},
        {"area": "0"},
        {"cells": "0"},
        {"cells": "x"},
        {"sequential_area": "2000"},
        {"setup_worst_slack": "nan"},
        {"setup_worst_slack": "1e30"},
        {"setup_worst_slack": "inf"},
        {"setup_total_negative_slack": "-3"},
        {"setup_worst_slack": "-3"},
    ],
)
def test_numbers_that_cannot_be_true_are_no_verdict_and_not_shown(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    results = TEMPLATE.parse(written(tmp_path, GOOD | wrong), TEMPLATE.validate({"clock_periods_ns": [2]}))
    assert results.tasks[0].verdict is Verdict.NO_VERDICT
    assert results.tables[0].rows[0][1:] == (None,) * 6
