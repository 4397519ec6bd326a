"""Which tools the jobs of a node would not find, so that no job that needs one is sent there."""

import shutil

LOOKED_FOR = (
    "boolector",
    "cocotb-config",
    "cvc4",
    "flock",
    "g++",
    "ghdl",
    "graywolf",
    "icepack",
    "icetime",
    "iverilog",
    "magic",
    "make",
    "netgen-lvs",
    "nextpnr-ice40",
    "ngspice",
    "python",
    "qflow",
    "qrouter",
    "sta",
    "verilator",
    "verilator_coverage",
    "vvp",
    "yices-smt2",
    "yosys",
    "yosys-abc",
    "yosys-smtbmc",
    "z3",
)
"""Commands of open chip-design tools, and Python. Nothing is told of others: jobs find out themselves."""


def missing_programs(path: str) -> tuple[str, ...]:
    """Those commands that PATH does not lead to."""
    return tuple(name for name in LOOKED_FOR if shutil.which(name, path=path) is None)
