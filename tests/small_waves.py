"""Waveforms for tests: one that can be read with bare eyes, and those that real simulators write."""

import subprocess
from pathlib import Path

VCD = b"""$timescale 1ns $end
$scope module tb $end
$var wire 1 ! clk $end
$var reg 8 " count $end
$var event 1 # tick $end
$scope module dut $end
$var wire 4 $ state $end
$var real 64 % load $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
0!
bx "
bz $
r0.5 %
#10
1!
b11111110 "
#20
0!
1#
b1x0z $
#30
1!
b101 "
r2.25 %
#40
0!
#100
"""
"""Ends at 100 ns; `count` is unknown, then 254 from 10 ns, then 5 from 30 ns."""

_COUNTER = """
`timescale 1ns/1ps
module stage(input clk, input [31:0] d, output reg [31:0] q);
  always @(posedge clk) q <= d;
endmodule
module tb;
  reg clk = 0; reg [31:0] count = 0; reg [127:0] wide; reg late; wire [31:0] q; wire [3:0] low = count[3:0];
  real load = 0; reg [63:0] cycles; string path;
  stage dut(.clk(clk), .d(count), .q(q));
  always #1 clk = ~clk;
  always @(posedge clk) begin
    count <= count + 1; wide <= {4{count}}; load <= load + 0.5;
    if (count == 10) late <= 1;
  end
  initial begin
    if (!$value$plusargs("cycles=%d", cycles)) cycles = 100;
    if ($value$plusargs("waves=%s", path)) $dumpfile(path);
    $dumpvars(0, tb);
    repeat (cycles) @(posedge clk);
    $finish;
  end
endmodule
"""
_VHDL = """
library ieee; use ieee.std_logic_1164.all; use ieee.numeric_std.all;
entity bench is end;
architecture test of bench is
  type state is (idle, busy);
  signal clk : std_logic := '0'; signal count : unsigned(7 downto 0) := (others => '0');
  signal now_in : state := idle; signal unset : std_logic;
begin
  process begin
    for cycle in 1 to 4 loop
      wait for 5 ns; clk <= not clk; count <= count + 1; now_in <= busy;
    end loop;
    wait;
  end process;
end;
"""


def icarus_waves(folder: Path, *, cycles: int, forms: tuple[str, ...] = ("vcd", "fst")) -> dict[str, Path]:
    """What Icarus Verilog writes of a counter of so many cycles of 2 ns, by form."""
    source, program = folder / "counter.sv", folder / "counter.vvp"
    source.write_text(_COUNTER)
    _run(folder, "iverilog", "-g2012", "-o", program.name, source.name)
    found = {}
    for form in forms:
        found[form] = folder / f"counter.{form}"
        options = ["-fst"] if form == "fst" else []
        _run(folder, "vvp", "-n", program.name, *options, f"+cycles={cycles}", f"+waves={found[form].name}")
    return found


def ghdl_waves(folder: Path) -> Path:
    """What GHDL writes in its own form of a bench of 20 ns."""
    (folder / "bench.vhd").write_text(_VHDL)
    for order in (["-a", "bench.vhd"], ["-e", "bench"], ["-r", "bench", "--wave=bench.ghw"]):
        _run(folder, "ghdl", order[0], "--std=08", *order[1:])
    return folder / "bench.ghw"


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
