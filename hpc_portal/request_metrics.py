"""Counts and times requests by their route's pattern, as plain ASGI, so that streams stay streams."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpc_portal.app.telemetry.instruments import EVENT_STREAMS, HTTP_REQUESTS, HTTP_SECONDS

_NO_ROUTE = "none"
_STREAM = b"text/event-stream"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Goes around everything else; the route is known once the application has found it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count what was answered; 500 for what raised."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status, is_stream = 500, False

        async def send_and_see(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                if is_stream := _is_stream(message):
                    EVENT_STREAMS.inc()
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = _pattern(scope)
            HTTP_REQUESTS.labels(method, route, status).inc()
            if is_stream:
                EVENT_STREAMS.dec()
            else:
                HTTP_SECONDS.labels(method, route).observe(time.perf_counter() - began)


def _pattern(scope: Scope) -> str:
    """The whole pattern of the route that FastAPI chose; a router's own knows nothing of its prefix."""
    chosen = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return str(getattr(chosen, "path_format", _NO_ROUTE))


def _is_stream(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(_STREAM) for name, value in message.get("headers", ())
    )
