"""The daemons of an instance: start, signal and look at them one by one, each by its own process id."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.slurm_cluster import config
from scripts.slurm_cluster.errors import ClusterFailed, CommandFailed
from scripts.slurm_cluster.instance import Instance

_READY_SECONDS = 60
_STOP_SECONDS = 30
_POLL_SECONDS = 0.05
_LISTEN = "0A"
"""How /proc/net/tcp writes the state of a listening socket."""
_ANNOUNCE = """
exec >>/var/log/slurm/"$1".log 2>&1 </dev/null
echo "$$ $(cut -d' ' -f22 /proc/$$/stat)" >/run/pids/"$1"
shift
umask 0
exec "$@"
"""
"""Writes process id and start time, then becomes the daemon. umask: everybody may use slurmrestd's socket."""


@dataclass(frozen=True)
class Daemon:
    """Runs in the foreground, so that its process id is the one that we saw start."""

    name: str
    user: str
    command: tuple[str, ...]
    is_ready: Callable[[Instance], bool]


def daemons_of(instance: Instance) -> dict[str, Daemon]:
    """All of them by name, in the order of their start."""
    ports = instance.ports
    rest = ("slurmrestd", "-a", "rest_auth/jwt", "-s", "openapi/slurmctld,openapi/slurmdbd")
    database = (
        "mariadbd",
        "--skip-networking",
        "--socket=/run/mysqld/mysqld.sock",
        "--innodb-log-file-size=16M",
    )
    daemons = [
        Daemon(
            "mariadbd",
            "mysql",
            (*database, "--innodb-flush-log-at-trx-commit=2"),
            answers("mariadb-admin", "ping"),
        ),
        Daemon("munged", "munge", ("munged", "--foreground"), answers("munge", "--no-input")),
        Daemon("slurmdbd", "slurm", ("slurmdbd", "-D"), says_up("sacctmgr", "ping")),
        Daemon("slurmctld", "slurm", ("slurmctld", "-D"), says_up("scontrol", "ping")),
        *(
            Daemon(f"slurmd-{node}", "root", ("slurmd", "-D", "-N", node), listens(ports.slurmd(node)))
            for node in config.NODES
        ),
        Daemon(
            "slurmrestd",
            "slurmrestd",
            ("env", "SLURM_JWT=daemon", *rest, f"127.0.0.1:{ports.slurmrestd}", f"unix:{config.REST_SOCKET}"),
            listens(ports.slurmrestd),
        ),
    ]
    return {daemon.name: daemon for daemon in daemons}


def start(instance: Instance, name: str) -> None:
    """Until it answers. One that runs already is left alone.

    After mariadbd start slurmdbd again too: on its old connection it writes associations by halves.

    Raises:
        ClusterFailed: it died, or it is mute for a minute; with the end of its log.
    """
    if not is_running(instance, name):
        launch(instance, name)
    wait_until_ready(instance, name)


def launch(instance: Instance, name: str) -> None:
    """Start it and do not wait. What an earlier one left in the way is removed."""
    daemon = daemons_of(instance)[name]
    announced = instance.folder / "pids" / name
    instance.run(
        "rm", "--force", f"/run/pids/{name}", *([config.REST_SOCKET] if name == "slurmrestd" else [])
    )
    instance.run(
        *("setsid", "--fork", "sh", "-c", _ANNOUNCE, "sh", name),
        *("setpriv", f"--reuid={daemon.user}", f"--regid={daemon.user}", "--init-groups", "--"),
        *daemon.command,
    )
    deadline = time.monotonic() + _READY_SECONDS
    while not (announced.exists() and announced.read_text().endswith("\n")):
        if time.monotonic() > deadline:
            raise ClusterFailed(f"{name} could not be started.", instance.logs / f"{name}.log")
        time.sleep(_POLL_SECONDS / 10)


def wait_until_ready(instance: Instance, name: str) -> None:
    """See `start`."""
    daemon = daemons_of(instance)[name]
    deadline = time.monotonic() + _READY_SECONDS
    while not daemon.is_ready(instance):
        if time.monotonic() > deadline:
            raise ClusterFailed(f"{name} does not answer.", instance.logs / f"{name}.log")
        if not is_running(instance, name):
            raise ClusterFailed(f"{name} died.", instance.logs / f"{name}.log")
        time.sleep(_POLL_SECONDS)


def stop(instance: Instance, name: str) -> None:
    """Ask it to end, and wait until it has."""
    end(instance, name, signal.SIGTERM)


def kill(instance: Instance, name: str) -> None:
    """As a crash would: it has no chance to save anything. Jobs on a killed slurmd go on."""
    end(instance, name, signal.SIGKILL)


def end(instance: Instance, name: str, wish: signal.Signals) -> None:
    """One that does not run is no error."""
    pid = pid_of(instance, name)
    if pid is None:
        return
    with suppress(CommandFailed):  # it may end by itself first
        instance.run("kill", f"-{wish.name.removeprefix('SIG')}", str(pid))
    deadline = time.monotonic() + _STOP_SECONDS
    while is_running(instance, name):
        if time.monotonic() > deadline:
            raise ClusterFailed(f"{name} does not end.", instance.logs / f"{name}.log")
        time.sleep(_POLL_SECONDS)


def is_running(instance: Instance, name: str) -> bool:
    """Is the very process there that was started under this name?"""
    return pid_of(instance, name) is not None


def pid_of(instance: Instance, name: str) -> int | None:
    """Its process id as the instance counts; None: it does not run, and holds no port any more."""
    try:
        pid, started = (instance.folder / "pids" / name).read_text().split()
    except (FileNotFoundError, ValueError):  # never started; or it is just writing the file
        return None
    try:
        fields = instance.run("cat", f"/proc/{pid}/stat").rpartition(")")[2].split()
    except CommandFailed:
        return None
    state, threads, its_start = fields[0], int(fields[17]), fields[19]
    # The first thread of a killed process is a zombie while the others still close its sockets.
    is_gone = its_start != started or state == "X" or (state == "Z" and threads <= 1)
    return None if is_gone else int(pid)


def answers(*command: str) -> Callable[[Instance], bool]:
    """Ready when this command succeeds inside."""

    def is_ready(instance: Instance) -> bool:
        try:
            instance.run(*command)
        except CommandFailed:
            return False
        return True

    return is_ready


def says_up(*command: str) -> Callable[[Instance], bool]:
    """Ready when this command says UP; its exit code says nothing."""

    def is_ready(instance: Instance) -> bool:
        with suppress(CommandFailed):
            return "is UP" in instance.run(*command)
        return False

    return is_ready


def listens(port: int) -> Callable[[Instance], bool]:
    """Ready when it listens. Read from the kernel's table: a daemon would log a complaint about a try."""

    def is_ready(_: Instance) -> bool:
        sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return any(
            fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port for fields in sockets
        )

    return is_ready
