"""Run a JobSpec's script as a node would, without a scheduler: a workspace, the inputs, the variables."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from schedulers.jobspec import JobSpec

JOB_ID = UUID("018f0000-0000-7000-8000-000000000001")


@dataclass(frozen=True, slots=True)
class Ended:
    exit_code: int
    output: str


def prepare(workspace: Path, spec: JobSpec) -> None:
    workspace.mkdir(parents=True, exist_ok=True)
    for one in spec.inputs:
        target = workspace / one.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(one.content, encoding="utf-8", newline="")
    script = workspace / ".script"
    script.write_text(spec.script or "", encoding="utf-8", newline="")
    script.chmod(0o700)


def start(
    workspace: Path, spec: JobSpec, index: int = 0, path: str | None = None
) -> "subprocess.Popen[bytes]":
    """Start one task in its own process group; stdout and stderr go to `.out-INDEX`."""
    with (workspace / f".out-{index}").open("wb") as output:
        return subprocess.Popen(
            ["./.script"],
            cwd=workspace / spec.working_directory,
            env=_environment(spec, index, path or os.environ["PATH"]),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def finish(workspace: Path, process: "subprocess.Popen[bytes]", index: int = 0) -> Ended:
    code = process.wait(timeout=240)
    return Ended(code, (workspace / f".out-{index}").read_text(encoding="utf-8", errors="replace"))


def run_task(workspace: Path, spec: JobSpec, index: int = 0, path: str | None = None) -> Ended:
    return finish(workspace, start(workspace, spec, index, path), index)


def run_all(workspace: Path, spec: JobSpec) -> dict[int, Ended]:
    prepare(workspace, spec)
    return {index: run_task(workspace, spec, index) for index in spec.task_indices()}


def _environment(spec: JobSpec, index: int, path: str) -> Mapping[str, str]:
    variables = {
        "PATH": path,
        "HOME": "/nonexistent",
        "HPC_JOB_ID": str(JOB_ID),
        "OMP_NUM_THREADS": str(spec.resources.cpus_per_task),
    }
    if spec.array:
        variables |= {"HPC_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_TASK_ID": str(index)}
    return {**variables, **spec.environment}


def python_without_packages(folder: Path) -> str:
    """A PATH whose `python` has the standard library alone."""
    folder.mkdir()
    python = folder / "python"
    python.write_text(f'#!/bin/bash\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"
