"""The portal's real processes for crash tests and benchmarks: start them, kill -9 them, start them again."""

import hashlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx
import psutil
from sqlalchemy import insert

from hpc_portal.app.db import transact
from hpc_portal.app.ids import new_id
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ApiToken

OPERATOR = (sys.executable, "-m", "hpc_portal.cli.operator")
PATIENCE_SECONDS = 60.0
CLUSTER_UID_BASE = 61_000


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Poll until the condition holds, ever more rarely: never more than a twentieth of the wait too late.

    Raises:
        TimeoutError: it did not within the time; `what` is in the message.
    """
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        if waited > seconds:
            message = f"gave up after {seconds:.0f} s waiting for {what}"
            raise TimeoutError(message)
        time.sleep(max(0.05, waited / 20))


def issue_token(services: Services, user_id: UUID) -> str:
    """An API token of this person, written straight into the table."""
    token = f"hpc_{secrets.token_urlsafe(24)}"
    values = {
        "id": new_id(),
        "user_id": user_id,
        "name": "test",
        "token_hash": hashlib.sha256(token.encode()).hexdigest(),
        "created_at": datetime.now(UTC),
    }
    transact(services.engine, lambda connection: connection.execute(insert(ApiToken).values(values)))
    return token


def all_processes() -> Iterator[psutil.Process]:
    """Those of this machine, with their `cmdline`: psutil remembers some whose number is another's by now."""
    psutil.process_iter.cache_clear()
    return psutil.process_iter(["cmdline"])


@dataclass
class Processes:
    """Named processes that share one environment; all are gone at the end, and what they left behind, too."""

    folder: Path
    environment: Mapping[str, str]
    commands: dict[str, tuple[str, ...]] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error:
            for name in self.commands:
                error.add_note(f"--- the end of {name}'s log\n{self.log(name)[-3000:]}")
        for name in list(self.running):
            self.kill(name)
        self.end_supervisors()

    def start(self, name: str, *command: str) -> None:
        """Start it, or start it again with the command it had before."""
        if command:
            self.commands[name] = command
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.commands[name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send it a signal and wait until it is gone."""
        process = self.running.pop(name)
        if process.poll() is None:
            process.send_signal(number)
        process.wait(PATIENCE_SECONDS)

    def revive(self) -> None:
        """Start again what ended by itself, as service managers do: a Dask worker ends with its scheduler."""
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                self.start(name)

    def log(self, name: str) -> str:
        """What it printed so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end_supervisors(self) -> None:
        """Kill the supervisors of nodes below the folder; their runs end with them."""
        for process in all_processes():
            words = process.info["cmdline"] or []
            if "schedulers.dask.supervisor" in words and any(str(self.folder) in word for word in words):
                with suppress(psutil.NoSuchProcess):
                    process.kill()


@dataclass(frozen=True)
class Client:
    """One person's HTTP client that keeps trying while processes come and go."""

    url: str
    token: str

    def request(self, method: str, path: str, **more: object) -> httpx.Response:
        """Send until there is an answer below 500."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        headers = {"Authorization": f"Bearer {self.token}", **dict(more.pop("headers", {}))}  # type: ignore[call-overload]
        while True:
            try:
                answer = httpx.request(
                    method,
                    f"{self.url}{path}",
                    headers=headers,
                    timeout=10,
                    verify=False,  # noqa: S501 - plain HTTP; to read all certificates takes 20 ms each time
                    trust_env=False,
                    **more,  # type: ignore[arg-type]
                )
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
                continue
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                return answer
            if time.monotonic() > deadline:
                answer.raise_for_status()
            time.sleep(0.05)
