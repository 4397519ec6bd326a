"""HTTP to one slurmrestd: a pool of connections, repeats only where they do no harm, and a breaker."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import httpx

from schedulers.errors import SchedulerUnavailable, SubmitUncertain
from schedulers.slurm.answers import Answer, problem_of, read_answer
from schedulers.slurm.breaker import Breaker
from schedulers.slurm.errors import SlurmRefused
from schedulers.slurm.tokens import TokenSource

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
)
_PAUSES_SECONDS = (0.2, 1.0)
"""Before the second and the third attempt."""
_CONNECT_TIMEOUT_SECONDS = 5.0
_HEADERS = {"Accept": "application/json", "User-Agent": "hpc-portal"}
_BROKEN_GATEWAY = frozenset({502, 503, 504})
_NO_REASON = frozenset({-1})
"""Slurm's "unspecified error"."""


Params: TypeAlias = Mapping[str, str | Sequence[str]]
"""A URL's query; several values are repeated (`step=7&step=8`)."""


Around: TypeAlias = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]


def bare(connection: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
    """With nothing around it."""
    return connection


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of slurmrestd."""

    method: str
    """GET, POST or DELETE."""
    path: str
    """Starts with a slash."""
    user: str
    """The cluster user to act as."""
    may_repeat: bool
    """Asking twice does no harm, so that a lost answer is no reason for doubt."""
    params: Params | None = None
    """The URL's query."""
    body: Mapping[str, object] | None = None
    """Becomes JSON."""
    traceparent: str | None = None
    """The trace that it belongs to (W3C Trace Context): a header."""


class RestTransport:
    """Asks one slurmrestd and judges its answers.

    Args:
        url: `http(s)://host:port`, or `unix:///path/of/socket`.
        tokens: proves who asks.
        ssl_context: for https; None trusts the machine's authorities.
        timeout_seconds: for one whole exchange.
        most_requests_at_once: more wait for their turn.
        breaker: turns requests away while slurmrestd is down.
        pause: waits so many seconds before a repeat.
        around: goes around each connection, to see what is asked.
    """

    def __init__(  # noqa: PLR0913 - one named option for each thing a site may choose
        self,
        url: str,
        tokens: TokenSource,
        *,
        ssl_context: ssl.SSLContext | None = None,
        timeout_seconds: float = 30.0,
        most_requests_at_once: int = 6,
        breaker: Breaker | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        around: Around = bare,
    ) -> None:
        self._url = url
        self._tokens = tokens
        self._timeout = timeout_seconds
        self._breaker = breaker or Breaker(f"slurmrestd at {url}")
        self._pause = pause
        socket = Path(url.removeprefix("unix://")) if url.startswith("unix://") else None
        self._base = "http://slurmrestd" if socket else url.rstrip("/")
        # Whole exchanges have a time limit, so that their parts need none.
        connect = min(_CONNECT_TIMEOUT_SECONDS, timeout_seconds)
        self._extensions = {"timeout": httpx.Timeout(None, connect=connect).as_dict()}
        # No httpx client around them: proxies, cookies and redirects must never get a token, and cost time.
        # One connection in each: a pool of many looks at every idle one before and after each request.
        verify = ssl_context or httpx.create_ssl_context()
        self._connections = [
            around(
                httpx.AsyncHTTPTransport(
                    uds=str(socket) if socket else None,
                    verify=verify,
                    limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                )
            )
            for _ in range(most_requests_at_once)
        ]
        self._idle: asyncio.LifoQueue[httpx.AsyncBaseTransport] = asyncio.LifoQueue()
        for connection in self._connections:
            self._idle.put_nowait(connection)

    async def close(self) -> None:
        """Let go of the connections."""
        for connection in self._connections:
            await connection.aclose()

    async def ask(self, request: Request) -> Answer:
        """Send a request, again when it did not get through; returns only what went well.

        Raises:
            SchedulerUnavailable: nothing was done (or, where it may be repeated: ask again).
            SlurmRefused: a definite no.
            SubmitUncertain: sent, and no answer came; never where it may be repeated.
        """
        for pause in (*_PAUSES_SECONDS, None):
            try:
                return self._judged(request, await self._exchange(request))
            except _NotReached:
                if pause is None or self._breaker.is_open:
                    raise
            except SubmitUncertain as lost:
                if not request.may_repeat:
                    raise
                if pause is None or self._breaker.is_open:
                    raise SchedulerUnavailable(str(lost)) from lost
            await self._pause(pause)
        raise AssertionError

    def _judged(self, request: Request, answer: Answer) -> Answer:
        problem = problem_of(answer, path=request.path, user=request.user)
        if isinstance(problem, SubmitUncertain) and request.may_repeat:
            # slurmrestd answered: it has waited for Slurm's daemons itself, so there is no use in haste.
            raise SchedulerUnavailable(str(problem))
        if isinstance(problem, SlurmRefused) and request.method == "GET" and problem.numbers == _NO_REASON:
            raise SchedulerUnavailable(problem.reason)  # a look that failed, such as at a slurmctld that ends
        if problem is not None:
            raise problem
        return answer

    async def _exchange(self, request: Request) -> Answer:
        async with self._connection() as connection:
            self._breaker.admit()
            try:
                async with asyncio.timeout(self._timeout):
                    response = await connection.handle_async_request(self._on_the_wire(request))
                    async with aclosing(response):
                        content = await response.aread()
            except _NOT_SENT as error:
                raise self._not_reached(error) from None
            except (httpx.TransportError, TimeoutError) as error:
                raise self._lost(error) from None
            except BaseException:
                self._breaker.abandoned()
                raise
        answer = read_answer(response.status_code, content)
        if answer.status in _BROKEN_GATEWAY and answer.body is None:
            self._breaker.failed(answer.reason)
        else:
            self._breaker.succeeded()
        return answer

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """One that nobody else uses meanwhile: the one used last, which is the least likely to be stale."""
        connection = await self._idle.get()
        try:
            yield connection
        finally:
            self._idle.put_nowait(connection)

    def _on_the_wire(self, request: Request) -> httpx.Request:
        """With the token, which no variable here holds."""
        trace = {"traceparent": request.traceparent} if request.traceparent else {}
        return httpx.Request(
            request.method,
            f"{self._base}{request.path}",
            params=request.params,
            json=request.body,
            headers={**_HEADERS, **trace, **self._tokens.headers(request.user)},
            extensions=self._extensions,
        )

    def _not_reached(self, error: httpx.TransportError) -> "_NotReached":
        problem = f"Cannot reach slurmrestd at {self._url}: {_words(error)}"
        self._breaker.failed(_words(error))
        return _NotReached(problem)

    def _lost(self, error: Exception) -> SubmitUncertain:
        self._breaker.failed(_words(error))
        return SubmitUncertain(f"slurmrestd at {self._url} was asked and gave no answer: {_words(error)}")


class _NotReached(SchedulerUnavailable):
    """The request was not sent."""


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
