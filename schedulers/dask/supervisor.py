"""The daemon of a node: owns its runs, outlives the portal and the Dask worker, remembers how runs ended.

Started by `start_supervisor.ensure_supervisor`; one per state folder. Speaks JSON lines over a UNIX socket
that only its owner may open. A request `{"id", "op", ...}` gets `{"id", "result"}` or `{"id", "error"}`;
`{"push": {"runs", "drained"}}` comes unasked. Nothing but the standard library is imported, to stay small.
"""

import argparse
import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from schedulers.dask import processes
from schedulers.dask.messages import RunReport
from schedulers.dask.node import NodeConfig
from schedulers.dask.start_supervisor import SOCKET_NAME
from schedulers.dask.supervision import Supervision

PUSH_SECONDS = 0.005
"""The longest that a change waits for company before it is pushed."""
TICK_SECONDS = 0.25
MAX_LINE_BYTES = 1 << 30
MAX_UNREAD_BYTES = 256 << 20
"""A client that leaves so much unread is dropped; it asks for the list when it returns."""
ANOTHER_RUNS = 3
"""Exit code when the state folder has its supervisor already."""
LEAVE_SECONDS = 5.0


class Server:
    """Clients on one side, the supervision on the other."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._clients: set[asyncio.StreamWriter] = set()
        self._changed: dict[str, RunReport] = {}
        self._drained: list[str] = []
        self._pushed = 0.0
        self._push_is_due = False
        self._heard = self._used = time.monotonic()
        self._leave = asyncio.Event()
        self._supervision = Supervision(config, on_change=self._push_soon)

    async def serve(self, listening: socket.socket) -> None:
        """Serve until told to leave, or until nothing ran and nobody was connected for the idle time."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave.set)
        server = await asyncio.start_unix_server(self._serve_client, sock=listening, limit=MAX_LINE_BYTES)
        async with server:
            while not self._leave.is_set():
                self._tick()
                try:
                    await asyncio.wait_for(self._leave.wait(), TICK_SECONDS)
                except TimeoutError:
                    continue
            self._supervision.end_all("The node was shut down.")
            ends_by = time.monotonic() + LEAVE_SECONDS
            while self._supervision.is_busy and time.monotonic() < ends_by:  # noqa: ASYNC110 - rare and short
                await asyncio.sleep(PUSH_SECONDS)
            self._push()
            self._supervision.close()
            for client in self._clients:
                client.close()

    def _tick(self) -> None:
        now = time.monotonic()
        grace = self._config.orphan_grace_seconds
        if self._clients or self._supervision.is_busy:
            self._used = now
        if now - self._used >= self._config.idle_exit_seconds:
            self._leave.set()
        if grace is not None and now - self._heard >= grace and self._supervision.is_busy:
            self._supervision.end_all("The node lost touch with the portal.")
        self._supervision.tick()

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            while line := await reader.readline():
                self._heard = time.monotonic()
                request = json.loads(line)
                _send(writer, {"id": request["id"], **self._answer(request)})
                await writer.drain()
        except (ConnectionError, ValueError):
            traceback.print_exc()
        finally:
            self._clients.discard(writer)
            writer.close()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"result": self._do(request)}
        except Exception as problem:  # noqa: BLE001 - one bad request must not end the runs of a node
            traceback.print_exc()
            return {"error": f"{type(problem).__name__}: {problem}"}

    def _do(self, request: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        supervision = self._supervision
        match request["op"]:
            case "launch":
                supervision.launch(request["lanes"])
            case "cancel":
                supervision.cancel(
                    keys=request["keys"], jobs=request["jobs"], grace_seconds=request["grace_seconds"]
                )
            case "recall":
                supervision.recall(request["keys"])
            case "walltimes":
                supervision.set_walltimes(request["walltimes"])
            case "list":
                return [report.to_json() for report in supervision.reports()]
            case "forget":
                supervision.forget(request["keys"])
            case "configure":
                self._config = NodeConfig.from_json(request["config"])
                supervision.configure(self._config)
            case "status":
                return supervision.status()
            case other:
                raise ValueError(f"There is no request {other!r}.")
        return None

    def _push_soon(self, reports: Iterable[RunReport], drained: Iterable[str]) -> None:
        self._changed.update((report.key, report) for report in reports)
        self._drained += drained
        if not self._push_is_due and (self._changed or self._drained):
            self._push_is_due = True
            due_in = max(0.0, self._pushed + PUSH_SECONDS - time.monotonic())
            asyncio.get_running_loop().call_later(due_in, self._push)

    def _push(self) -> None:
        self._push_is_due = False
        self._pushed = time.monotonic()
        runs = [report.to_json() for report in self._changed.values()]
        news = {"push": {"runs": runs, "drained": self._drained}}
        for client in self._clients:
            if client.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
                client.transport.abort()
            else:
                _send(client, news)
        self._changed = {}
        self._drained = []


def _send(client: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    client.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")


def listen(state_dir: Path) -> socket.socket:
    """The socket in the state folder, which must be ours alone by then."""
    (state_dir / SOCKET_NAME).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    folder = os.open(state_dir, os.O_PATH | os.O_DIRECTORY)
    try:  # by descriptor, because a socket's path may have 107 characters only
        listening.bind(f"/proc/self/fd/{folder}/{SOCKET_NAME}")
    finally:
        os.close(folder)
    (state_dir / SOCKET_NAME).chmod(0o600)
    return listening


def main() -> None:
    """Read a NodeConfig from stdin, become its node's supervisor, detach, and serve.

    The process that was called returns once the socket takes connections; 3 says that another has it.
    """
    parser = argparse.ArgumentParser(prog="schedulers.dask.supervisor", description=main.__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="folder of socket, journal and log")
    parser.add_argument("--foreground", action="store_true", help="do not detach")
    state_dir: Path = parser.parse_args().state_dir
    config = NodeConfig.from_json({**json.load(sys.stdin), "state_dir": str(state_dir)})
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    state_dir.chmod(0o700)
    lock = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(ANOTHER_RUNS)
    ready = -1 if parser.parse_args().foreground else _detach(state_dir)
    os.umask(0o077)
    processes.close_to_inspection()
    processes.adopt_orphans()
    asyncio.run(_serve(config, state_dir, ready))


async def _serve(config: NodeConfig, state_dir: Path, ready: int) -> None:
    server = Server(config)
    listening = listen(state_dir)
    if ready >= 0:
        os.write(ready, b"ready")
        os.close(ready)
    await server.serve(listening)


def _detach(state_dir: Path) -> int:
    """Go on in a child of its own session; the parent leaves once the child has written to the result."""
    waiting, ready = os.pipe2(os.O_CLOEXEC)
    if os.fork():
        os.close(ready)
        os._exit(0 if os.read(waiting, 5) else 1)
    os.close(waiting)
    os.setsid()
    os.chdir("/")
    log = os.open(state_dir / "supervisor.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, source in enumerate((nothing, log, log)):
        os.dup2(source, descriptor)
    return ready


if __name__ == "__main__":
    main()
