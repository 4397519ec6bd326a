"""The FPGA template's rendered script on the real tools, beside the tools run by hand."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.workloads.runner import run_all
from workloads.eda.fpga import Fpga
from workloads.template import Results, Verdict

TEMPLATE = Fpga()
TWO_CLOCKS = """\
module two(input a, b, output reg [3:0] x, y);
  reg [7:0] memory [0:511];
  reg [8:0] place = 0;
  reg [7:0] word;
  always @(posedge a) begin
    place <= place + 1;
    memory[place] <= place[7:0] ^ word;
    word <= memory[place + 3];
    x <= word[3:0];
  end
  always @(posedge b) y <= y * 5 + 1 + x;
endmodule
"""
PART = {"device": "hx1k", "package": "tq144"}
DESIGN = {"sources": {"two.v": TWO_CLOCKS}, "top": "two", **PART}


def build(workspace: Path, **raw: object) -> tuple[list[int], Results]:
    params = TEMPLATE.validate(raw)
    ended = run_all(workspace, TEMPLATE.render(params))
    return [one.exit_code for one in ended.values()], TEMPLATE.parse(workspace, params)


def values(results: Results, index: int = 0) -> dict[str, float]:
    return {metric.name: metric.value for metric in results.tasks[index].metrics}


def by_hand(folder: Path, seed: int) -> tuple[dict[str, float], bytes]:
    (folder / "two.v").write_text(TWO_CLOCKS)
    for command in (
        ["yosys", "-q", "-p", "read_verilog -sv two.v; synth_ice40 -top two -json two.json"],
        [
            *("nextpnr-ice40", "--hx1k", "--package", "tq144", "--freq", "50", "--seed", str(seed)),
            *("--json", "two.json", "--asc", "two.asc", "--report", "two.report", "-l", "two.log"),
        ],
        ["icepack", "two.asc", "two.bin"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    report = json.loads((folder / "two.report").read_text())
    timing = subprocess.check_output(["icetime", "-d", "hx1k", "two.asc"], cwd=folder, text=True)
    found = re.search(r"Timing estimate: ([\d.]+) ns", timing)
    assert found
    clocks = {name[0]: facts["achieved"] for name, facts in report["fmax"].items()}
    return {
        "fmax__clock:a": clocks["a"],
        "fmax__clock:b": clocks["b"],
        "logic_cells__used": report["utilization"]["ICESTORM_LC"]["used"],
        "block_rams__used": report["utilization"]["ICESTORM_RAM"]["used"],
        "block_rams__available": report["utilization"]["ICESTORM_RAM"]["available"],
        "icetime__longest_path": float(found[1]),
    }, (folder / "two.bin").read_bytes()


def test_seeds_equal_the_tools_run_by_hand_and_the_fastest_is_kept(tmp_path: Path) -> None:
    """No tolerance: the same numbers, and the same bit-stream byte for byte."""
    codes, results = build(tmp_path / "job", **DESIGN, frequency_mhz=50, first_seed=3, seeds=3)
    assert codes == [0, 0, 0]
    own, bitstream = by_hand(tmp_path, seed=4)
    assert own.items() <= values(results, 1).items()
    assert (tmp_path / "job/bitstreams/1.bin").read_bytes() == bitstream
    assert values(results)["registers__used"] == 9 + 4 + 4, "the word is inside the memory"
    margins = [
        min(value for name, value in values(results, n).items() if name.startswith("margin"))
        for n in range(3)
    ]
    assert len(set(margins)) == 3, "the seeds differ"
    best = margins.index(max(margins))
    found = {metric.name: metric.value for metric in results.metrics}
    assert found["best__seed"] == 3 + best
    assert (tmp_path / "job/bitstreams/best.bin").read_bytes() == (
        tmp_path / f"job/bitstreams/{best}.bin"
    ).read_bytes()


def test_a_clock_with_a_target_of_its_own_fails_by_its_name_and_the_other_passes(tmp_path: Path) -> None:
    pins = "set_frequency a 20\nset_frequency b 900\n"
    codes, results = build(tmp_path, **DESIGN, pins=pins, free_pins=True, seeds=1)
    [task] = results.tasks
    assert codes == [1]
    assert task.failure
    assert task.failure.signature == "clock b misses its target"
    assert (tmp_path / task.failure.file).read_text().splitlines()[
        task.failure.line_number - 1
    ] == task.failure.line
    assert next(row[3:] for row in results.tables[0].rows if row[1] == "a") == (20, "PASS")
    assert (tmp_path / "bitstreams/best.bin").exists(), "it may still be tried on the board"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param({"top": "nothing"}, "nothing", id="no such module"),
        pytest.param({"pins": "set_io clk 999\n"}, "does not have a pin named '999'", id="no such pin"),
        pytest.param({"pins": "set_io clk 21\n"}, "unconstrained", id="a port without a pin"),
        pytest.param({"pins": "nonsense\n"}, "nonsense", id="no constraints file"),
    ],
)
def test_an_error_of_a_tool_is_found_with_its_words(tmp_path: Path, raw: dict[str, str], words: str) -> None:
    codes, results = build(tmp_path, seeds=1, **PART, **raw)
    [task] = results.tasks
    assert codes == [2]
    assert task.verdict is Verdict.FAIL
    assert task.failure
    assert words in task.failure.line
