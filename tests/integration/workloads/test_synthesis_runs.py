"""The synthesis template's rendered script on the real Yosys and OpenSTA, beside the tools run by hand."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.workloads.runner import run_all
from workloads.eda.synthesis import Synthesis
from workloads.scripts import shipped
from workloads.template import Results, Verdict

TEMPLATE = Synthesis()
LIBERTY = "/usr/share/qflow/tech/osu018/osu018_stdcells.lib"
YOSYS_BY_HAND = f"""
read_verilog -sv fifo.sv
chparam -set WIDTH 4 fifo
hierarchy -check -top fifo
synth -flatten -top fifo
dfflibmap -liberty {LIBERTY}
abc -liberty {LIBERTY} -D 2000 -constr abc.constr
setundef -zero
splitnets
opt_clean -purge
stat -liberty {LIBERTY}
write_verilog -noattr -noexpr -nohex -nodec netlist.v
"""
STA_BY_HAND = f"""
read_liberty {LIBERTY}
read_verilog netlist.v
link_design fifo
create_clock -name clk -period 2 [get_ports clk]
set_input_delay 0 -clock clk [list [get_ports rst_n] [get_ports push] [get_ports pop] [get_ports wdata]]
set_driving_cell -lib_cell BUFX4 [all_inputs]
set_output_delay 0 -clock clk [all_outputs]
set_load 0.05 [all_outputs]
report_worst_slack -digits 6
report_tns -digits 6
"""


def synthesise(workspace: Path, **raw: object) -> tuple[list[int], Results]:
    params = TEMPLATE.validate(raw)
    ended = run_all(workspace, TEMPLATE.render(params))
    return [one.exit_code for one in ended.values()], TEMPLATE.parse(workspace, params)


def values(results: Results, index: int = 0) -> dict[str, float]:
    return {metric.name: metric.value for metric in results.tasks[index].metrics}


def by_hand(folder: Path) -> dict[str, float]:
    (folder / "fifo.sv").write_text(shipped("fifo/fifo.sv"))
    (folder / "abc.constr").write_text("set_driving_cell BUFX4\nset_load 0.05 [all_outputs]\n")
    (folder / "run.ys").write_text(YOSYS_BY_HAND)
    (folder / "run.tcl").write_text(STA_BY_HAND)
    log = subprocess.check_output(["yosys", "run.ys"], cwd=folder, text=True)
    log += subprocess.check_output(["sta", "-no_splash", "-exit", "run.tcl"], cwd=folder, text=True)
    patterns = {
        "design__instance__area": r"Chip area for module '\\fifo': ([\d.]+)",
        "design__instance__count": r"Number of cells: +(\d+)",
        "timing__setup__ws": r"worst slack (\S+)",
        "timing__setup__tns": r"tns (\S+)",
    }
    return {name: float(re.findall(pattern, log)[-1]) for name, pattern in patterns.items()}


def test_a_sweep_equals_the_tools_run_by_hand_and_a_slower_clock_has_more_slack(tmp_path: Path) -> None:
    """Tolerance: area and cells exactly; slack within 1e-5 ns, the digits that the tool prints."""
    codes, results = synthesise(
        tmp_path / "job",
        clock_periods_ns=[2, 6],
        parameter_sets=["WIDTH=4"],
        technologies=["osu018", "osu050"],
    )
    own = by_hand(tmp_path)
    found = values(results)
    assert {name: found[name] for name in own} == pytest.approx(own, abs=1e-5)
    assert (found["design__instance__area"], found["design__instance__count"]) == (
        own["design__instance__area"],
        own["design__instance__count"],
    )
    fast, slow, coarse, _ = (values(results, index)["timing__setup__ws"] for index in range(4))
    assert slow > fast > coarse, "0.5 µm is slower than 0.18 µm"
    assert codes == [0 if task.verdict is Verdict.PASS else 1 for task in results.tasks]
    assert codes == [0, 0, 1, 0]
    # 8 words of 4 bits, and three counters of 4 bits: the registers that fifo.sv declares.
    assert found["design__instance__count__class:sequential_cell"] == 8 * 4 + 3 * 4
    starts = [str(row[2]) for row in results.tables[1].rows]
    assert all(re.fullmatch(r"(read|write)_pointer\[\d\]_DFFSR/Q", start) for start in starts), starts
    assert len(starts) == 3 * 4, "the worst three of each point"


def test_late_delays_are_slower_and_violated_timing_need_not_fail(tmp_path: Path) -> None:
    codes, results = synthesise(
        tmp_path, clock_periods_ns=[2], late_derate=1.5, fail_on_slack=False, parameter_sets=["WIDTH=4"]
    )
    assert codes == [0]
    assert values(results)["timing__setup__ws"] < 0
    assert results.tasks[0].verdict is Verdict.PASS


def test_a_design_without_a_clock_is_timed_from_port_to_port(tmp_path: Path) -> None:
    sources = {"a.v": "module a(input [3:0] x, y, output [4:0] z); assign z = x + y; endmodule\n"}
    codes, results = synthesise(tmp_path, sources=sources, top="a", clock_port=None, clock_periods_ns=[5])
    assert codes == [0]
    assert 0 < values(results)["timing__setup__ws"] < 5
    assert values(results)["design__instance__count__class:sequential_cell"] == 0


def test_a_register_that_the_clock_does_not_reach_leaves_no_verdict(tmp_path: Path) -> None:
    text = "module a(input clk, other, d, output reg q, r);\n"
    text += "always @(posedge clk) q <= d;\nalways @(posedge other) r <= q;\nendmodule\n"
    _, results = synthesise(tmp_path, sources={"a.v": text}, top="a", clock_periods_ns=[5])
    failure = results.tasks[0].failure
    assert results.tasks[0].verdict is Verdict.NO_VERDICT
    assert failure
    assert failure.signature == "no verdict: There is 1 unclocked register/latch pin."


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param({"top": "nothing"}, "nothing", id="no such module"),
        pytest.param(
            {"sources": {"fifo.sv": "module fifo(input a;\nendmodule\n"}}, "syntax error", id="syntax"
        ),
        pytest.param({"driving_cell": "NOCELL"}, "NOCELL", id="no such cell"),
        pytest.param({"clock_port": "nothing"}, "nothing", id="no such clock"),
        pytest.param({"liberty": {"x.lib": "not a library"}}, "ERROR", id="no Liberty"),
    ],
)
def test_an_error_of_a_tool_is_found_whatever_its_exit_code(
    tmp_path: Path, raw: dict[str, object], words: str
) -> None:
    codes, results = synthesise(tmp_path, clock_periods_ns=[3], **raw)
    [task] = results.tasks
    assert codes == [2]
    assert task.verdict is Verdict.FAIL
    assert task.failure
    assert words in task.failure.line
