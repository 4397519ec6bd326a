"""A real supervisor with real processes, spoken to over its socket."""

import contextlib
import itertools
import json
import os
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schedulers.dask.messages import Command, Lane, Run, RunReport, Tenant
from schedulers.dask.node import NodeConfig
from schedulers.dask.processes import is_dead, read_process
from schedulers.dask.start_supervisor import connect, ensure_supervisor

PATIENCE_SECONDS = 60.0
ALICE = Tenant("chip-a", "cpu-core", "alice", 61001)
BINH = Tenant("startup-b", "modem", "binh", 61002)


def wait_until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def processes_with(text: str) -> list[int]:
    """Living processes whose command line holds the text."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdecimal() and text.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


def unique_seconds() -> str:
    """A long time to sleep that no other process sleeps: it names the sleepers."""
    return f"9{secrets.randbelow(10**9):09}"


class NodeUnderTest:
    """One supervisor and one connection to it."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.runs: dict[str, RunReport] = {}
        self.ended_in_order: list[str] = []
        self.drained: set[str] = set()
        self._numbers = itertools.count()
        self.connect()

    def connect(self) -> None:
        self._socket = connect(ensure_supervisor(self.config))
        self._socket.settimeout(PATIENCE_SECONDS)
        self._stream = self._socket.makefile("rwb")

    def disconnect(self) -> None:
        with contextlib.suppress(OSError):  # it may be gone
            self._stream.close()
        self._socket.close()

    def stop(self) -> None:
        """End the supervisor and all that it runs."""
        self.disconnect()
        self.connect()
        status = self.status
        os.kill(status["pid"], signal.SIGTERM)
        self.disconnect()
        wait_until(lambda: not any(map(is_alive, (status["pid"], *status["executors"]))), "an empty node")

    def request(self, operation: str, **fields: object) -> Any:  # noqa: ANN401 - JSON
        number = next(self._numbers)
        request = {"id": number, "op": operation, **fields}
        self._stream.write(json.dumps(request).encode() + b"\n")
        self._stream.flush()
        while True:
            message = json.loads(self._stream.readline())
            if "push" in message:
                self._take(message["push"])
                continue
            assert message["id"] == number
            assert "error" not in message, message
            return message["result"]

    def _take(self, push: dict[str, Any]) -> None:
        for fields in push["runs"]:
            report = RunReport.from_json(fields)
            self.runs[report.key] = report
            if report.has_ended:
                self.ended_in_order.append(report.key)
        self.drained.update(push["drained"])

    @property
    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.request("status")
        return answer

    def listed(self) -> dict[str, RunReport]:
        reports = [RunReport.from_json(fields) for fields in self.request("list")]
        return {report.key: report for report in reports}

    def lane(  # noqa: PLR0913 - all by name
        self,
        job: str,
        script: str,
        *,
        tenant: Tenant = ALICE,
        tasks: range = range(1),
        argv: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        walltime_seconds: int = 600,
        grace_seconds: float = 1.0,
        warning_seconds: int = 0,
        memory_mib: int = 512,
        cpus: int = 1,
        gpu_indices: tuple[int, ...] = (),
    ) -> Lane:
        """A lane whose job's folder exists; its id is the job's and the first task's."""
        workspace = self.workspace(job, tenant)
        workspace.mkdir(parents=True, exist_ok=True)
        command = Command(
            tenant=tenant,
            argv=argv or ("/bin/sh", "-c", script),
            environment=environment or {},
            workspace=str(workspace),
            working_directory=str(workspace),
            walltime_seconds=walltime_seconds,
            grace_seconds=grace_seconds,
            warning_signal="SIGUSR1" if warning_seconds else None,
            warning_seconds_before_end=warning_seconds,
        )
        runs = tuple(
            Run(
                key=f"{job}/{task}/0/0",
                environment={"HPC_ARRAY_TASK_ID": str(task)},
                stdout=f"{workspace}/{task}.out",
                stderr=f"{workspace}/{task}.err",
                samples=f"{workspace}/samples/{task}.jsonl",
            )
            for task in tasks
        )
        return Lane(f"{job}-{tasks.start}", command, runs, cpus, memory_mib, gpu_indices)

    def launch(self, *lanes: Lane) -> None:
        self.request("launch", lanes=[lane.to_json() for lane in lanes])

    def run(self, script: str, **options: Any) -> RunReport:  # noqa: ANN401 - those of `lane`
        """Run a script of job `job` to its end."""
        lane = self.lane("job", script, **options)
        self.launch(lane)
        return self.wait_for_end(lane.runs[0].key)

    def cancel(self, *jobs: str, keys: tuple[str, ...] = (), grace_seconds: float = 0.5) -> None:
        self.request("cancel", keys=list(keys), jobs=list(jobs), grace_seconds=grace_seconds)

    def wait_for_end(self, key: str) -> RunReport:
        self.wait(lambda: key in self.runs and self.runs[key].has_ended, f"the end of {key}")
        return self.runs[key]

    def wait_for_start(self, key: str) -> None:
        self.wait(lambda: key in self.runs, f"the start of {key}")

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Take in pushes until the condition holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}; known: {self.runs}"
            line = self._stream.readline()
            assert line, f"the supervisor hung up before {what}"
            self._take(json.loads(line)["push"])

    def workspace(self, job: str = "job", tenant: Tenant = ALICE) -> Path:
        root = Path(self.config.workspace_root)
        return root / tenant.organisation / tenant.project / tenant.cluster_user / job

    def output(self, job: str = "job", task: int = 0, *, tenant: Tenant = ALICE) -> str:
        return (self.workspace(job, tenant) / f"{task}.out").read_text()

    def errors(self, job: str = "job", task: int = 0) -> str:
        return (self.workspace(job) / f"{task}.err").read_text()

    def wait_for_output(self, text: str, job: str = "job", *, tenant: Tenant = ALICE) -> None:
        path = self.workspace(job, tenant) / "0.out"
        wait_until(lambda: path.exists() and text in path.read_text(), f"{text!r} in {path}")

    def kill_supervisor(self) -> None:
        """SIGKILL it. Its successor kills every process on this machine that carries a key of its lost runs.

        So a job that runs now must have a name of its own: other tests' nodes run `job` beside this one.
        """
        assert not any(key.startswith("job/") for key, run in self.listed().items() if not run.has_ended)
        pid = self.status["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), "the supervisor's death")


def is_alive(pid: int) -> bool:
    return not is_dead(read_process(pid))
