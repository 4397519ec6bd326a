"""Gives a script a Dask cluster of its own inside its job: `python dask_cluster.py PARAMETERS.json`.

It runs once on each node of the job. The first one starts the scheduler, its share of the workers and, once
all workers are there, the script, which reaches the cluster by `Client()`; the others start workers. Every
connection is TLS in both directions, with a key that exists for this run alone, in a folder that only the
job's account may enter; nothing else listens, so there is no dashboard. What happens is noted in
cluster.jsonl.

Ends as the script does, once everything that it started has ended. Exit codes of its own: 64 wrong
parameters, 69 a Python package is missing, the nodes do not find each other, or not all workers came.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EVENTS = Path("cluster.jsonl")
SCRIPT_RUNNER = "dask_script.py"
SECONDS_TO_COME_UP = 300
SECONDS_TO_END = 30
SECONDS_BETWEEN_LOOKS = 0.2
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
MIB = 1024**2


def fail(code: int, message: str) -> NoReturn:
    """End with a message for the job's log."""
    print(f"dask_cluster: {message}", file=sys.stderr, flush=True)  # noqa: T201 - the job's log
    sys.exit(code)


try:
    import dask

    # It lies beside this file in a job's workspace, and has another name here.
    from dask_key import known_key, make_key  # type: ignore[import-not-found]
    from distributed import Nanny, Scheduler, Worker
    from distributed.diagnostics.plugin import SchedulerPlugin
    from distributed.utils import get_ip
except ImportError as error:
    fail(
        EXIT_UNAVAILABLE,
        f"the Python package {error.name} is missing on this node. Install it for {sys.executable} with: "
        "pip install distributed cryptography",
    )


@dataclass(frozen=True)
class Parameters:
    """What parameters.json must hold."""

    script: str
    arguments: list[str]
    threads: int
    """Of each worker."""
    reserved_memory_mib: int
    """Of each node, for the script, the scheduler and Dask's own processes; what is left is the workers'."""


@dataclass(frozen=True)
class Allocation:
    """What the job holds on this node, as its cluster said."""

    rank: int
    nodes: tuple[str, ...]
    cpus: int
    memory_mib: int
    first: str
    """An address of the first node; "" when it is the only one."""
    meeting: Path
    """The folder in which the nodes find the scheduler and the key; of this run alone."""

    @property
    def address(self) -> str:
        """Where the other nodes reach this one; of a single node nobody outside can reach it."""
        if len(self.nodes) == 1:
            return "127.0.0.1"
        # A node's own name may mean 127.0.1.1 to itself, so it asks for its way to another one.
        for peer in (self.first,) if self.rank else (self.nodes[1], self.first):
            with suppress(OSError, ValueError):
                return str(get_ip(peer))  # type: ignore[no-untyped-call]
        fail(EXIT_UNAVAILABLE, f"{self.nodes[self.rank]} finds no way to {self.first}")


class OnlyTls:
    """Leaves out the HTTP server that comes with each scheduler and worker and asks nobody who they are."""

    def start_http_server(self, *_: object, **__: object) -> None:
        """Nothing listens."""


class JobScheduler(OnlyTls, Scheduler):
    """The scheduler of one job."""


class JobWorker(OnlyTls, Worker):
    """A worker of one job."""


