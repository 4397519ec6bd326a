"""Structural Verilog as synthesis tools write it, and what is not that."""

import pytest

from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.netlist import read_netlist


def test_vectors_concatenations_constants_and_escaped_names_become_bits() -> None:
    found = read_netlist(
        """// a comment
        `timescale 1ns/1ps
        (* top = 1 *)
        module m(a, y);
          input [1:0] a;
          output [0:1] y;  /* another */
          wire \\n[7]$x ;
          INV i1 (.A(a[1]), .Y(\\n[7]$x ));
          assign {y[0], y[1]} = {\\n[7]$x , 1'b1};
        endmodule"""
    )
    assert (found.inputs, found.outputs) == (("a[1]", "a[0]"), ("y[0]", "y[1]"))
    assert found.instances[0].pins == {"A": "a[1]", "Y": "n[7]$x"}
    assert [one.pins for one in found.instances[1:]] == [
        {"Y": "y[0]", "A0": "n[7]$x"},
        {"Y": "y[1]", "A0": "1'b1"},
    ]


def test_ports_may_be_declared_in_the_header_and_pins_left_open() -> None:
    found = read_netlist(
        "module m(input wire [1:0] a, input b, output y);FA u (.A(b), .CO(), .S(y)); endmodule"
    )
    assert found.inputs == ("a[1]", "a[0]", "b")
    assert found.instances[0].pins == {"A": "b", "S": "y"}


def test_primitives_name_their_output_first_and_buffers_may_have_several() -> None:
    found = read_netlist("module m(a,b,x,y,z); input a,b; output x,y,z;nand (x,a,b); not n(y,z,a); endmodule")
    assert [one.pins for one in found.instances] == [
        {"Y": "x", "A0": "a", "A1": "b"},
        {"Y": "y", "A0": "a"},
        {"Y": "z", "A0": "a"},
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'the end' where 'module' must stand"),
        ("module m; always @(posedge c) q <= d; endmodule", "'@' has no place in a structural netlist"),
        ("module m(input a); INV u (a); endmodule", "'a' where '.' must stand"),
        ("module m(input a);\nINV u (.A(a)", "line 2: the text ends|line 2: 'the end'"),
        ("module m; endmodule module n; endmodule", "flatten the design first"),
        ("module m(input [3:0] a, output y); INV u (.A(a), .Y(y)); endmodule", "4 bits where one must stand"),
        ("module m(input [3:0] a, output y); INV u (.A(a[4]), .Y(y)); endmodule", "outside what is declared"),
        ("module m(input [99999999:0] a); endmodule", "more than 1000000 bits|where an index must stand"),
        ("module m(output y); assign y = 'hf; endmodule", "has no place|where a name must stand"),
        ("module m(output y); assign y = 2'b10; endmodule", "2 bits are assigned to 1"),
        ("module m(input a); \\", "has no place"),
    ],
)
def test_other_text_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        read_netlist(text)
