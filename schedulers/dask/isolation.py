"""Keeps tenants of one node apart: which way works here, and the command that starts an executor that way."""

import functools
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from schedulers.dask.accounts import Account
from schedulers.dask.cgroup_tree import CellCgroup
from schedulers.dask.executor import Setup
from schedulers.dask.node import Gpu, NodeConfig
from schedulers.project_files import project_files_beside

Isolation = Literal["sandbox", "user", "none"]

_SOURCE = Path(__file__).resolve().parents[2]
"""Folder that holds the `schedulers` package."""
_SOURCE_INSIDE = "/run/hpc"
_PYTHON = Path(sys.executable).resolve()
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from schedulers.dask.executor import main; main()"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    *("alternatives", "ca-certificates", "crypto-policies", "fonts", "gai.conf", "host.conf", "hostname"),
    *(
        "hosts",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "localtime",
        "locale.alias",
        "machine-id",
        "magic",
    ),
    *("mime.types", "nsswitch.conf", "OpenCL", "perl", "pki", "protocols", "resolv.conf", "rpc", "services"),
    *("ssl", "terminfo", "timezone", "vulkan"),
)
_NVIDIA = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "nvidia-caps")
_SANDBOX_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DRIVER_PROGRAMS = "/usr/local/nvidia/bin"
"""Where NVIDIA's driver lies on nodes of Kubernetes and other containers: nvidia-smi."""
_PROBE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Cell:
    """Where the runs of one tenant live: its folder, its account, its GPUs."""

    account: Account
    tenant_root: str
    """The only folder that its runs may write: the parent of its job workspaces."""
    gpus: tuple[Gpu, ...] = ()
    files_dir: str = ""
    """Folder for the cell's own passwd and group files."""
    cgroup: CellCgroup | None = None
    """In which its runs get theirs; None where memory is only watched."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What works on this node, and why nothing better does."""

    isolation: Isolation
    problems: tuple[str, ...] = ()


def probe(config: NodeConfig) -> Probed:
    """Find the strongest isolation that works, by starting an executor in it; or test the one demanded."""
    if config.isolation == "none":
        return Probed("none")
    wanted: tuple[Isolation, ...] = ("sandbox", "user") if config.isolation == "auto" else (config.isolation,)
    problems: list[str] = []
    for isolation in wanted:
        problem = _try(isolation, config)
        if not problem:
            return Probed(isolation, tuple(problems))
        problems.append(f"{isolation}: {problem}")
    return Probed("none", tuple(problems))


def _try(isolation: Isolation, config: NodeConfig) -> str:
    """The problem with starting an executor this way; "" when it works."""
    if isolation == "user" and os.geteuid() != 0:
        return "only root can switch users"
    nobody = Account("nobody", 65534, 65534) if os.geteuid() == 0 else Account.own("nobody")
    folder = Path(config.state_dir) / "probe"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    cell = Cell(nobody, str(folder), config.gpus, files_dir=str(folder))
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours
            executor_command(isolation, cell, config),
            input=b"",
            capture_output=True,
            timeout=_PROBE_SECONDS,
            env=executor_environment(),
            umask=0o022,
            pass_fds=inherited(isolation, cell),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return str(problem)
    if done.returncode == 0 and b"ready" in done.stdout:
        return ""
    return done.stderr.decode(errors="replace").strip()[-500:] or f"exit code {done.returncode}"


def executor_environment() -> dict[str, str]:
    """The whole environment of an executor: nothing of whoever started the node."""
    return {"PATH": _SANDBOX_PATH, "LANG": "C.UTF-8"}


def executor_command(isolation: Isolation, cell: Cell, config: NodeConfig) -> list[str]:
    """The command line that starts an executor for a cell; also writes the files that it needs."""
    python = [_python_for(isolation), "-I", "-S", "-B", "-c", _START]
    setup = json.dumps(asdict(_setup(isolation, cell, config)))
    as_root = os.geteuid() == 0
    match isolation:
        case "sandbox":
            switch = _switch_user(cell.account) if as_root else []
            inside = [*switch, *python, _SOURCE_INSIDE, setup]
            return [*_bubblewrap(cell, config, as_root=as_root), "--", *inside]
        case "user":
            return [*_switch_user(cell.account), *python, f"/proc/self/fd/{_source_archive()}", setup]
        case "none":
            return [*python, str(_SOURCE), setup]


def inherited(isolation: Isolation, cell: Cell) -> tuple[int, ...]:
    """Descriptors that the executor's process must inherit (`pass_fds`)."""
    source = (_source_archive(),) if isolation == "user" else ()
    return (*source, cell.cgroup.descriptor) if cell.cgroup else source


def job_path(config: NodeConfig) -> str:
    """PATH of every job on the node."""
    return ":".join([*(f"{path}/bin" for path in config.runtime_paths), _SANDBOX_PATH, _DRIVER_PROGRAMS])


