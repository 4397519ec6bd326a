"""Process 1 of an instance: sets its namespaces up, says where it is, then keeps them until it is killed.

Started by `up.py` as root through unshare(1). When it dies the kernel ends every process of the instance and
drops every mount: there is nothing to clean up. It stays outside the chroot, so that nsenter(1) finds the
whole machine beside the instance's root.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

from scripts.slurm_cluster import config

_FIRST_PORT, _LAST_PORT = 20000, 32000
"""Below the ports that Linux gives to outgoing connections, so that only listeners can be in the way."""
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def main() -> None:
    """Argument: JSON with folder, root (the cached one), binds ([path, "ro" or "rw"]) and has_lifeline."""
    wish = json.loads(sys.argv[1])
    os.umask(0o022)
    guard = take_ports()
    ports = config.Ports(guard.getsockname()[1])
    folder = Path(wish["folder"])
    root = folder / "root"
    socket.sethostname(config.HOST)
    mount_root(root, Path(wish["root"]))
    mount_system(root)
    mount_shared(folder, root, wish["binds"])
    has_memory_cgroup = mount_memory_cgroup(folder.name, root)
    write_settings(root, ports, has_memory_cgroup=has_memory_cgroup)
    write_keys(root)
    make_folders(root)
    signal.signal(
        signal.SIGCHLD, signal.SIG_IGN
    )  # orphans of the instance end up here; nobody waits for them
    # /proc is still the machine's own, so this is our process id as the machine counts.
    pid = int(Path("/proc/self").readlink().name)
    facts = {"keeper_pid": pid, "guard_port": ports.guard, "tells_out_of_memory": has_memory_cgroup}
    print(json.dumps(facts), flush=True)
    detach()
    if wish["has_lifeline"]:
        os.read(0, 1)  # returns when nobody is left who could write: our owner is gone, and so are we
        return
    while True:
        signal.pause()


def take_ports() -> socket.socket:
    """A block of free ports; the listening guard marks it as taken for as long as we live."""
    for first in range(_FIRST_PORT, _LAST_PORT, config.PORTS_PER_INSTANCE):
        guard = listener(first)
        if guard is None:
            continue
        others = [listener(first + offset) for offset in range(1, config.PORTS_PER_INSTANCE)]
        for other in others:
            if other is not None:
                other.close()
        if None not in others:
            return guard
        guard.close()
    sys.exit(
        f"No {config.PORTS_PER_INSTANCE} free TCP ports in a row between {_FIRST_PORT} and {_LAST_PORT}."
    )


def listener(port: int) -> socket.socket | None:
    """None: somebody has the port."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("0.0.0.0", port))  # noqa: S104 - Slurm's daemons will listen there too
        listening.listen()
    except OSError:
        listening.close()
        return None
    return listening


def mount(*arguments: str | Path) -> None:
    """Call the program; what it says goes to our stderr."""
    subprocess.run(["mount", *arguments], check=True, stdout=sys.stderr)  # noqa: S603, S607 - our words


def mount_root(root: Path, cached: Path) -> None:
    """The cached root below, a tmpfs for all that changes above: fast, private, and gone with us."""
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root)
    for layer in ("upper", "work"):
        (root / layer).mkdir()
    layers = f"lowerdir={cached},upperdir={root}/upper,workdir={root}/work"
    mount("-t", "overlay", "-o", layers, "overlay", root)


def mount_system(root: Path) -> None:
    """/proc of our own PID namespace, /sys, and a /dev with little in it besides the GPUs."""
    mount("-t", "proc", "proc", root / "proc")
    mount("--rbind", "/sys", root / "sys")
    dev = root / "dev"
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", dev)
    for name in _DEVICES:
        (dev / name).touch()
        mount("--bind", f"/dev/{name}", dev / name)
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        (dev / name).symlink_to(target)
    for number in range(config.GPUS_PER_NODE):
        (dev / f"nvidia{number}").symlink_to("null")
    (dev / "shm").mkdir()
    (dev / "shm").chmod(0o1777)
    (dev / "pts").mkdir()
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=666", "devpts", dev / "pts")
    (dev / "ptmx").symlink_to("pts/ptmx")


