"""Behaves like the command line of a commercial tool: takes its options, refuses others, leaves its logs.

Called as `fake_tool.py TOOL LOGS TAG ARGUMENT...`; TAG is `pass` or `fail`. Tools that run Tcl run it in a
real interpreter in which every command of the tool exists and does nothing.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

FLAGS, ONE = 0, 1
OPTIONS: dict[str, dict[str, int]] = {
    "vcs": {
        **dict.fromkeys(("-full64", "-sverilog", "-licqueue", "-debug_access+all"), FLAGS),
        **dict.fromkeys(("-ntb_opts", "-cm", "-top", "-l", "-o"), ONE),
    },
    "simv": {"-licqueue": FLAGS, "-debug_access+all": FLAGS, "-l": ONE, "-cm": ONE},
    "xrun": {
        **dict.fromkeys(("-64bit", "-elaborate", "-sv", "-uvm", "-R", "-licqueue", "-covoverwrite"), FLAGS),
        **dict.fromkeys(("-timescale", "-coverage", "-access", "-define", "-incdir", "-top", "-l"), ONE),
        **dict.fromkeys(("-xmlibdirname", "-snapshot", "-covtest", "-covworkdir", "-svseed"), ONE),
    },
    "vlib": {},
    "vlog": {"-64": FLAGS, "-sv": FLAGS, "-work": ONE, "-timescale": ONE, "-l": ONE},
    "vopt": {"-64": FLAGS, "-work": ONE, "-o": ONE, "-l": ONE},
    "vsim": {
        "-64": FLAGS,
        "-c": FLAGS,
        **dict.fromkeys(("-work", "-sv_seed", "-l", "-onfinish", "-do"), ONE),
    },
    "dc_shell": {"-64bit": FLAGS, "-f": ONE, "-output_log_file": ONE},
    "genus": {"-batch": FLAGS, "-no_gui": FLAGS, "-files": ONE, "-log": ONE},
    "pt_shell": {"-file": ONE, "-output_log_file": ONE},
    "tempus": {"-nowin": FLAGS, "-init": ONE, "-log": ONE},
    "innovus": {"-no_gui": FLAGS, "-batch": FLAGS, "-files": ONE, "-log": ONE},
    "spectre": {
        "-64": FLAGS,
        **dict.fromkeys(("-format", "-raw", "-maxw", "-maxn", "+log", "+lqtimeout"), ONE),
    },
    "calibre": {"-drc": FLAGS, "-lvs": FLAGS, "-hier": FLAGS, "-turbo": ONE, "-spice": ONE},
}
TCL = ("-f", "-files", "-file", "-init")
UNKNOWN = """
set calls [open calls.log a]
proc unknown {name args} { puts $::calls [list $name {*}$args]; flush $::calls; return {} }
proc source args { unknown source {*}$args }
"""


LOG_OPTION = {"simv": "-l", "xrun": "-l", "vsim": "-l", "spectre": "+log"}
"""Which option says where the log of a run goes."""
BUILD_LOG = "Parsing design file\nTop Level Modules\n"


def main(tool: str, logs: Path, tag: str, arguments: list[str]) -> int:
    with Path(os.environ["CALLS"]).open("a") as calls:
        calls.write(json.dumps([tool, *arguments]) + "\n")
    given = read_options(tool, arguments)
    if given is None:
        return 2
    for option in TCL:
        if option in given:
            return run_tcl(logs / tag, given[option][0])
    if tool in ("vcs", "vlib", "vlog", "vopt") or "-elaborate" in given:
        build(tool, given, arguments, (logs, tag))
        return 0
    if tool == "calibre":
        shutil.copytree(logs / tag, ".", dirs_exist_ok=True)
        print((logs / tag / "calibre.log").read_text(), end="")
        return 0
    write(given[LOG_OPTION[tool]], (logs / f"{tag}.log").read_text())
    if tool == "spectre" and tag == "pass":
        shutil.copy(logs / "input.measure", ".")
    return int(tag == "fail" and tool in ("vsim", "spectre"))


def read_options(tool: str, arguments: list[str]) -> dict[str, list[str]] | None:
    """Each option with its values; None for an option that the tool does not have."""
    given, rest, known = {}, list(arguments), OPTIONS[tool]
    while rest:
        word = rest.pop(0)
        if word in known:
            given[word] = [rest.pop(0) for _ in range(known[word])]
        elif word.startswith("-") and not word.startswith(("-Mdir=", "-timescale=")):
            print(f"{tool}: unknown option {word}")
            return None
    return given


def build(tool: str, given: dict[str, list[str]], arguments: list[str], fixtures: tuple[Path, str]) -> None:
    if tool == "vlib":
        Path(arguments[0]).mkdir(parents=True)
        return
    write(given["-l"], BUILD_LOG)
    if tool == "vcs":
        wrap(Path(given["-o"][0]), "simv", Path(sys.argv[0]).resolve(), *fixtures)


def run_tcl(fixtures: Path, script: str) -> int:
    """Run it for real, then leave what such a run leaves; a Tcl error ends it with a message."""
    prelude = Path("prelude.tcl")
    prelude.write_text(UNKNOWN + Path(script).read_text())
    ended = subprocess.run(["tclsh", str(prelude)], capture_output=True, text=True, check=False)
    shutil.copytree(fixtures, ".", dirs_exist_ok=True)
    if ended.returncode:
        sys.stderr.write(ended.stderr)
    return ended.returncode


def write(path: list[str], text: str) -> None:
    Path(path[0]).parent.mkdir(parents=True, exist_ok=True)
    Path(path[0]).write_text(text)


def wrap(path: Path, tool: str, fake: Path, logs: Path, tag: str) -> None:
    """A program of that name that is this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/bash\nexec "{sys.executable}" "{fake}" {tool} "{logs}" {tag} "$@"\n')
    path.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]))
