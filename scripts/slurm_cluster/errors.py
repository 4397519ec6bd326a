"""What can go wrong around a test cluster.

SlurmClusterError
├── NotPrivileged      neither root nor sudo
├── RootNotBuilt       debootstrap failed
├── ClusterFailed      an instance did not start, or a daemon died; carries the end of its log
├── NotRunning         there is no such instance
└── CommandFailed      a command inside answered with an error
"""

from collections.abc import Sequence
from pathlib import Path


class SlurmClusterError(Exception):
    """Root of this tree."""


class NotPrivileged(SlurmClusterError):
    """Namespaces, mounts and slurmd need root."""

    def __init__(self) -> None:
        super().__init__("The Slurm test cluster needs root: run this as root, or install sudo.")


class RootNotBuilt(SlurmClusterError):
    """The Debian root could not be made; what debootstrap said is in the message."""


class ClusterFailed(SlurmClusterError):
    """Something that should run does not."""

    def __init__(self, problem: str, log: Path | None = None) -> None:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:]) if log and log.exists() else ""
        super().__init__(f"{problem}\n{tail}".strip())


class NotRunning(SlurmClusterError):
    """Start it first."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No Slurm cluster {name} is running: `make slurm-up` starts one.")


class CommandFailed(SlurmClusterError):
    """Keeps the exit code and both outputs."""

    def __init__(self, command: Sequence[str], code: int, stdout: str, stderr: str) -> None:
        super().__init__(f"{' '.join(command)} ended with {code}: {(stderr or stdout).strip()}")
        self.code = code
        self.stdout = stdout
        self.stderr = stderr
