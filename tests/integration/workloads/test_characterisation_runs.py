"""The characterisation template's script on the real ngspice; its library in OpenSTA and Yosys."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.workloads.runner import run_all
from workloads.eda.characterisation import Characterisation
from workloads.scripts import shipped
from workloads.template import Results, Verdict

TEMPLATE = Characterisation()
BY_HAND = """NAND gate, b toggles while a is high: slew 0.05 ns (20 to 80 %), load 5 fF
.lib "devices.lib" ff
.include "cells.sp"
.temp 0
vdd vdd 0 1.32
va a 0 1.32
vb b 0 pulse(0 1.32 0.2n 0.0833333n 0.0833333n 1.9166667n 10n)
xgate a b y vdd 0 nand2_x1
cload y 0 5f
.tran 0.2p 4.2n 0 0.2p
.meas tran fall_delay trig v(b) val=0.66 rise=1 targ v(y) val=0.66 fall=1
.meas tran rise_delay trig v(b) val=0.66 fall=1 targ v(y) val=0.66 rise=1
.meas tran fall_time trig v(y) val=1.056 fall=1 targ v(y) val=0.264 fall=1
.meas tran rise_time trig v(y) val=0.264 rise=1 targ v(y) val=1.056 rise=1
.end
"""
STA = """
read_liberty liberty/characterised.lib
read_verilog netlist.v
link_design top
create_clock -name c -period 10
set_input_delay 0 -clock c [get_ports {a b}]
set_output_delay 0 -clock c [get_ports y]
set_input_transition 0.05 [get_ports {a b}]
set_load 0.005 [get_ports y]
report_checks -from [get_ports b] -rise_to [get_ports y] -digits 6
report_checks -from [get_ports b] -fall_to [get_ports y] -digits 6
"""
NETLIST = "module top(input a, b, output y); nand2_x1 g(.a(a), .b(b), .y(y)); endmodule\n"


def characterise(workspace: Path, **raw: object) -> tuple[list[int], Results]:
    params = TEMPLATE.validate(raw)
    ended = run_all(workspace, TEMPLATE.render(params))
    return [one.exit_code for one in ended.values()], TEMPLATE.parse(workspace, params)


def by_hand(folder: Path) -> dict[str, float]:
    (folder / "cells.sp").write_text(shipped("characterisation/cells.sp"))
    (folder / "devices.lib").write_text(shipped("spice/devices.lib"))
    (folder / "hand.cir").write_text(BY_HAND)
    log = subprocess.check_output(
        ["ngspice", "-b", "hand.cir"], cwd=folder, text=True, stderr=subprocess.STDOUT
    )
    return {
        name: 1e9 * float(value)
        for name, value in re.findall(r"^(\w+_\w+) += +(\S+) targ", log, re.MULTILINE)
    }


def tables(workspace: Path, cell: str, pin: str) -> dict[str, list[list[float]]]:
    """What the library holds of a pin's first arc: rows by slew, columns by load, in ns."""
    text = (workspace / "liberty/characterised.lib").read_text()
    [body] = re.findall(rf"  cell \({cell}\) {{\n(.*?)\n  }}\n", text, re.DOTALL)
    arc = body.split(f'related_pin : "{pin}"')[1]
    return {
        name: [[float(value) for value in row.split(",")] for row in re.findall(r'"(.*?)"', values)]
        for name, values in re.findall(
            r"(\w+) \(timing\) {\s+values \((.*?)\);", arc.split("timing ()")[0], re.DOTALL
        )
    }


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int], Results]:
    workspace = tmp_path_factory.mktemp("cells")
    return workspace, *characterise(workspace, corner="ff", voltage=1.32, temperature=0)


def test_delays_and_transitions_equal_ngspice_run_by_hand(
    tmp_path: Path, library: tuple[Path, list[int], Results]
) -> None:
    """Tolerance: 1 % of the value, for the hand-written deck steps three times as finely."""
    workspace, codes, results = library
    assert codes == [0, 0, 0, 0]
    own, found = by_hand(tmp_path), tables(workspace, "nand2_x1", "b")
    assert found["cell_fall"][1][1] == pytest.approx(own["fall_delay"], rel=0.01)
    assert found["cell_rise"][1][1] == pytest.approx(own["rise_delay"], rel=0.01)
    assert found["fall_transition"][1][1] == pytest.approx(own["fall_time"], rel=0.01)
    assert found["rise_transition"][1][1] == pytest.approx(own["rise_time"], rel=0.01)
    for table in found.values():
        assert all(row == sorted(row) for row in table), "a larger load is slower"
    shown = {row[:4]: row[4:] for row in results.tables[1].rows}["nand2_x1", "b", "a", "fall"]
    values = [value for row in found["cell_fall"] for value in row]
    assert shown[:2] == pytest.approx((min(values), max(values)), rel=1e-5)


def test_opensta_reads_the_library_and_finds_the_table_s_delays(
    library: tuple[Path, list[int], Results],
) -> None:
    """Tolerance: 1e-6 ns, the digits that OpenSTA prints; the table's own have six."""
    workspace, _, _ = library
    (workspace / "netlist.v").write_text(NETLIST)
    (workspace / "run.tcl").write_text(STA)
    log = subprocess.check_output(["sta", "-no_splash", "-exit", "run.tcl"], cwd=workspace, text=True)
    assert not re.search("error|warning", log, re.IGNORECASE), log
    arrivals = [float(value) for value in re.findall(r"^ +(\S+) +data arrival time$", log, re.MULTILINE)]
    found = tables(workspace, "nand2_x1", "b")
    expected = [found["cell_rise"][1][1], found["cell_fall"][1][1]]
    assert [value for value in arrivals if value > 0] == pytest.approx(expected, abs=2e-6)


def test_yosys_maps_to_the_library_s_cells(library: tuple[Path, list[int], Results]) -> None:
    workspace, _, _ = library
    (workspace / "and.v").write_text(
        "module top(input a, b, c, output y); assign y = !((a & b) | c); endmodule\n"
    )
    script = "read_verilog and.v; synth -top top; abc -liberty liberty/characterised.lib; stat"
    log = subprocess.check_output(["yosys", "-p", script], cwd=workspace, text=True)
    assert re.search(r"aoi21_x1 +1\n", log)


def test_an_output_that_has_not_settled_fails_and_leaves_no_cell(tmp_path: Path) -> None:
    codes, results = characterise(tmp_path, cells=["inv_x1 y=!a"], loads_pf=[0.001, 0.9], window_ns=1)
    [task] = results.tasks
    assert codes == [1]
    assert task.verdict is Verdict.FAIL
    assert not list((tmp_path / "liberty").rglob("*.lib"))


def test_an_error_of_ngspice_is_found_with_its_words(tmp_path: Path) -> None:
    codes, results = characterise(tmp_path, cells=["inv_x1 y=!a"], corner="nothing")
    [task] = results.tasks
    assert codes == [1]
    assert task.failure
    assert task.failure.line
    assert (tmp_path / task.failure.file).exists()


def test_what_a_netlist_holds_is_never_run(tmp_path: Path) -> None:
    text = shipped("characterisation/cells.sp") + "* $(touch INJECTED) `touch INJECTED`\n"
    sources = {"cells.sp": text, "devices.lib": shipped("spice/devices.lib")}
    codes, _ = characterise(tmp_path, sources=sources, cells=["inv_x1 y=!a"])
    assert codes == [0]
    assert not list(tmp_path.rglob("INJECTED*"))
