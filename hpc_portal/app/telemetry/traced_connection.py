"""Around a connection to another service: what is asked within a trace is a span of it."""

import httpx

from hpc_portal.app.telemetry import spans

_HEADER = "traceparent"
_FIRST_ERROR = 400


class TracedConnection(httpx.AsyncBaseTransport):
    """Passes everything on. Requests without a `traceparent`, such as looks at jobs, belong to no trace."""

    def __init__(self, connection: httpx.AsyncBaseTransport) -> None:
        self._connection = connection

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Until the first byte of the answer; the address's path names people and jobs, and stays here."""
        span = spans.begin(
            f"{request.method} {request.url.host}",
            below=request.headers.get(_HEADER),
            facts={
                "http.request.method": request.method,
                "server.address": request.url.host,
                "server.port": request.url.port or {"http": 80, "https": 443}[request.url.scheme],
                "url.scheme": request.url.scheme,
            },
            is_call=True,
        )
        if span is None:
            return await self._connection.handle_async_request(request)
        request.headers[_HEADER] = span.traceparent
        try:
            response = await self._connection.handle_async_request(request)
        except BaseException as error:
            span.end(error=type(error).__name__)
            raise
        status = response.status_code
        span.end({"http.response.status_code": status}, error=str(status) if status >= _FIRST_ERROR else "")
        return response

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._connection.aclose()