@functools.cache
def _source_archive() -> int:
    """A file in memory with the source of this package, for Python to import from.

    A tenant's user need not be allowed into the folder where the portal is installed: a descriptor is opened
    again through /proc without looking at the folders above it.
    """
    import zipfile  # noqa: PLC0415 - keeps supervisors that need no archive small

    descriptor = os.memfd_create("hpc-source", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for path in sorted((_SOURCE / "schedulers").rglob("*.py")):
            archive.write(path, path.relative_to(_SOURCE))
    return descriptor


def _python_for(isolation: Isolation) -> str:
    """Our own Python, or the system's where the tenant's user may not even look into the folder of ours."""
    hidden = any(not parent.stat().st_mode & stat.S_IXOTH for parent in _PYTHON.parents)
    return "/usr/bin/python3" if isolation == "user" and hidden else str(_PYTHON)


def _setup(isolation: Isolation, cell: Cell, config: NodeConfig) -> Setup:
    indices = tuple(gpu.index for gpu in cell.gpus)
    real = tuple(gpu.index for gpu in cell.gpus if gpu.minor is not None)
    # A sandbox holds the device files of its own GPUs only, and the driver numbers what it can open.
    renumbered = isolation == "sandbox" and bool(real)
    visible = tuple(range(len(indices))) if renumbered else indices
    return Setup(
        user=cell.account.name,
        path=job_path(config),
        temporary="/tmp" if isolation == "sandbox" else "",  # noqa: S108 - private to the sandbox
        visible_gpus=",".join(map(str, visible)),
        gpu_indices=indices,
        metered_gpus=visible if real else (),
        sample_seconds=config.sample_seconds,
        cgroup=cell.cgroup.descriptor if cell.cgroup else None,
        cgroup_is_hidden=isolation == "sandbox",
    )


def _switch_user(account: Account) -> list[str]:
    groups = f"--groups={','.join(map(str, account.groups))}" if account.groups else "--clear-groups"
    user = [f"--reuid={account.uid}", f"--regid={account.gid}", groups]
    return ["setpriv", *user, "--inh-caps=-all", "--no-new-privs"]


def _bubblewrap(cell: Cell, config: NodeConfig, *, as_root: bool) -> list[str]:
    tmpfs_bytes = str(config.memory_mib * 1024**2 // 4)
    return [
        "bwrap",
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts"),
        *(() if as_root else ("--unshare-user-try",)),
        # Out of a cgroup namespace of its own, an executor could start nothing in the cgroup beside it.
        *(("--unshare-cgroup-try",) if cell.cgroup is None else ()),
        *(("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID") if as_root else ()),
        *("--as-pid-1", "--die-with-parent"),
        *_system(cell),
        *("--proc", "/proc", "--dev", "/dev"),
        *_devices(cell.gpus),
        *("--size", tmpfs_bytes, "--perms", "1777", "--tmpfs", "/tmp"),  # noqa: S108 - made here
        *("--size", tmpfs_bytes, "--perms", "1777", "--tmpfs", "/dev/shm"),  # noqa: S108 - made here
        *_shown(config),
        *_bind("--ro-bind-try", project_files_beside(cell.tenant_root)),
        *_bind("--bind", cell.tenant_root),
        *("--remount-ro", "/"),
        *("--chdir", "/"),
    ]


def _system(cell: Cell) -> Iterator[str]:
    for path in _SYSTEM:
        if os.path.islink(path):  # noqa: PTH114 - /bin is a link to usr/bin
            yield from ("--symlink", os.readlink(path), path)  # noqa: PTH115 - as above
        else:
            yield from ("--ro-bind-try", path, path)
    yield from ("--perms", "0755", "--dir", "/etc")
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for name, text in _own_accounts(cell.account).items():
        file = Path(cell.files_dir) / name
        file.write_text(text)
        file.chmod(0o644)
        yield from ("--ro-bind", str(file), f"/etc/{name}")
    for parent in ("/sys", "/sys/devices"):
        yield from ("--perms", "0755", "--dir", parent)
    for path in (
        ("/sys/devices", "/sys/bus", "/sys/class", "/sys/module") if cell.gpus else ("/sys/devices/system",)
    ):
        yield from ("--ro-bind-try", path, path)
    for parent in ("/run", _SOURCE_INSIDE):
        yield from ("--perms", "0755", "--dir", parent)
    yield from ("--ro-bind", str(_SOURCE / "schedulers"), f"{_SOURCE_INSIDE}/schedulers")


def _own_accounts(account: Account) -> dict[str, str]:
    """A passwd and a group file that tell a tenant its own name and no other's."""
    users = "root:x:0:0:root:/root:/usr/sbin/nologin\n"
    users += f"{account.name}:x:{account.uid}:{account.gid}::/tmp:/bin/bash\n"
    groups = f"root:x:0:\n{account.name}:x:{account.gid}:\n"
    if account.uid != 65534:  # noqa: PLR2004 - the number of nobody
        users += "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        groups += "nogroup:x:65534:\n"
    return {"passwd": users, "group": groups}


def _devices(gpus: Sequence[Gpu]) -> Iterator[str]:
    real = [gpu.minor for gpu in gpus if gpu.minor is not None]
    for name in (*_NVIDIA, *(f"nvidia{minor}" for minor in real)) if real else ():
        yield from ("--dev-bind-try", f"/dev/{name}", f"/dev/{name}")


def _shown(config: NodeConfig) -> Iterator[str]:
    """Read-only folders; should one of them hold the node's own state, that stays hidden."""
    prefix = str(_PYTHON.parents[1])
    shown = dict.fromkeys((*config.runtime_paths, *config.data_paths, prefix))
    for path in dict.fromkeys(name for given in shown for name in (os.path.realpath(given), given)):
        if not path.startswith(("/usr/", "/bin/", "/lib")) and path != "/usr":
            yield from _bind("--ro-bind-try", path)
    for hidden in (config.state_dir, config.workspace_root):
        if Path(hidden).is_dir() and any(Path(hidden).is_relative_to(path) for path in shown):
            yield from ("--tmpfs", hidden)


def _bind(how: str, path: str) -> Iterator[str]:
    """Show a path at its own place; bubblewrap alone would make its parents for root only."""
    for parent in reversed(Path(path).parents[:-1]):
        yield from ("--perms", "0755", "--dir", str(parent))
    yield from (how, path, path)
