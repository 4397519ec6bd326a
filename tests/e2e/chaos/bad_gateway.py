"""A gateway in front of slurmrestd, as bad as it is told: slow, broken, or half an answer."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

BACKLOG = 64
_CHUNK = 65_536
_SLOW_SECONDS = 2.0


class Mood(StrEnum):
    """What it does with a connection whose request has come."""

    GOOD = "good"
    SLOW = "slow"
    """The request waits for two seconds."""
    BREAKS_BEFORE = "breaks_before"
    """503, and slurmrestd never hears of it."""
    BREAKS_AFTER = "breaks_after"
    """500, although slurmrestd did what was asked."""
    HALF = "half"
    """The first bytes of the answer, and the end of the connection."""
    DROPS = "drops"
    """The end of the connection, although slurmrestd did what was asked."""


@dataclass
class BadGateway:
    """Listens on a port of its own; each connection carries one request."""

    target: tuple[str, int]
    listener: socket.socket = field(
        default_factory=lambda: socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    )
    mood: Mood = Mood.GOOD
    met: dict[Mood, int] = field(default_factory=dict)
    """How many requests met each mood."""

    def __enter__(self) -> Self:
        host, port = self.listener.getsockname()
        self.url = f"http://{host}:{port}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(60)
            request = _read_request(connection)
            mood = self.mood
            self.met[mood] = self.met.get(mood, 0) + 1
            if mood is Mood.SLOW:
                time.sleep(_SLOW_SECONDS)
            if mood is Mood.BREAKS_BEFORE:
                connection.sendall(_failure("503 Service Unavailable"))
                return
            answer = self._ask(request)
            match mood:
                case Mood.BREAKS_AFTER:
                    connection.sendall(_failure("500 Internal Server Error"))
                case Mood.HALF:
                    connection.sendall(answer[: max(1, len(answer) // 2)])
                case Mood.DROPS:
                    pass
                case _:
                    connection.sendall(answer)

    def _ask(self, request: bytes) -> bytes:
        with socket.create_connection(self.target, timeout=60) as server:
            server.sendall(request)
            parts = []
            while part := server.recv(_CHUNK):
                parts.append(part)
        return b"".join(parts)


def _read_request(connection: socket.socket) -> bytes:
    """All of it, with `Connection: close` instead of what the client wanted."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    sizes = [line.partition(b":")[2] for line in lines if line.lower().startswith(b"content-length:")]
    while sizes and len(body) < int(sizes[0]):
        body += _more(connection)
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(_CHUNK)
    if not part:
        raise ConnectionAbortedError
    return part


def _failure(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
