"""What /proc tells about the processes below this one: who belongs to whom, and how to end them all."""

import contextlib
import ctypes
import os
import signal
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

RUN_KEY_VARIABLE = "HPC_RUN_KEY"
"""Set in every run's environment; tells whose an orphan is after it has left its session."""

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc/PID/stat."""

    pid: int
    parent: int
    session: int
    state: str
    cpu_seconds: float
    """Its own and that of the children it has waited for."""
    rss_kib: int
    start_ticks: int
    """Since boot; with the pid it names a process for ever."""


def read_process(pid: int) -> Process | None:
    """The process as it is now; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - a Path costs more than the read
            name_ends = (text := file.read()).rindex(b")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    field = text[name_ends + 2 :].split()
    return Process(
        pid=pid,
        parent=int(field[1]),
        session=int(field[3]),
        state=field[0].decode(),
        cpu_seconds=sum(map(int, field[11:15])) / _TICKS,
        rss_kib=int(field[21]) * _PAGE_KIB,
        start_ticks=int(field[19]),
    )


def read_processes() -> dict[int, Process]:
    """Every process that this one can see."""
    found = (read_process(int(name)) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208 - as above
    return {process.pid: process for process in found if process}


def has_children_beyond(known: Collection[int]) -> bool:
    """Whether this process has children other than these: orphans that came to it as their subreaper."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:  # noqa: PTH123 - once per run
            children = file.read()
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return True
    return any(int(pid) not in known for pid in children.split())


def descendants(roots: Iterable[int], processes: Mapping[int, Process]) -> set[int]:
    """These processes and all below them."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid in processes and pid not in found:
            found.add(pid)
            waiting += children.get(pid, ())
    return found


def trees_by_run(
    mains: Mapping[int, str], processes: Mapping[int, Process], *, ended: Mapping[int, str] | None = None
) -> dict[str, set[int]]:
    """Which processes below this one belong to which run, by run key.

    A descendant of a run's main process is the run's. An orphan came to us as the subreaper: its session,
    else the run key in its environment, else being the only run's, says whose it is. One that has hidden
    all of that is listed under "".

    Args:
        mains: run key by pid of the main process, of runs that go on.
        processes: from `read_processes`.
        ended: the same, of runs whose main process is gone.
    """
    everyone = {**mains, **(ended or {})}
    roots: dict[str, list[int]] = {key: [] for key in everyone.values()}
    keys = frozenset(roots)
    own = os.getpid()
    for process in processes.values():
        if process.parent == own:
            roots.setdefault(_owner(process, everyone, keys), []).append(process.pid)
    return {key: descendants(pids, processes) for key, pids in roots.items()}


def _owner(process: Process, mains: Mapping[int, str], keys: frozenset[str]) -> str:
    if process.pid in mains:
        return mains[process.pid]
    if process.session in mains:
        return mains[process.session]
    key = run_key_of(process.pid)
    if key in keys:
        return key
    return next(iter(keys)) if len(keys) == 1 else ""


def run_key_of(pid: int) -> str:
    """The run key that a process carries in the environment it was started with, or ""."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    prefix = f"{RUN_KEY_VARIABLE}=".encode()
    found = next((entry for entry in environment.split(b"\0") if entry.startswith(prefix)), prefix)
    return found[len(prefix) :].decode(errors="replace")


def send(pids: Iterable[int], signal_number: int) -> None:
    """Signal processes, leaving out those that are gone or are not ours."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal_number)


def is_dead(process: Process | None) -> bool:
    """Whether it runs no more; a zombie does not."""
    return process is None or process.state in "ZX"


def kill_descendants(roots: Collection[int], *, rounds: int = 50) -> None:
    """SIGKILL these processes and all below them, again until none appears anew."""
    for _ in range(rounds):
        processes = read_processes()
        alive = [pid for pid in descendants(roots, processes) if not is_dead(processes[pid])]
        if not alive:
            return
        send(alive, signal.SIGKILL)


def proportional_mib(pids: Iterable[int]) -> int:
    """Memory of a set of processes with shared pages counted once (PSS); costly for big processes."""
    return sum(_pss_kib(pid) for pid in pids) // 1024


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(b"Pss:")), 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies (PR_SET_CHILD_SUBREAPER)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def close_to_inspection() -> None:
    """Keep processes of the same user from tracing this one or reading its memory and files."""
    _prctl(_PR_SET_DUMPABLE, 0)


def die_with_parent() -> None:
    """Be killed when the parent process ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