def mount_shared(folder: Path, root: Path, binds: list[list[str]]) -> None:
    """What the machine and the instance both see: logs, process ids, REST socket, the caller's folders."""
    for name, place in {"log": "var/log/slurm", "pids": "run/pids", "socket": "run/slurmrestd"}.items():
        (root / place).mkdir(parents=True, exist_ok=True)
        mount("--bind", folder / name, root / place)
    for path, mode in binds:
        inside = root / path[1:]
        if Path(path).is_dir():
            inside.mkdir(parents=True, exist_ok=True)
        else:
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.touch()
        mount("--rbind", path, inside)
        if mode == "ro":
            mount("-o", "remount,bind,ro", inside)


def mount_memory_cgroup(name: str, root: Path) -> bool:
    """A cgroup of our own for the jobs' memory; False: this machine has none to give (cgroup v2 only)."""
    controller = Path("/sys/fs/cgroup/memory")
    if not (controller / "memory.limit_in_bytes").exists() or not os.access(controller, os.W_OK):
        return False
    (controller / name).mkdir(exist_ok=True)
    place = root / config.CGROUPS[1:] / "memory"
    place.mkdir(parents=True)
    mount("--bind", controller / name, place)
    return True


def write_settings(root: Path, ports: config.Ports, *, has_memory_cgroup: bool) -> None:
    """The files of `config.py`."""
    slurm = account_of(root, "slurm")
    etc = root / "etc"
    write(etc / "hosts", config.hosts(), 0o644)
    write(etc / "hostname", f"{config.HOST}\n", 0o644)
    write(etc / "slurm/slurm.conf", config.slurm_conf(ports, has_memory_cgroup=has_memory_cgroup), 0o644)
    write(etc / "slurm/cgroup.conf", config.cgroup_conf(has_memory_cgroup=has_memory_cgroup), 0o644)
    write(etc / "slurm/gres.conf", config.gres_conf(), 0o644)
    write(etc / "slurm/slurmdbd.conf", config.slurmdbd_conf(ports), 0o600, slurm)


def write_keys(root: Path) -> None:
    """New ones for each instance."""
    write(root / config.JWT_KEY[1:], secrets.token_bytes(32), 0o600, account_of(root, "slurm"))
    write(root / "etc/munge/munge.key", secrets.token_bytes(128), 0o400, account_of(root, "munge"))


def make_folders(root: Path) -> None:
    """What Debian's start scripts would make."""
    folders = {
        "run/munge": "munge",
        "run/mysqld": "mysql",
        "run/slurm": "slurm",
        "run/slurmrestd": "slurmrestd",
        "var/lib/munge": "munge",
        "var/log/munge": "munge",
        "var/lib/slurm/slurmctld": "slurm",
        "var/log/slurm": "slurm",
    } | {f"var/spool/slurmd/{node}": "root" for node in config.NODES}
    for path, owner in folders.items():
        (root / path).mkdir(parents=True, exist_ok=True)
        os.chown(root / path, *account_of(root, owner))


def account_of(root: Path, name: str) -> tuple[int, int]:
    """User and group id of one of the root's own accounts."""
    for line in (root / "etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2]), int(fields[3])
    sys.exit(f"The root has no user {name}.")


def write(path: Path, content: str | bytes, mode: int, owner: tuple[int, int] = (0, 0)) -> None:
    """A file that is never readable by more people than it should be."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    os.chown(path, *owner)
    path.chmod(mode)


def detach() -> None:
    """Let go of the caller's output; our input is /dev/null or the lifeline."""
    nowhere = os.open("/dev/null", os.O_RDWR)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)


if __name__ == "__main__":
    main()
