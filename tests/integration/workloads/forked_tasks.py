"""Runs tasks of Python jobs one after the other, each in a process of its own, importing what is slow once.

`python forked_tasks.py MODULES PROGRAM WORKSPACE TASK ...`: MODULES, with commas, are imported first, those
with a minus before their name are hidden; then PROGRAM, words as of a shell, runs for each workspace and
task. Prints how each ended.
"""

import importlib
import os
import runpy
import shlex
import subprocess
import sys
from pathlib import Path


def run_forked(modules: str, program: str, *tasks: tuple[Path, int]) -> "subprocess.CompletedProcess[str]":
    """The exit codes are the lines of its output that begin with `ended`."""
    words = [word for workspace, task in tasks for word in (str(workspace), str(task))]
    command = [sys.executable, __file__, modules, program, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def exit_codes(ended: "subprocess.CompletedProcess[str]") -> list[int]:
    return [int(line.split()[1]) for line in ended.stdout.splitlines() if line.startswith("ended ")]


def main() -> None:
    modules, program, *rest = sys.argv[1:]
    for module in modules.split(","):
        if module.startswith("-"):
            sys.modules[module[1:]] = None  # type: ignore[assignment] # as if it was not installed
        else:
            importlib.import_module(module)
    for workspace, task in zip(rest[::2], rest[1::2], strict=True):
        process = os.fork()
        if not process:
            os._exit(run(shlex.split(program), workspace, task))
        print("ended", os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def run(program: list[str], workspace: str, task: str) -> int:
    os.chdir(workspace)
    os.environ |= {"HPC_ARRAY_TASK_ID": task, "OMP_NUM_THREADS": "1"}
    sys.argv = program
    sys.path.insert(0, str(Path(program[0]).parent))
    try:
        runpy.run_path(program[0], run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


if __name__ == "__main__":
    main()
