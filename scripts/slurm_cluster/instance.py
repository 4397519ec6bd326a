"""One running cluster: where it is, how to reach it, and how to run a command in it as somebody."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.slurm_cluster import config
from scripts.slurm_cluster.errors import NotRunning
from scripts.slurm_cluster.privilege import run_as_root

_DESCRIPTION = "instance.json"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Instance:
    """Facts that stay the same from start to stop.

    Attributes:
        keeper_started: The keeper's start time in clock ticks since boot: with it a process id names one
            process for ever, not whoever has the number later.
        tells_out_of_memory: A job over its memory ends as OUT_OF_MEMORY; else as FAILED (0:9), since this
            machine has no memory controller of cgroup v1.
    """

    name: str
    folder: Path
    keeper_pid: int
    keeper_started: int
    guard_port: int
    tells_out_of_memory: bool

    @property
    def ports(self) -> config.Ports:
        """Where the daemons listen on 127.0.0.1."""
        return config.Ports(self.guard_port)

    @property
    def rest_url(self) -> str:
        """Slurmrestd over TCP."""
        return f"http://127.0.0.1:{self.ports.slurmrestd}"

    @property
    def rest_socket(self) -> Path:
        """Slurmrestd over a UNIX socket: the same process as `rest_url`."""
        return self.folder / "socket" / Path(config.REST_SOCKET).name

    @property
    def workspace(self) -> Path:
        """A folder that all users may write to, at the same path inside and outside."""
        return self.folder / "workspace"

    @property
    def logs(self) -> Path:
        """One file for each daemon."""
        return self.folder / "log"

    @property
    def is_alive(self) -> bool:
        """Is its keeper there?"""
        return started_at(self.keeper_pid) == self.keeper_started

    def run(
        self,
        *command: str,
        user: str = "root",
        cwd: str | Path = "/",
        stdin: str | None = None,
        timeout_seconds: float = 120,
    ) -> str:
        """What a command printed that ran inside, with a login's few environment variables.

        Raises:
            CommandFailed: its exit code is not 0.
        """
        return run_as_root(
            *self.command_inside(*command, user=user, cwd=cwd), stdin=stdin, timeout_seconds=timeout_seconds
        )

    def command_inside(self, *command: str, user: str = "root", cwd: str | Path = "/") -> list[str]:
        """The same as a command line for root, for whoever wants the running process."""
        home = "/root" if user == "root" else f"/home/{user}"
        return [
            *("nsenter", f"--target={self.keeper_pid}", "--mount", "--pid", "--uts", "--"),
            *("chroot", str(self.folder / "root"), "env", "--ignore-environment", f"--chdir={cwd}"),
            *(f"PATH={_PATH}", "LANG=C.UTF-8", f"HOME={home}", f"USER={user}", f"LOGNAME={user}"),
            *("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"),
            *command,
        ]

    def jwt_key(self) -> bytes:
        """The key that signs tokens for everybody: whoever has it is root on this cluster."""
        return bytes.fromhex(self.run("od", "-An", "-v", "-tx1", config.JWT_KEY))

    def save(self) -> None:
        """So that other processes find it by its name."""
        facts = {
            "name": self.name,
            "keeper_pid": self.keeper_pid,
            "keeper_started": self.keeper_started,
            "guard_port": self.guard_port,
            "tells_out_of_memory": self.tells_out_of_memory,
        }
        (self.folder / _DESCRIPTION).write_text(json.dumps(facts))


def folder_of(name: str) -> Path:
    """Short, since the path of a UNIX socket has room for 107 bytes."""
    return Path(tempfile.gettempdir()) / f"hpc-slurm-{os.getuid()}-{name}"


def find_instance(name: str) -> Instance | None:
    """None: not started, stopped, or dead."""
    folder = folder_of(name)
    try:
        facts = json.loads((folder / _DESCRIPTION).read_text())
    except FileNotFoundError:
        return None
    instance = Instance(folder=folder, **facts)
    return instance if instance.is_alive else None


def running_instance(name: str) -> Instance:
    """The instance of this name.

    Raises:
        NotRunning: there is none.
    """
    instance = find_instance(name)
    if instance is None:
        raise NotRunning(name)
    return instance


def started_at(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot; None: there is no such process (any more)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])
