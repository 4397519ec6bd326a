"""The supervisor's end of one executor: its pipes, its life and its death."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from schedulers.dask import processes
from schedulers.dask.isolation import Cell, Isolation, executor_command, executor_environment, inherited
from schedulers.dask.node import NodeConfig

_LAST_WORDS_BYTES = 500


class ExecutorProcess:
    """One running executor; `on_reports` gets each batch that it sends, `on_end` is called once, last."""

    def __init__(
        self,
        isolation: Isolation,
        cell: Cell,
        config: NodeConfig,
        *,
        on_reports: Callable[["ExecutorProcess", list[list[Any]]], None],
        on_end: Callable[["ExecutorProcess"], None],
    ) -> None:
        self.lanes: set[str] = set()
        self.idle_since = time.monotonic()
        self.is_ready = False
        self.fate = ""
        """Why the supervisor itself has ended it, if so; told as the reason of NODE_FAIL."""
        self._is_killed = False
        self._on_reports = on_reports
        self._on_end = on_end
        self._files = Path(cell.files_dir)
        self._received = b""
        self._unsent = b""
        self._loop = asyncio.get_running_loop()
        self.cgroup = cell.cgroup
        entered = self.cgroup.entered() if self.cgroup else nullcontext()
        with (self._files / "stderr").open("ab") as errors, entered:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                executor_command(isolation, cell, config),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=executor_environment(),
                cwd="/",
                umask=0o022,  # bwrap's mount points must be passable for the tenant
                pass_fds=inherited(isolation, cell),
                start_new_session=True,
            )
        assert self._process.stdin  # noqa: S101 - for mypy
        assert self._process.stdout  # noqa: S101 - for mypy
        process = processes.read_process(self._process.pid)
        self.start_ticks = process.start_ticks if process else 0
        self._commands = self._process.stdin.fileno()
        self._reports = self._process.stdout.fileno()
        for descriptor in (self._commands, self._reports):
            os.set_blocking(descriptor, False)
        self._exit = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._reports, self._read)
        self._loop.add_reader(self._exit, self._end)

    @property
    def pid(self) -> int:
        """Of the outermost process, as seen from here."""
        return self._process.pid

    def send(self, command: dict[str, Any]) -> None:
        """Queue one command; never blocks."""
        idle = not self._unsent
        self._unsent += json.dumps(command).encode() + b"\n"
        if idle:
            self._write()

    def close(self) -> None:
        """Let it end by itself: it has nothing to do."""
        self._loop.remove_writer(self._commands)
        if self._process.stdin:
            self._process.stdin.close()

    def kill(self, fate: str) -> None:
        """End it and all below it at once; what it says while it dies counts no more."""
        while self._read():
            pass
        self.fate = fate
        self._is_killed = True
        processes.kill_descendants([self.pid])

    def last_words(self) -> str:
        """The end of what it wrote to stderr."""
        try:
            return (self._files / "stderr").read_text(errors="replace").strip()[-_LAST_WORDS_BYTES:]
        except FileNotFoundError:
            return ""

    def _write(self) -> None:
        try:
            written = os.write(self._commands, self._unsent)
        except BlockingIOError:
            written = 0
        except OSError:  # it is gone; _end tells
            written = len(self._unsent)
        self._unsent = self._unsent[written:]
        if self._unsent:
            self._loop.add_writer(self._commands, self._write)
        else:
            self._loop.remove_writer(self._commands)

    def _read(self) -> bool:
        try:
            chunk = os.read(self._reports, 1 << 20)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.remove_reader(self._reports)
        *lines, self._received = (self._received + chunk).split(b"\n")
        for line in lines:
            facts = json.loads(line)
            if facts == [["ready"]]:
                self.is_ready = True
            elif not self._is_killed:
                self._on_reports(self, facts)
        return bool(chunk)

    def _end(self) -> None:
        while self._read():
            pass
        for descriptor in (self._reports, self._exit):
            self._loop.remove_reader(descriptor)
        self.close()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        os.close(self._exit)
        self._on_end(self)
        for file in self._files.iterdir():
            file.unlink()
        self._files.rmdir()
