"""Static timing of small designs by hand, and the designs that it refuses."""

import pytest

from tests.unit.workloads.gpu.designs import LIBRARY, cell, chain, constant, graph
from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.liberty import Arc, Cell, Pin
from workloads.gpu.kernels.netlist import read_netlist
from workloads.gpu.kernels.tables import Table
from workloads.gpu.kernels.timing_graph import build_timing_graph

FLIP_FLOP = Cell(
    "DFF",
    is_sequential=True,
    pins={
        "CK": Pin("CK", False, 0.001, is_clock=True),
        "D": Pin("D", False, 0.001, setup_ns=0.25),
        "Q": Pin("Q", True, 0.0, arcs=(Arc("CK", constant(0.5), constant(0.1)),)),
    },
)


def test_a_chain_adds_its_stages() -> None:
    assert graph(chain(5)).nominal_ns == 5
    assert len(graph(chain(5)).levels) == 5


def test_a_path_from_flip_flop_to_flip_flop_has_clock_to_q_logic_and_set_up() -> None:
    verilog = """module m(input clk, d, output q);
      wire q1, n;
      DFF a (.CK(clk), .D(d), .Q(q1));
      BUF b (.A(q1), .Y(n));
      DFF c (.CK(clk), .D(n), .Q(q));
    endmodule"""
    timing = graph(verilog, LIBRARY | {"DFF": FLIP_FLOP})
    assert timing.nominal_ns == pytest.approx(0.5 + 1 + 0.25)
    assert {one.name for one in timing.endpoints} == {"q", "a/D", "c/D"}


def test_a_stage_s_load_is_its_pins_and_its_wires() -> None:
    slope = Cell(
        "SLOPE",
        is_sequential=False,
        pins={
            "A": Pin("A", False, 0.01),
            "Y": Pin("Y", True, 0.0, arcs=(Arc("A", (Table((0.0,), (0.0, 1.0), ((0.0, 100.0),)),), ()),)),
        },
    )
    verilog = """module m(input a, output x, y);
      wire n;
      SLOPE s (.A(a), .Y(n));
      BUF b (.A(n), .Y(x));
      BUF c (.A(n), .Y(y));
    endmodule"""
    timing = build_timing_graph(
        read_netlist(verilog),
        LIBRARY | {"SLOPE": slope},
        input_slew_ns=0.1,
        wire_capacitance_pf=0.002,
        output_load_pf=0.0,
    )
    assert timing.nominal_ns == pytest.approx(100 * 2 * (0.001 + 0.002) + 1)


def test_a_constant_input_starts_no_path() -> None:
    verilog = "module m(input a, output y); AND2 g (.A(a), .B(1'b1), .Y(y)); endmodule"
    assert graph(verilog, {"AND2": cell("AND2", {"A": 1.0, "B": 9.0})}).nominal_ns == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("BUF b (.A(n), .Y(y));", "net n has no driver"),
        ("BUF b (.A(a), .Y(y)); BUF c (.A(a), .Y(y));", "net y has two drivers"),
        ("BUF b (.A(a), .Y(a));", "net a has two drivers"),
        ("BUF b (.A(y), .Y(n)); BUF c (.A(n), .Y(y));", "combinational loop"),
        ("OAI b (.A(a), .Y(y));", "line 1: the cell OAI is not in the library"),
        ("BUF b (.B(a), .Y(y));", "the cell BUF has no pin B"),
        ("BUF b (.A(1'b0), .Y(y));", "no path leads"),
        ("", "net y has no driver"),
    ],
)
def test_a_design_that_cannot_be_timed_is_refused_in_words(body: str, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        graph(f"module m(input a, output y); wire n; {body} endmodule")
