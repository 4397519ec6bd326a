"""Starts somebody's own program in a job of ours: without a shell, and it does not outlive us."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_STARTERS = {".py": [sys.executable, "-u"], ".sh": ["bash"]}


def start_program(
    program: str,
    arguments: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    *,
    stderr: int | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a file of `program/`, or one with an absolute path, in a folder, with more variables.

    Raises:
        OSError: it cannot be started.
    """
    path = Path("program", program).absolute()
    control_process = ctypes.CDLL(None).prctl
    return subprocess.Popen(  # noqa: S603 - the tenant's own program, no shell
        [*_STARTERS.get(path.suffix, []), str(path), *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stderr=stderr,
        preexec_fn=lambda: control_process(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - no threads yet
    )
