"""Commands that need root: run as they are by root, through sudo by everybody else."""

import os
import shutil
import subprocess

from scripts.slurm_cluster.errors import CommandFailed, NotPrivileged


def as_root(*command: str) -> list[str]:
    """The command, with sudo in front where needed.

    Raises:
        NotPrivileged: we are not root and there is no sudo.
    """
    if os.geteuid() == 0:
        return list(command)
    if shutil.which("sudo"):
        return ["sudo", *command]
    raise NotPrivileged


def run_as_root(*command: str, stdin: str | None = None, timeout_seconds: float = 120) -> str:
    """What the command printed.

    Raises:
        CommandFailed: its exit code is not 0.
        NotPrivileged: see `as_root`.
    """
    ended = subprocess.run(  # noqa: S603 - commands of this package
        as_root(*command),
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    if ended.returncode:
        raise CommandFailed(command, ended.returncode, ended.stdout, ended.stderr)
    return ended.stdout
