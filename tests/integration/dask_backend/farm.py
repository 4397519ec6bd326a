"""Real Dask schedulers, workers and supervisors in processes of their own, and their clean end."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from schedulers.dask.backend import DaskScheduler
from schedulers.dask.link import ExternalCluster
from schedulers.dask.store import MemoryPlacementStore
from tests.contract.benches import LICENSES, MAIN
from tests.integration.dask_backend.authority import Certificate
from tests.portal_processes import all_processes
from tests.ports import free_port

PATIENT_SECONDS = 300.0
"""How long a node may be out of reach where a test is not about losing it."""


@dataclass
class Farm:
    """A folder, a Dask scheduler's address, and the processes that were started."""

    folder: Path
    port: int = field(default_factory=free_port)
    certificate: Certificate | None = None
    """What scheduler and workers show each other; without it they speak in the clear."""
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where the Dask scheduler listens."""
        return f"{'tls' if self.certificate else 'tcp'}://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        """Start a Dask scheduler, the first one or one in place of a dead one."""
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        self._start("scheduler", ["scheduler", *options, "--dashboard-address", "127.0.0.1:0"], {})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        message = "the Dask scheduler does not listen"
        raise AssertionError(message)

    def start_worker(self, node: str, *, orphan_grace_seconds: float = PATIENT_SECONDS) -> None:
        """Start a worker for a node; the node's supervisor is found again or started."""
        environment = {
            "HPC_NODE_NAME": node,
            "HPC_NODE_STATE_DIR": str(self.folder / node),
            "HPC_NODE_WORKSPACE_ROOT": str(self.folder / "workspaces"),
            "HPC_NODE_CPUS": "2",
            "HPC_NODE_MEMORY_MIB": "2048",
            "HPC_NODE_GPUS": "{}",
            "HPC_NODE_ALLOW_UNISOLATED_TENANTS": "1",
            "HPC_NODE_ORPHAN_GRACE_SECONDS": str(orphan_grace_seconds),
        }
        options = ["--no-nanny", "--no-dashboard", "--nthreads", "1", "--memory-limit", "0"]
        local = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
        scratch = ["--local-directory", str(self.folder / f"scratch-{node}")]
        preload = ["--preload", "schedulers.dask.plugin"]
        self._start(node, ["worker", self.address, *options, *local, *scratch, *preload], environment)

    def kill(self, name: str) -> None:
        """Kill -9 one of the processes."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def kill_supervisor(self, node: str) -> None:
        """Kill -9 a node's supervisor: its machine lost power, as far as runs are concerned."""
        (found,) = [p for p in self._ours() if str(self.folder / node) in " ".join(_command(p))]
        found.kill()
        found.wait()

    def stop(self) -> None:
        """End everything that was started here, supervisors included."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        left = self._ours()
        for supervisor in left:
            with suppress(psutil.NoSuchProcess):
                supervisor.send_signal(signal.SIGTERM)
        psutil.wait_procs(left, timeout=20)

    def _ours(self) -> list[psutil.Process]:
        return [p for p in all_processes() if _is_supervisor_of(self.folder, p)]

    def _start(self, name: str, arguments: list[str], environment: dict[str, str]) -> None:
        shown = self.certificate.as_options() if self.certificate else []
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments, *shown],
                env={**os.environ, "PYTHONPATH": str(Path.cwd()), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return list(process.cmdline())
    return []


def _is_supervisor_of(folder: Path, process: psutil.Process) -> bool:
    command = _command(process)
    return "schedulers.dask.supervisor" in command and str(folder) in " ".join(command)


@contextmanager
def farm() -> Iterator[Farm]:
    """A farm whose folder is short (sockets) and open to the accounts of jobs."""
    folder = Path(tempfile.mkdtemp(prefix="hpc-"))
    folder.chmod(0o755)
    built = Farm(folder)
    try:
        yield built
    finally:
        built.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def connected(
    built: Farm,
    store: MemoryPlacementStore,
    *,
    nodes: int,
    node_fail_after_seconds: float = PATIENT_SECONDS,
    cluster: ExternalCluster | None = None,
) -> DaskScheduler:
    """A started backend that has met so many nodes; it needs a `cluster` where certificates are asked."""
    scheduler = DaskScheduler(
        "danang",
        cluster or ExternalCluster(built.address),
        store,
        partitions=[MAIN],
        licenses=LICENSES,
        node_fail_after_seconds=node_fail_after_seconds,
        grace_seconds=1.0,
    )
    await scheduler.start()
    deadline = time.monotonic() + 60
    while sum(node.state == "up" for node in (await scheduler.cluster()).nodes) < nodes:
        assert time.monotonic() < deadline, "the nodes did not come"
        await asyncio.sleep(0.05)
    return scheduler
