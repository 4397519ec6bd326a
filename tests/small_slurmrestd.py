"""A small HTTP server on a real socket that answers as a test tells it to: replies, hangs, or hangs up."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """A whole answer; `body` that is no text becomes JSON."""

    body: Any = None
    status: int = 200


class HangUp:
    """The request was read; the connection ends without an answer."""


class Silence:
    """The request was read; no answer comes, and the connection stays."""


class HalfAReply:
    """The answer's head and the beginning of its body; then the connection ends."""


Fate = Reply | HangUp | Silence | HalfAReply
Answer = Callable[[Asked], Fate]


@dataclass
class SmallSlurmrestd:
    """What it was asked, and how to reach it."""

    url: str
    asked: list[Asked] = field(default_factory=list, repr=False)
    at_once: int = 0
    """Requests that wait for their answer now."""
    most_at_once: int = 0

    def paths(self) -> list[str]:
        return [request.path for request in self.asked]


@asynccontextmanager
async def small_slurmrestd(
    answer: Answer,
    *,
    socket: Path | None = None,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
    pause: Callable[[], Any] | None = None,
) -> AsyncIterator[SmallSlurmrestd]:
    """Serve until the block ends. `pause` is awaited before each answer, when given."""
    seen = SmallSlurmrestd("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                seen.asked.append(request)
                seen.at_once += 1
                seen.most_at_once = max(seen.most_at_once, seen.at_once)
                if pause is not None:
                    await pause()
                seen.at_once -= 1
                if not await _answer(answer(request), writer):
                    return
        finally:
            writer.close()

    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    if socket is not None:
        server = await asyncio.start_unix_server(connected, path=socket)
        seen.url = f"unix://{socket}"
    else:
        server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=tls)
        seen.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield seen
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Asked(
        method, url.path, tuple(parse_qsl(url.query)), headers, json.loads(content) if content else None
    )


async def _answer(what: Fate, writer: asyncio.StreamWriter) -> bool:
    match what:
        case Reply(body, status):
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            kind = "text/plain" if isinstance(body, str) else "application/json"
            head = f"HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n"
            writer.write(head.encode() + content)
            await writer.drain()
            return True
        case Silence():
            await asyncio.get_running_loop().create_future()
        case HalfAReply():
            writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"jobs": [')
            await writer.drain()
        case HangUp():
            pass
    return False
