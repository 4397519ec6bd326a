"""The FPGA template: its seeds, what it refuses, and which numbers it believes."""

import json
from pathlib import Path
from typing import Any

import pytest

from workloads.eda.fpga import Fpga
from workloads.errors import InvalidParameters
from workloads.template import Verdict

TEMPLATE = Fpga()
REPORT = {
    "fmax": {
        "clk$SB_IO_IN_$glb_clk": {"achieved": 120.5, "constraint": 100},
        "slow": {"achieved": 13.0, "constraint": 12},
    },
    "utilization": {
        "ICESTORM_LC": {"available": 1280, "used": 64},
        "ICESTORM_RAM": {"available": 16, "used": 1},
    },
}
GOOD = {"exit_code": 0, "luts": 40, "registers": 12, "icetime_ns": "8.1", "score": "1.08333"}


def written(workspace: Path, facts: dict[str, Any], report: object, index: int = 0) -> Path:
    for folder in ("results", "bitstreams"):
        (workspace / folder).mkdir(exist_ok=True)
    (workspace / f"results/{index}").write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    (workspace / f"bitstreams/{index}.json").write_text(
        report if isinstance(report, str) else json.dumps(report)
    )
    (workspace / f"bitstreams/{index}.bin").write_bytes(b"\xff\x00")
    return workspace


def test_each_seed_is_a_task_and_a_column() -> None:
    params = TEMPLATE.validate({"first_seed": 7, "seeds": 3, "max_parallel": 2})
    spec = TEMPLATE.render(params)
    assert spec.array
    assert spec.array.expression == "0-2%2"
    assert [(cell.row, cell.column) for cell in TEMPLATE.campaign(params)] == [
        ("hx8k ct256", "7"),
        ("hx8k ct256", "8"),
        ("hx8k ct256", "9"),
    ]


def test_the_example_has_its_board_s_pins_and_no_other_part_has() -> None:
    def pins(**raw: object) -> str:
        spec = TEMPLATE.render(TEMPLATE.validate(raw))
        return {one.path: one.content for one in spec.inputs}["design/pins.pcf"]

    assert "set_io clk J3" in pins()
    assert pins(device="hx1k", package="tq144") == ""
    assert pins(sources={"a.v": "module blinky; endmodule\n"}) == ""
    assert pins(pins="set_io clk 21\n") == "set_io clk 21\n"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"package": "tq144"}, "package"),
        ({"device": "ecp5"}, "device"),
        ({"frequency_mhz": 0}, "frequency_mhz"),
        ({"frequency_mhz": "nan"}, "frequency_mhz"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": 1001}, "seeds"),
        ({"package": "ct256 --run x.py"}, "package"),
        ({"sources": {"a.svh": ""}}, "sources"),
    ],
)
def test_what_no_tool_should_see_is_refused_by_field(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert refused.value.problems[0].field == field


def test_use_and_clocks_are_told_and_the_best_seed_is_the_one_with_the_largest_score(tmp_path: Path) -> None:
    faster = REPORT | {"fmax": {"clk": {"achieved": 130.0, "constraint": 100}}}
    written(tmp_path, GOOD, REPORT, 0)
    written(tmp_path, GOOD | {"score": "1.3"}, faster, 1)
    results = TEMPLATE.parse(tmp_path, TEMPLATE.validate({"seeds": 3}))
    first, second = results.tasks
    assert first.verdict is second.verdict is Verdict.PASS
    assert {metric.name: metric.value for metric in first.metrics} == {
        "fmax__clock:clk": 120.5,
        "fmax__clock:slow": 13,
        "margin__clock:clk": 1.205,
        "margin__clock:slow": pytest.approx(13 / 12),
        "luts__used": 40,
        "registers__used": 12,
        "logic_cells__used": 64,
        "logic_cells__available": 1280,
        "block_rams__used": 1,
        "block_rams__available": 16,
        "icetime__longest_path": 8.1,
    }
    values = {metric.name: metric.value for metric in results.metrics}
    assert (values["best__seed"], values["best__fmax"], values["best__margin"]) == (2, 130, 1.3)
    assert [task.artefacts[0].path for task in results.tasks] == ["bitstreams/0.bin", "bitstreams/best.bin"]
    assert results.tables[0].rows[0] == (2, "clk", 130, 100, "PASS")
    assert results.tables[1].rows[0] == ("ICESTORM_LC", 64, 1280, 5)


def test_a_missed_clock_is_one_cause_named_after_the_slowest(tmp_path: Path) -> None:
    report = REPORT | {
        "fmax": {"a": {"achieved": 90, "constraint": 100}, "b": {"achieved": 50, "constraint": 100}}
    }
    line = "Warning: Max frequency for clock 'a': 90.00 MHz (FAIL at 100.00 MHz)"
    facts = GOOD | {"exit_code": 1, "missed": "yes", "score": "0.5", "fail_line": line, "fail_line_number": 9}
    [task] = TEMPLATE.parse(written(tmp_path, facts, report), TEMPLATE.validate({})).tasks
    assert task.verdict is Verdict.FAIL
    assert task.failure
    assert (task.failure.signature, task.failure.line) == ("clock b misses its target", line)


@pytest.mark.parametrize(
    "report",
    [
        pytest.param("", id="nothing"),
        pytest.param("[" * 100_000, id="deeper than can be read"),
        pytest.param({"fmax": [], "utilization": {"ICESTORM_LC": 3}}, id="other shapes"),
        pytest.param(
            REPORT | {"utilization": {"ICESTORM_LC": {"used": 2, "available": 1}}}, id="too much used"
        ),
        pytest.param(REPORT | {"fmax": {}}, id="registers and no clock"),
        pytest.param(REPORT | {"fmax": {"a": {"achieved": "nan", "constraint": 1}}}, id="no number"),
    ],
)
def test_a_report_that_cannot_be_true_is_no_verdict_and_never_the_best(
    tmp_path: Path, report: object
) -> None:
    results = TEMPLATE.parse(written(tmp_path, GOOD, report), TEMPLATE.validate({"seeds": 1}))
    assert results.tasks[0].verdict is Verdict.NO_VERDICT
    assert "best__seed" not in {metric.name for metric in results.metrics}
