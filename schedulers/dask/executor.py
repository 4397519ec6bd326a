"""Runs one tenant's jobs on a node: starts them, watches their limits, reaps them, leaves nothing behind.

Started by the supervisor inside the tenant's isolation, with nothing but the standard library. It reads
JSON lines from stdin and writes JSON lines to stdout; the end of stdin means that the supervisor is gone,
and then everything here ends. As process 1 of a sandbox it cannot be killed or stopped by its own jobs.
"""

import json
import os
import selectors
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from schedulers.dask import processes
from schedulers.dask.cgroup import Cgroup
from schedulers.dask.messages import Lane, Run
from schedulers.dask.processes import RUN_KEY_VARIABLE
from schedulers.dask.run_cgroups import RunCgroups
from schedulers.dask.sampling import GpuMeter, Usage, append_sample
from schedulers.dask.start_process import Program, ignore_no_signals

LOOK_SECONDS = 0.5
"""Between two looks at the memory of runs; a run that is shorter is never looked at."""
FLUSH_SECONDS = 0.005
"""The longest that a report waits for company."""
RETRY_KILL_SECONDS = 0.1
CANNOT_EXECUTE, NOT_FOUND = 126, 127
"""Exit codes of a shell that could not start a program (sh(1))."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What the supervisor tells an executor first."""

    user: str
    path: str
    """PATH of every run."""
    temporary: str
    """TMPDIR of every run; "" puts it into each job's workspace."""
    visible_gpus: str
    """CUDA_VISIBLE_DEVICES of every run; "" hides them all."""
    gpu_indices: tuple[int, ...]
    """What the node calls these GPUs."""
    metered_gpus: tuple[int, ...]
    """What NVML calls them in here."""
    sample_seconds: float
    cgroup: int | None = None
    """Descriptor of the cgroup in which each run gets its own; None where memory is only watched."""
    cgroup_is_hidden: bool = False
    """Whether runs cannot reach the files of their cgroups, and so not lift their limits."""


@dataclass(slots=True)
class LaneQueue:
    """A lane and those of its runs that have not started."""

    lane: Lane
    waiting: deque[Run]
    environment: dict[str, str]
    """What its runs have in common."""

    @property
    def slot(self) -> str:
        """Lanes of one slot take turns."""
        return self.lane.slot or self.lane.lane_id


@dataclass(slots=True)
class Running:
    """One run whose main process exists."""

    run: Run
    queue: LaneQueue
    pid: int
    started_at: float
    started: float
    """Monotonic, as every instant below."""
    warn: float | None = None
    time_out: float = 0.0
    kill: float | None = None
    """When SIGKILL follows the SIGTERM that was sent."""
    verdict: str = ""
    """Why it is being ended: the state it will have, instead of what its exit code says."""
    reason: str = ""
    usage: Usage = field(default_factory=Usage)
    cgroup: Cgroup | None = None

    @property
    def next_step(self) -> float:
        """When something has to be done about it."""
        if self.kill is not None:
            return self.kill
        return self.time_out if self.warn is None else min(self.warn, self.time_out)


