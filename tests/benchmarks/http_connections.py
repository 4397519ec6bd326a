"""HTTP/1.1 over plain sockets for load generators, streams included: little CPU for each request."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import httptools

IDLE_SECONDS = 3.0
"""Connections that rested longer are not used again: uvicorn closes them after five."""


@dataclass(frozen=True)
class Answer:
    """What came back, as it came over the wire."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """One request at a time; httptools calls the `on_` methods."""

    def __init__(self, on_chunk: Callable[[bytes], None] | None = None) -> None:
        self.rests_since = 0.0
        self.is_closed = False
        self._on_chunk = on_chunk
        self._chunks: list[bytes] = []
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed before the answer ended"))

    def on_body(self, body: bytes) -> None:
        if self._on_chunk:
            self._on_chunk(body)
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        assert self._answer
        if not self._answer.done():
            self._answer.set_result(Answer(self._parser.get_status_code(), b"".join(self._chunks)))

    def close(self) -> None:
        self._transport.close()

    async def ask(self, head: bytes, body: bytes = b"") -> Answer:
        """Send one request and wait for the whole answer, which for a stream is its end.

        Raises:
            OSError: the connection was closed before.
        """
        self._chunks = []
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head + body)
        return await self._answer


class Connections:
    """What a proxy keeps open to each replica."""

    def __init__(self) -> None:
        self._resting: defaultdict[int, list[Connection]] = defaultdict(list)

    async def ask(self, port: int, head: bytes, body: bytes = b"") -> Answer:
        """One request over a connection that rests, else over a new one."""
        loop = asyncio.get_running_loop()
        connection = self._rested(port, loop.time()) or await connect(port)
        answer = await connection.ask(head, body)
        connection.rests_since = loop.time()
        self._resting[port].append(connection)
        return answer

    def _rested(self, port: int, now: float) -> Connection | None:
        resting = self._resting[port]
        while resting:
            connection = resting.pop()
            if not connection.is_closed and now - connection.rests_since < IDLE_SECONDS:
                return connection
            connection.close()
        return None


async def connect(port: int, on_chunk: Callable[[bytes], None] | None = None) -> Connection:
    """A connection to this machine; `on_chunk` gets what the answer brings as it comes."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(on_chunk), "127.0.0.1", port)
    return connection


def request_head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """The lines before the body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
