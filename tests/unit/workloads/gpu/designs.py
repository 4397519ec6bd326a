"""Small netlists and a small library whose timing can be worked out by hand."""

from collections.abc import Mapping

from workloads.gpu.kernels.liberty import Arc, Cell, Pin
from workloads.gpu.kernels.netlist import read_netlist
from workloads.gpu.kernels.tables import Table
from workloads.gpu.kernels.timing_graph import TimingGraph, build_timing_graph

C17 = """module c17(N1, N2, N3, N6, N7, N22, N23);
  input N1, N2, N3, N6, N7;
  output N22, N23;
  wire N10, N11, N16, N19;
  nand NAND2_1 (N10, N1, N3);
  nand NAND2_2 (N11, N3, N6);
  nand NAND2_3 (N16, N2, N11);
  nand NAND2_4 (N19, N11, N7);
  nand NAND2_5 (N22, N10, N16);
  nand NAND2_6 (N23, N16, N19);
endmodule
"""


def constant(value: float) -> tuple[Table, ...]:
    return (Table((0.0,), (0.0,), ((value,),)),)


def cell(name: str, delays_ns: Mapping[str, float]) -> Cell:
    """An output Y and inputs with delays that depend on nothing."""
    arcs = tuple(Arc(pin, constant(delay), constant(0.1)) for pin, delay in delays_ns.items())
    inputs = {pin: Pin(pin, is_output=False, capacitance=0.001) for pin in delays_ns}
    function = "&".join(delays_ns)
    return Cell(name, is_sequential=False, pins={**inputs, "Y": Pin("Y", True, 0.0, function, arcs=arcs)})


LIBRARY = {one.name: one for one in (cell("BUF", {"A": 1.0}), cell("AND2", {"A": 1.0, "B": 1.0}))}


def graph(verilog: str, library: Mapping[str, Cell] = LIBRARY) -> TimingGraph:
    return build_timing_graph(
        read_netlist(verilog), library, input_slew_ns=0.1, wire_capacitance_pf=0.0, output_load_pf=0.0
    )


def chain(length: int) -> str:
    stages = "".join(f"  BUF b{n} (.A(n{n}), .Y(n{n + 1}));\n" for n in range(length))
    return f"module chain(input n0, output n{length});\n{stages}endmodule\n"


def parallel(paths: int) -> str:
    """So many paths of one stage, each to an output of its own."""
    ports = ", ".join(f"output y{n}" for n in range(paths))
    stages = "".join(f"  BUF b{n} (.A(a), .Y(y{n}));\n" for n in range(paths))
    return f"module parallel(input a, {ports});\n{stages}endmodule\n"
