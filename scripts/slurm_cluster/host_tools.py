"""The machine's own chip-design tools as the cluster's jobs see them: of one version with the other nodes'.

Programs of an older Debian run on the libraries of a newer one; of what a program needs only those libraries
are the machine's that the root has not.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from scripts.slurm_cluster.binds import Bind

_PROGRAMS = (
    "berkeley-abc",
    "iverilog",
    "ngspice",
    "sta",
    "verilator",
    "verilator_bin",
    "verilator_coverage",
    "vvp",
    "yosys",
    "yosys-abc",
    "yosys-smtbmc",
    "z3",
)
_DATA = (
    "/usr/lib/*/ivl",
    "/usr/lib/*/ngspice",
    "/usr/share/ngspice",
    "/usr/share/qflow",
    "/usr/share/tcltk",
    "/usr/share/verilator",
    "/usr/share/yosys",
)
"""What the programs read besides libraries: code generators, cell libraries, start files."""
_SYSTEM_PATH = "/usr/bin"
"""Debian's own tools only: others may stand on anything."""


def host_tools(root: Path) -> list[Bind]:
    """Those that this machine has, to read; [] on one that has none."""
    programs = [Path(found) for name in _PROGRAMS if (found := shutil.which(name, path=_SYSTEM_PATH))]
    libraries = sorted({library for program in programs for library in _libraries(program)})
    missing = [path for path in libraries if not os.path.lexists(root / str(path)[1:])]
    data = [found for pattern in _DATA for found in sorted(Path("/").glob(pattern[1:]))]
    return [Bind(path) for path in (*programs, *missing, *data)]


def _libraries(program: Path) -> Iterator[Path]:
    """Where the loader finds them; a script or a static program has none."""
    said = subprocess.run(  # noqa: S603 - Debian's own programs
        ["/usr/bin/ldd", program], capture_output=True, text=True, check=False, env={"LC_ALL": "C"}
    ).stdout
    for line in said.splitlines():
        _, _, found = line.partition(" => ")
        if found.startswith("/"):
            path = Path(found.partition(" (")[0])
            yield path.parent.resolve() / path.name
