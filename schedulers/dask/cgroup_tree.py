"""Finds the part of the cgroup tree that this node may use, and keeps one cgroup for each executor in it."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schedulers.dask.cgroup import Cgroup
from schedulers.dask.start_process import CannotEnterCgroup, Program, start_process

OFF = "off"
_PROBE_MIB = 64
_EXECUTOR = "executor"


class NoCgroup(Exception):
    """Why runs cannot have cgroups here, in a sentence."""


class CellCgroup:
    """The cgroup of one executor: it sits in a leaf, and makes one for each run beside that leaf."""

    def __init__(self, cell: Cgroup, home: Cgroup, uid: int) -> None:
        self._cell = cell
        self._executor: Cgroup | None = Cgroup.make(_EXECUTOR, parent=cell.descriptor)
        self._home = home
        cell.write("cgroup.subtree_control", "+memory")
        cell.hand_to(uid, "cgroup.procs")

    @property
    def descriptor(self) -> int:
        """Of the folder below which the executor makes the cgroups of its runs; to be inherited by it."""
        return self._cell.descriptor

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in it for a while: a process started meanwhile is in it from the first instruction on."""
        if self._executor is None:
            message = "the cell was removed"
            raise OSError(errno.ENOENT, message)
        self._executor.write("cgroup.procs", "0")
        try:
            yield
        finally:
            self._home.write("cgroup.procs", "0")

    def remove(self) -> bool:
        """End all that lives in it and remove it; False when that takes longer, and has to be asked again."""
        if self._executor is not None:
            self._executor.close()
            self._executor = None
        return self._cell.remove()


class CgroupTree:
    """This node's part of the tree. One node has one supervisor, and so this is nobody else's."""

    def __init__(self, base: Path, state_dir: str, own: Path) -> None:
        """Take up the node's part below `base`; what a predecessor left in it is ended.

        Raises:
            NoCgroup: it cannot be had, or the kernel does not start processes in it.
        """
        name = f"hpc-{hashlib.sha256(state_dir.encode()).hexdigest()[:12]}"
        try:
            self._enable_memory(base)
            self.path = str(base / name)
            self._node = Cgroup.make(self.path)
            self._node.write("cgroup.subtree_control", "+memory")
            self._home = Cgroup(str(own))
            self._cells = 0
            self._leaving: list[CellCgroup] = []
            for left in self._node.children():
                Cgroup(left, parent=self._node.descriptor).remove()
            self._try_out()
        except OSError as problem:
            raise NoCgroup(f"{base}: {problem.strerror}") from problem
        except CannotEnterCgroup as problem:
            raise NoCgroup(f"processes cannot be started in {base}: {problem}") from problem

    @staticmethod
    def _enable_memory(base: Path) -> None:
        if "memory" not in (base / "cgroup.subtree_control").read_text().split():
            (base / "cgroup.subtree_control").write_text("+memory")

    def _try_out(self) -> None:
        """Start something in a limited cgroup, as executors will."""
        cell = self.open_cell(os.geteuid())
        run = Cgroup.make("probe", parent=cell.descriptor)
        run.limit_memory(_PROBE_MIB)
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        program = Program(("/bin/true",), {}, "/", nothing, nothing, nothing)
        with cell.entered():
            pid = start_process(program, cgroup=run.descriptor)
        os.waitpid(pid, 0)
        os.close(nothing)
        run.close()
        self.close_cell(cell)

    def open_cell(self, uid: int) -> CellCgroup:
        """A cgroup for an executor that runs as this user.

        Raises:
            OSError: the kernel gives no more.
        """
        self._cells += 1
        cell = Cgroup.make(f"cell-{os.getpid()}-{self._cells}", parent=self._node.descriptor)
        return CellCgroup(cell, self._home, uid)

    def close_cell(self, cell: CellCgroup) -> None:
        """End all that its executor left, at once or with the next `tick`."""
        self._leaving.append(cell)
        self.tick()

    def close(self) -> None:
        """End and remove all of it: the supervisor leaves."""
        self._node.remove()

    def tick(self) -> None:
        """Remove what could not be removed before."""
        self._leaving = [cell for cell in self._leaving if not cell.remove()]


def open_tree(wish: str, state_dir: str, *, proc: Path = Path("/proc/self")) -> CgroupTree:
    """The node's part of the cgroup tree.

    Args:
        wish: "auto", "off", or the path of a cgroup that was delegated to this account and holds no process.
        state_dir: names the node.
        proc: where /proc tells about this process.

    Raises:
        NoCgroup: there is none; memory must be watched in another way.
    """
    if wish == OFF:
        raise NoCgroup("switched off")
    mount = _mount_point((proc / "mountinfo").read_text())
    own = mount / _own_path((proc / "cgroup").read_text())
    if wish != "auto":
        return CgroupTree(Path(wish), state_dir, own)
    return CgroupTree(find_base(mount, own, is_root=os.geteuid() == 0), state_dir, own)


def find_base(mount: Path, own: Path, *, is_root: bool) -> Path:
    """Below which cgroup a node may make its own.

    The parent of its own cgroup, where that was delegated to us (systemd's Delegate= with DelegateSubgroup=);
    else, for root, the root of the tree, as container engines do. Never the own cgroup: to use it, all
    processes would have to leave it, and a service manager could not start the next one there.

    Raises:
        NoCgroup: neither can be used.
    """
    candidates = [own.parent] if own != mount and _is_delegated(own.parent, is_root=is_root) else []
    candidates += [mount] if is_root else []
    problems = [f"{base}: {problem}" for base in candidates if (problem := _problem(base))]
    for base in candidates:
        if not _problem(base):
            return base
    raise NoCgroup("; ".join(problems) or f"{own.parent} is not delegated to this account")


def _is_delegated(base: Path, *, is_root: bool) -> bool:
    if not is_root:
        return os.access(base / "cgroup.procs", os.W_OK)
    marks = ("trusted.delegate", "user.delegate")
    with contextlib.suppress(OSError):
        return any(mark in os.listxattr(base) for mark in marks)
    return False


def _problem(base: Path) -> str:
    try:
        controllers = (base / "cgroup.controllers").read_text().split()
        has_processes = bool((base / "cgroup.procs").read_text().strip())
    except OSError as problem:
        return str(problem.strerror)
    if "memory" not in controllers:
        return "there is no memory controller"
    if not os.access(base, os.W_OK) or not os.access(base / "cgroup.subtree_control", os.W_OK):
        return "not writable"
    if has_processes and (base / "cgroup.type").exists():  # only the root of the whole tree has none
        return "processes live in it"
    return ""


def _mount_point(mountinfo: str) -> Path:
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    raise NoCgroup("no cgroup2 file system is mounted")


def _own_path(text: str) -> str:
    """From /proc/self/cgroup: the line `0::/system.slice/hpc.service`."""
    path = next((line[3:] for line in text.splitlines() if line.startswith("0::")), None)
    if path is None or path.startswith("/.."):
        raise NoCgroup("this process is in no cgroup that it can see")
    return path.lstrip("/")
