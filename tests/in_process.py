"""Requests to the web application without a socket: quicker, and streams end after one message."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI
from starlette.requests import Request

from hpc_portal.auth.csrf import csrf_token

_SECONDS = 60
"""So long may an answer take on the most loaded machine."""

Message = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; of an event stream, its first message."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    @property
    def location(self) -> str:
        return self.headers.get("location", "")

    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `json` or `form` becomes its body."""

    method: str
    path: str
    query: Mapping[str, str] | str = field(default_factory=dict)
    """A text is what stands behind the question mark."""
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] | None = None
    content: bytes = b""


async def answer_to(app: FastAPI, call: Call) -> Answer:
    """Have the application answer.

    Raises:
        TimeoutError: it did not.
    """
    content, kind = _body(call)
    headers = {"host": "testserver", **call.headers} | ({"content-type": kind} if kind else {})
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": call.path,
        "raw_path": call.path.encode(),
        "query_string": (call.query if isinstance(call.query, str) else urlencode(call.query)).encode(),
        "root_path": "",
        "headers": [
            *((name.lower().encode(), value.encode()) for name, value in headers.items()),
            (b"content-length", str(len(content)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
    async with asyncio.timeout(_SECONDS):
        return await _exchange(app, scope, content)


def _body(call: Call) -> tuple[bytes, str]:
    if call.json is not None:
        return json.dumps(call.json).encode(), "application/json"
    if call.form is not None:
        return urlencode(call.form).encode(), "application/x-www-form-urlencoded"
    return call.content, ""


async def _exchange(app: FastAPI, scope: dict[str, Any], content: bytes) -> Answer:
    gone = asyncio.Event()
    parts: list[bytes] = []
    start: Message = {}
    sent = [False]

    async def receive() -> Message:
        if not sent[0]:
            sent[0] = True
            return {"type": "http.request", "body": content, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif not gone.is_set():
            parts.append(message.get("body", b""))
            if not message.get("more_body") or (parts[-1] and _is_stream(start)):
                gone.set()

    run: Callable[..., Awaitable[None]] = app
    await run(scope, receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(parts))


def _is_stream(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in start["headers"]
    )


def signed_in(app: FastAPI, secret: str) -> dict[str, str]:
    """The headers of a browser with this session that was shown a page: its cookie and the CSRF token."""
    cookie = f"hpc_session={secret}"
    request = Request({"type": "http", "headers": [(b"cookie", cookie.encode())], "app": app})
    return {"cookie": cookie, "x-csrf-token": csrf_token(request)}