class Executor:
    """The loop: one thread, so that a process can never be reaped and signalled at once."""

    def __init__(self, setup: Setup, *, commands: int, reports: int) -> None:
        self._setup = setup
        self._commands = commands
        self._reports = reports
        self._lanes: dict[str, LaneQueue] = {}
        self._slots: dict[str, deque[LaneQueue]] = {}
        """Lanes that take turns: the first of each slot is at work."""
        self._active: dict[int, Running] = {}
        self._walltimes: dict[str, int] = {}
        """Of runs whose limit was changed after their lane had come."""
        self._received = b""
        self._unsent: list[list[Any]] = []
        self._flushed = 0.0
        self._next_look = 0.0
        self._cgroups = RunCgroups(setup.cgroup)
        self._meter = GpuMeter(setup.metered_gpus)
        self._no_input = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._wake, wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        ignore_no_signals()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)  # a job's; ignoring it would be inherited by jobs

    def serve(self) -> None:
        """Work until stdin ends; then end every process and return."""
        os.set_blocking(self._commands, False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._commands, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            try:
                while self._work({key.fd for key, _ in selector.select(self._timeout())}):
                    pass
            finally:
                _kill_everything_below()

    def _work(self, ready: set[int]) -> bool:
        if self._wake in ready:
            os.read(self._wake, 4096)
        self._reap()
        if self._commands in ready and not self._read_commands():
            return False
        self._step()
        self._look()
        self._flush()
        return True

    def _timeout(self) -> float:
        instants = [running.next_step for running in self._active.values()]
        if self._active:
            instants.append(self._next_look)
        if self._unsent:
            instants.append(self._flushed + FLUSH_SECONDS)
        return max(0.0, min(instants, default=time.monotonic() + 60) - time.monotonic())

    # Commands

    def _read_commands(self) -> bool:
        try:
            chunk = os.read(self._commands, 1 << 20)
        except BlockingIOError:
            return True
        *lines, self._received = (self._received + chunk).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "lane" in command:
                self._open_lane(Lane.from_json(command["lane"]))
            elif "walltimes" in command:
                self._set_walltimes(command["walltimes"])
            elif "recall" in command:
                self._drop_waiting(frozenset(command["recall"]))
                self._close_empty_lanes()
            else:
                self._cancel(frozenset(command["cancel"]), command["grace_seconds"])
        return bool(chunk)

    def _open_lane(self, lane: Lane) -> None:
        queue = self._lanes.get(lane.lane_id)
        if queue:
            queue.waiting.extend(lane.runs)
            return
        queue = LaneQueue(lane, deque(lane.runs), self._common_environment(lane))
        self._lanes[lane.lane_id] = queue
        turn = self._slots.setdefault(queue.slot, deque())
        turn.append(queue)
        if turn[0] is queue:
            self._start_next(queue)

    def _cancel(self, keys: frozenset[str], grace_seconds: float) -> None:
        self._drop_waiting(keys)
        doomed = [r for r in self._active.values() if r.run.key in keys and not r.verdict]
        for running in doomed:
            self._end(running, "CANCELLED", "", grace_seconds)
        self._close_empty_lanes()

    def _set_walltimes(self, walltimes: dict[str, int]) -> None:
        self._walltimes.update(walltimes)
        for running in self._active.values():
            if running.run.key in walltimes:
                self._set_limits(running)

    def _set_limits(self, running: Running) -> None:
        """When it is warned and when it is out of time, by the latest word on its walltime."""
        command = running.queue.lane.command
        walltime = self._walltimes.get(running.run.key, command.walltime_seconds)
        running.time_out = running.started + walltime
        if command.warning_signal:
            running.warn = running.time_out - command.warning_seconds_before_end

    def _drop_waiting(self, keys: frozenset[str]) -> None:
        for queue in self._lanes.values():
            dropped = [run for run in queue.waiting if run.key in keys]
            if dropped:
                queue.waiting = deque(run for run in queue.waiting if run.key not in keys)
            for run in dropped:
                self._report("end", run.key, {"state": "CANCELLED", "ended_at": time.time()})

    def _close_empty_lanes(self) -> None:
        for queue in [queue for queue in self._lanes.values() if not queue.waiting]:
            self._close_if_done(queue)

    # The life of a run

    def _start_next(self, queue: LaneQueue) -> None:
        while queue.waiting:
            if self._start(queue, queue.waiting.popleft()):
                return
        self._close_if_done(queue)

    def _close_if_done(self, queue: LaneQueue) -> None:
        if queue.waiting or any(running.queue is queue for running in self._active.values()):
            return
        if self._lanes.pop(queue.lane.lane_id, None) is None:
            return
        turn = self._slots[queue.slot]
        was_at_work = turn[0] is queue
        turn.remove(queue)
        if not turn:
            del self._slots[queue.slot]
        elif was_at_work:
            self._start_next(turn[0])

    def _start(self, queue: LaneQueue, run: Run) -> bool:
        command = queue.lane.command
        started_at = time.time()
        files: list[int] = []
        try:
            files.append(_open_output(run.stdout))
            files.append(files[0] if run.stderr == run.stdout else _open_output(run.stderr))
            program = Program(
                argv=command.argv,
                stdin=self._no_input,
                stdout=files[0],
                stderr=files[1],
                working_directory=command.working_directory,
                environment=queue.environment | run.environment | self._own_environment(queue.lane, run),
            )
            pid, cgroup = self._cgroups.start(program, memory_mib=queue.lane.memory_mib)
        except (OSError, ValueError) as problem:
            self._report_unstartable(run, started_at, problem, files)
            return False
        finally:
            for descriptor in set(files):
                os.close(descriptor)
        started = time.monotonic()
        running = self._active[pid] = Running(
            run=run,
            queue=queue,
            pid=pid,
            started_at=started_at,
            started=started,
            usage=Usage(last_sample_at=started_at),
            cgroup=cgroup,
        )
        self._set_limits(running)
        if len(self._active) == 1:
            self._next_look = started + LOOK_SECONDS
        self._report("start", run.key, started_at)
        return True

    def _report_unstartable(self, run: Run, started_at: float, problem: Exception, files: list[int]) -> None:
        text = f"cannot start: {problem}"
        if files:
            os.write(files[-1], f"hpc: {text}\n".encode())
        end = {
            "state": "FAILED",
            "reason": text,
            "exit_code": NOT_FOUND if isinstance(problem, FileNotFoundError) else CANNOT_EXECUTE,
            "started_at": started_at,
            "ended_at": time.time(),
        }
        self._report("end", run.key, end)

    def _reap(self) -> None:
        while True:
            try:
                child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if child is None:
                return
            running = self._active.pop(child.si_pid, None)
            if running:
                # While its zombie still holds the number, no other group can have it.
                _kill_group(child.si_pid)
            _, status, usage = os.wait4(child.si_pid, 0)
            if running:
                self._finish(running, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024)

    def _finish(self, running: Running, status: int, cpu_seconds: float, max_rss_mib: int) -> None:
        # A clock that is set while it runs must make it neither dearer nor cheaper.
        ended_at = running.started_at + (time.monotonic() - running.started)
        self._walltimes.pop(running.run.key, None)
        self._kill_leftovers(running)
        oom_kills = self._leave_cgroup(running)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        code = None if number else os.WEXITSTATUS(status)
        if running.verdict:
            state, reason = running.verdict, running.reason
        elif oom_kills and (number or code):
            state, reason = "OUT_OF_MEMORY", f"used all of its {running.queue.lane.memory_mib} MiB"
        elif number:
            state, reason = "FAILED", f"RaisedSignal:{number}({signal.Signals(number).name})"
        else:
            state, reason = ("FAILED", "NonZeroExitCode") if code else ("COMPLETED", "")
        end = {
            "state": state,
            "reason": reason,
            "exit_code": code,
            "signal": number,
            "started_at": running.started_at,
            "ended_at": ended_at,
            "cpu_seconds": round(max(cpu_seconds, running.usage.cpu_seconds), 3),
            "max_rss_mib": max(max_rss_mib, running.usage.max_rss_mib),
            "gpu_busy_seconds": running.usage.gpu_busy_until(ended_at),
        }
        self._report("end", running.run.key, end)
        self._start_next(running.queue)

    def _leave_cgroup(self, running: Running) -> int:
        """How many of the run's processes the kernel killed at its limit."""
        if running.cgroup is None:
            return 0
        oom_kills = running.cgroup.oom_kills()
        self._cgroups.remove(running.cgroup)
        return oom_kills

    def _kill_leftovers(self, running: Running) -> None:
        if running.cgroup:
            running.cgroup.empty()
            return
        if not processes.has_children_beyond(self._active.keys()):
            return
        trees = self._trees(ended={running.pid: running.run.key})
        strays = trees.get(running.run.key, set()) | trees.get("", set())
        processes.kill_descendants(strays)

    def _trees(self, ended: dict[int, str] | None = None) -> dict[str, set[int]]:
        mains = {pid: running.run.key for pid, running in self._active.items()}
        return processes.trees_by_run(mains, processes.read_processes(), ended=ended)

    # Limits

    def _step(self) -> None:
        now = time.monotonic()
        for running in [running for running in self._active.values() if running.next_step <= now]:
            command = running.queue.lane.command
            if running.kill is not None:
                if running.cgroup:
                    running.cgroup.kill()
                else:
                    processes.kill_descendants(self._trees().get(running.run.key, {running.pid}))
                running.kill = now + RETRY_KILL_SECONDS
            elif now >= running.time_out:
                self._end(running, "TIMEOUT", "TimeLimit", command.grace_seconds)
            else:
                running.warn = None
                processes.send([running.pid], signal.Signals[command.warning_signal or "SIGUSR1"])

    def _end(self, running: Running, verdict: str, reason: str, grace_seconds: float) -> None:
        running.verdict, running.reason = verdict, reason
        running.kill = time.monotonic() + max(grace_seconds, 0)
        if grace_seconds > 0:
            processes.send(self._trees().get(running.run.key, ()), signal.SIGTERM)

    def _look(self) -> None:
        now = time.monotonic()
        if not self._active or now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        self._cgroups.tick()
        old = [running for running in self._active.values() if now - running.started >= LOOK_SECONDS]
        if not old:
            return
        seen = processes.read_processes()
        trees = processes.trees_by_run({pid: r.run.key for pid, r in self._active.items()}, seen)
        for running in old:
            running.usage.see(trees.get(running.run.key, set()), seen)
            self._sample(running)
            self._check_memory(running)

    def _sample(self, running: Running) -> None:
        now = time.time()
        if now - running.usage.last_sample_at >= self._setup.sample_seconds:
            gpus = self._meter.read()
            if gpus:
                running.usage.see_gpus(gpus["gpu_percent"], self._meter.count, now)
            append_sample(running.run.samples, running.usage, now, gpus)

    def _check_memory(self, running: Running) -> None:
        if running.cgroup and self._setup.cgroup_is_hidden:
            return  # the kernel does it, and counts better
        limit = running.queue.lane.memory_mib
        if running.verdict or running.usage.rss_mib <= limit:
            return
        used = processes.proportional_mib(running.usage.pids)
        if used > limit:
            self._end(running, "OUT_OF_MEMORY", f"used {used} MiB of {limit} MiB", 0)

    # Environment

    def _common_environment(self, lane: Lane) -> dict[str, str]:
        workspace = lane.command.workspace
        return {
            "PATH": self._setup.path,
            "HOME": workspace,
            "TMPDIR": self._setup.temporary or _private_temporary(workspace),
            "USER": self._setup.user,
            "LOGNAME": self._setup.user,
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": str(lane.cpus),
            **lane.command.environment,
        }

    def _own_environment(self, lane: Lane, run: Run) -> dict[str, str]:
        return {
            RUN_KEY_VARIABLE: run.key,
            "HPC_CPUS": str(lane.cpus),
            "HPC_MEMORY_MIB": str(lane.memory_mib),
            "HPC_GPU_INDICES": ",".join(map(str, self._setup.gpu_indices)),
            "CUDA_VISIBLE_DEVICES": self._setup.visible_gpus,
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        }

    # Reports

    def _report(self, *facts: Any) -> None:  # noqa: ANN401 - JSON
        self._unsent.append(list(facts))

    def _flush(self) -> None:
        now = time.monotonic()
        if not self._unsent or now < self._flushed + FLUSH_SECONDS:
            return
        _write_all(self._reports, json.dumps(self._unsent).encode() + b"\n")
        self._unsent.clear()
        self._flushed = now


def _kill_everything_below() -> None:
    while True:
        seen = processes.read_processes()
        below = processes.descendants([os.getpid()], seen) - {os.getpid()}
        alive = [pid for pid in below if not processes.is_dead(seen[pid])]
        if not alive:
            return
        processes.send(alive, signal.SIGKILL)
        time.sleep(0.005)


def _open_output(path: str) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o640)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - a hot path
        return os.open(path, flags, 0o640)


def _private_temporary(workspace: str) -> str:
    path = os.path.join(workspace, ".tmp")  # noqa: PTH118 - as above
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)  # noqa: PTH103 - as above
    except OSError:
        return workspace
    return path


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _protect_reports() -> int:
    """Move stdout out of reach, so that nothing that prints by mistake can break the protocol."""
    reports = os.dup(sys.stdout.fileno())
    os.set_inheritable(reports, False)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return reports


def main(arguments: Iterable[str] = sys.argv[1:]) -> None:
    """Serve; the only argument is the Setup as JSON."""
    fields = json.loads(next(iter(arguments)))
    setup = Setup(
        **{
            **fields,
            "gpu_indices": tuple(fields["gpu_indices"]),
            "metered_gpus": tuple(fields["metered_gpus"]),
        }
    )
    os.umask(0o027)
    processes.close_to_inspection()
    processes.adopt_orphans()
    if os.getpid() == 1:
        processes.die_with_parent()
    reports = _protect_reports()
    _write_all(reports, b'[["ready"]]\n')
    Executor(setup, commands=sys.stdin.fileno(), reports=reports).serve()