class Attendance(SchedulerPlugin):
    """Knows when all workers are there, and notes each one that is lost before the end."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.present: dict[str, str] = {}
        """Names of workers by address."""
        self.complete = asyncio.Event()
        self.is_over = False

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """A new one, or one that was started again."""
        self.present[worker] = str(scheduler.workers[worker].name)
        if len(self.present) >= self.expected:
            self.complete.set()

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: object) -> None:
        """What it had is computed again, by others or by the worker that comes in its place."""
        del scheduler
        name = self.present.pop(worker, worker)
        if not self.is_over:
            note(event="worker_lost", worker=name)


class Signals:
    """Passes signals on to the script; before there is one, they end everything."""

    def __init__(self) -> None:
        self.last = 0
        self.script: asyncio.subprocess.Process | None = None
        self._everything = asyncio.current_task()
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._hear, number)

    def _hear(self, number: int) -> None:
        self.last = number
        if self.script is None:
            if self._everything:
                self._everything.cancel()
        elif self.script.returncode is None:
            self.script.send_signal(number)

    def ignore(self) -> None:
        """From now on, also after the loop has ended."""
        for number in SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


Part = Callable[[Parameters, Allocation, str, Signals], Coroutine[Any, Any, int]]
"""What one node does; its exit code, negative when a signal ended it."""


def main() -> None:
    """Start this node's part of the cluster; on the first node run the script and end as it did."""
    parameters, allocation = read_parameters(), read_allocation()
    if parameters.threads > allocation.cpus:
        fail(EXIT_USAGE, f"a worker of {parameters.threads} threads needs more than {allocation.cpus} CPUs")
    scratch = tempfile.mkdtemp(prefix="dask-")
    dask.config.set({"temporary-directory": scratch})
    try:
        part = lead if allocation.rank == 0 else follow
        code = asyncio.run(until_told_to_stop(part, parameters, allocation, scratch))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def read_parameters() -> Parameters:
    """The file that the command line names."""
    try:
        return Parameters(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except (IndexError, OSError, ValueError, TypeError) as error:
        fail(EXIT_USAGE, f"cannot read the parameters: {error}")


def read_allocation() -> Allocation:
    """The variables that the portal sets on every cluster."""
    said = os.environ
    nodes = tuple(said.get("HPC_NODELIST", "localhost").split(","))
    return Allocation(
        rank=int(said.get("HPC_NODE_RANK", "0")),
        nodes=nodes,
        cpus=int(said["HPC_CPUS"]),
        memory_mib=int(said["HPC_MEMORY_MIB"]),
        first=said["MASTER_ADDR"] if len(nodes) > 1 else "",
        meeting=Path(f".dask/{said.get('HPC_RESTART_COUNT', '0')}-{said.get('MASTER_PORT', '0')}").absolute(),
    )


async def lead(parameters: Parameters, allocation: Allocation, scratch: str, signals: Signals) -> int:
    """The first node's part; the script's exit code, negative when a signal ended it."""
    began = time.monotonic()
    on_a_node = allocation.cpus // parameters.threads
    attendance = Attendance(on_a_node * len(allocation.nodes))
    shutil.rmtree(allocation.meeting.parent, ignore_errors=True)
    allocation.meeting.mkdir(mode=0o700, parents=True)
    note(
        event="start",
        nodes=len(allocation.nodes),
        workers=attendance.expected,
        threads=attendance.expected * parameters.threads,
        memory_mib_per_worker=memory_mib_of_a_worker(parameters, allocation),
    )
    try:
        security = make_key(allocation.meeting)
        async with AsyncExitStack() as cluster:
            scheduler = JobScheduler(
                host=allocation.address,
                port=0,
                protocol="tls",
                security=security,
                dashboard=False,
                plugins=[attendance],
            )
            await cluster.enter_async_context(scheduler)
            write(allocation.meeting / "scheduler", scheduler.address)
            await start_workers(cluster, parameters, allocation, scheduler.address, scratch)
            await everybody(attendance)
            note(event="ready", seconds=round(time.monotonic() - began, 3))
            code = await run_script(parameters, allocation, scheduler.address, signals)
            attendance.is_over = True
        await others_ended(allocation)
    finally:
        shutil.rmtree(allocation.meeting.parent, ignore_errors=True)
    note(event="end", exit_code=code, seconds=round(time.monotonic() - began, 3))
    return code


async def follow(parameters: Parameters, allocation: Allocation, scratch: str, signals: Signals) -> int:
    """The part of every other node: its workers, until the scheduler sends them away."""
    address = await scheduler_address(allocation)
    async with AsyncExitStack() as cluster:
        nannies = await start_workers(cluster, parameters, allocation, address, scratch)
        for nanny in nannies:
            await nanny.finished()  # type: ignore[no-untyped-call]
    # Once the first node knows, it ends; Slurm then ends whoever is still there, and calls that a failure.
    signals.ignore()
    (allocation.meeting / f"ended-{allocation.rank}").touch()
    return 0


async def others_ended(allocation: Allocation) -> None:
    """Let the other nodes end by themselves, so that the script's exit code is the only one to tell of."""
    for _ in range(int(SECONDS_TO_END / SECONDS_BETWEEN_LOOKS)):
        if len(list(allocation.meeting.glob("ended-*"))) == len(allocation.nodes) - 1:
            return
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)


