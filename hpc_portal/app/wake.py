"""Wake-ups from web processes to the controller, so that a submitted job starts at once.

A wake-up says "look at the database now" and nothing more; one that is lost costs a polling interval. On
SQLite all processes share a machine: a datagram socket in the state folder. On PostgreSQL: NOTIFY.
"""

import asyncio
import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from hpc_portal.app.db import patience

CHANNEL = "hpc_portal_wake"
_NOTIFY = text(f"NOTIFY {CHANNEL}")


class WakeSender(Protocol):
    """Tells the controller that there is something to do."""

    def notify(self) -> None:
        """Never blocks, never fails: a lost wake-up only costs time."""
        ...


class WakeListener(Protocol):
    """Sets an event whenever a wake-up arrives."""

    async def listen(self, event: asyncio.Event) -> None:
        """Run until cancelled."""
        ...


class SocketWake:
    """Wake-ups over a UNIX datagram socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def notify(self) -> None:
        """Send one byte; nobody listening or a full buffer is fine."""
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        with sender, contextlib.suppress(OSError):
            sender.sendto(b"!", _short(self._path))

    async def listen(self, event: asyncio.Event) -> None:
        """Bind the path (the last listener wins) and set the event for each datagram."""
        self._path.unlink(missing_ok=True)
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            receiver.bind(_short(self._path))
            self._path.chmod(0o600)
            loop = asyncio.get_running_loop()
            while True:
                await loop.sock_recv(receiver, 64)
                event.set()
        finally:
            receiver.close()


class PostgresWake:
    """Wake-ups by LISTEN and NOTIFY; a thread sends them, so that nobody waits for the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wanted = threading.Event()
        self._starting = threading.Lock()
        self._sender: threading.Thread | None = None

    def notify(self) -> None:
        """Have a NOTIFY sent; those wanted before it goes out are one."""
        self._wanted.set()
        with self._starting:
            if self._sender is None:
                self._sender = threading.Thread(target=self._send, name="wake-sender", daemon=True)
                self._sender.start()

    def _send(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            with contextlib.suppress(SQLAlchemyError), self._engine.begin() as connection:
                connection.execute(_NOTIFY)

    async def listen(self, event: asyncio.Event) -> None:
        """Hold one connection for LISTEN; reconnects after a pause when it is lost."""
        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        target = make_conninfo(url, **patience())
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                async with await psycopg.AsyncConnection.connect(target, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    async for _ in connection.notifies():
                        event.set()
            await asyncio.sleep(1)


class SharedWake:
    """One listener for all controllers of a process: a socket has one reader, and a database one LISTEN."""

    def __init__(self, listener: WakeListener) -> None:
        self._listener = listener
        self._events: set[asyncio.Event] = set()
        self._relaying: asyncio.Task[None] | None = None

    async def listen(self, event: asyncio.Event) -> None:
        """Set this event, too, for each wake-up; the last one that leaves ends the listening."""
        self._events.add(event)
        if self._relaying is None or self._relaying.done():
            self._relaying = asyncio.create_task(self._relay())
        relaying = self._relaying
        try:
            await asyncio.shield(relaying)
        finally:
            self._events.discard(event)
            if not self._events:
                relaying.cancel()
                self._relaying = None

    async def _relay(self) -> None:
        heard = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listener.listen(heard))
            while True:
                await heard.wait()
                heard.clear()
                for event in self._events:
                    event.set()


def _short(path: Path) -> str:
    """A spelling of the path that fits into a socket address (108 bytes)."""
    absolute = str(path.absolute())
    relative = os.path.relpath(absolute)
    return min(absolute, relative, key=len)
