"""Which tools the jobs of a node would not find, so that no job that needs one is sent there."""

import shutil
from pathlib import Path

_COMMANDS = (
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
_PYTHON_PACKAGES = ("klayout",)
LOOKED_FOR = (*_COMMANDS, *_PYTHON_PACKAGES)
"""Commands of open chip-design tools, Python, and tools that are packages of it.

Nothing is told of others: jobs find out themselves.
"""
_PACKAGE_FOLDERS = (
    "lib/python3*/site-packages",
    "lib/python3*/dist-packages",
    "local/lib/python3*/dist-packages",
)


def missing_programs(path: str) -> tuple[str, ...]:
    """Those commands that PATH does not lead to, and those packages that its Python has not."""
    commands = [name for name in _COMMANDS if shutil.which(name, path=path) is None]
    python = shutil.which("python", path=path)
    packages = [name for name in _PYTHON_PACKAGES if python is None or not _has_package(python, name)]
    return (*commands, *packages)


def _has_package(python: str, name: str) -> bool:
    """Looked for where Python's own folders are: to ask Python itself takes a process and its start."""
    folders = [place for pattern in _PACKAGE_FOLDERS for place in Path(python).parent.parent.glob(pattern)]
    return any((folder / name).is_dir() for folder in folders)


def search_script() -> str:
    """Shell text that says, as a JSON array, which of them it finds; for nodes where nothing of ours runs."""
    return f"""\
found=
for name in {" ".join(_COMMANDS)}; do
    command -v "$name" >/dev/null && found="$found, \\"$name\\""
done
for name in {" ".join(_PYTHON_PACKAGES)}; do
    python -c "import $name" 2>/dev/null && found="$found, \\"$name\\""
done
printf '[%s]\\n' "${{found#, }}"
"""