async def until_told_to_stop(
    part: Part,
    parameters: Parameters,
    allocation: Allocation,
    scratch: str,
) -> int:
    """The part's exit code; minus the signal that ended it before there was a script."""
    signals = Signals()
    try:
        return await part(parameters, allocation, scratch, signals)
    except asyncio.CancelledError:
        return -signals.last


async def scheduler_address(allocation: Allocation) -> str:
    """What the first node has written down, once it is there."""
    written = allocation.meeting / "scheduler"
    for _ in range(int(SECONDS_TO_COME_UP / SECONDS_BETWEEN_LOOKS)):
        if written.exists():
            return written.read_text(encoding="utf-8")
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
    fail(EXIT_UNAVAILABLE, f"no scheduler on {allocation.first} within {SECONDS_TO_COME_UP} s")


def memory_mib_of_a_worker(parameters: Parameters, allocation: Allocation) -> int:
    """Equal parts of what is not reserved. A worker that comes near it is ended before the job is."""
    left = allocation.memory_mib - parameters.reserved_memory_mib
    return max(1, left // (allocation.cpus // parameters.threads))


async def start_workers(
    cluster: AsyncExitStack, parameters: Parameters, allocation: Allocation, scheduler: str, scratch: str
) -> list[Nanny]:
    """This node's workers, each under a nanny that starts it again; they end with `cluster`."""
    nannies = [
        Nanny(
            scheduler,
            name=f"{allocation.nodes[allocation.rank]}-{number}",
            nthreads=parameters.threads,
            memory_limit=memory_mib_of_a_worker(parameters, allocation) * MIB,
            security=known_key(allocation.meeting),
            host=allocation.address,
            protocol="tls",
            local_directory=scratch,
            worker_class=JobWorker,
            dashboard=False,
        )
        for number in range(allocation.cpus // parameters.threads)
    ]
    await asyncio.gather(*map(cluster.enter_async_context, nannies))
    return nannies


async def everybody(attendance: Attendance) -> None:
    """Wait until all workers of all nodes are there."""
    try:
        async with asyncio.timeout(SECONDS_TO_COME_UP):
            await attendance.complete.wait()
    except TimeoutError:
        present = f"{len(attendance.present)} of {attendance.expected} workers"
        fail(EXIT_UNAVAILABLE, f"only {present} came within {SECONDS_TO_COME_UP} s")


async def run_script(parameters: Parameters, allocation: Allocation, scheduler: str, signals: Signals) -> int:
    """The script's exit code, negative when a signal ended it; these settings lead its `Client()` here."""
    key = str(allocation.meeting / "key")
    certificate = str(allocation.meeting / "certificate")
    signals.script = await asyncio.create_subprocess_exec(
        sys.executable,
        "-u",
        str(Path(__file__).with_name(SCRIPT_RUNNER)),
        str(EVENTS),
        parameters.script,
        *parameters.arguments,
        env={
            **os.environ,
            "DASK_SCHEDULER_ADDRESS": scheduler,
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": certificate,
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": certificate,
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": key,
        },
    )
    return await signals.script.wait()


def note(**facts: Any) -> None:  # noqa: ANN401 - JSON values
    """Append one object to the events, visible to readers at once."""
    with EVENTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")


def write(path: Path, text: str) -> None:
    """Whole or not at all, and for this account only."""
    temporary = path.with_name(path.name + ".new")
    temporary.touch(mode=0o600)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


if __name__ == "__main__":
    main()
