"""What every reply carries and every request is held to, as plain ASGI, so that streams stay streams."""

import random
import re

import structlog
from starlette.datastructures import URL, Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline, nothing from elsewhere."""

_HEADERS = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
_DOCUMENT_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_NO_DOCUMENTS = ("text/css", "text/javascript", "font/")
"""What browsers never run as a document: for twenty such files of a cold page the others are 8 kB."""
_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{8,64}")
"""A proxy's or a browser's own name of the request goes on, so that its log and ours can be joined."""
MAX_BODY_BYTES = 64 * 1024**2
"""More than any honest request: large files belong into workspaces."""


class SecurityHeaders:
    """Add the security headers, a request id, and `no-store` where a handler did not say otherwise."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self._app = app
        self._headers = dict(_HEADERS)
        if is_https:
            self._headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the request id bound to every log line of the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = (
            given if _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
        )  # a name, no secret
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_document = not headers.get("content-type", "").startswith(_NO_DOCUMENTS)
                wanted = self._headers | _DOCUMENT_HEADERS if is_document else self._headers
                for name, value in wanted.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                headers["x-request-id"] = request_id
                if location := headers.get("location"):
                    headers["location"] = _without_our_host(location, scope)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_with_headers)


def _without_our_host(location: str, scope: Scope) -> str:
    """An address here as a path: what Starlette sends back for `/jobs/` names whatever host the asker did."""
    own = URL(scope=scope)
    here = f"{own.scheme}://{own.netloc}/"
    return "/" + location.removeprefix(here).lstrip("/\\") if location.startswith(here) else location
