"""The HTTP client of `hpc`: asks the API, tries again where that is safe, and names what went wrong."""

import ipaddress
import json
import random
import shlex
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import IO, Any, Self
from urllib.parse import urlsplit

import httpx

from hpc_portal.cli.errors import (
    CliError,
    CodeNeeded,
    FieldProblem,
    NotFound,
    NotSignedIn,
    Refused,
    Unreachable,
)
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.sse import ServerEvent, parse_events

_PREFIX = "/api/v1"
_ATTEMPTS = 5
_TIMEOUT = httpx.Timeout(30, connect=10)
_STREAM_TIMEOUT = httpx.Timeout(60, connect=10)
"""Streams carry a comment every 15 seconds: silence for so long means that they are dead."""
_BUSY = frozenset({429, 502, 503, 504})


class Portal:
    """One portal, asked as one person; a context manager."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        headers = {"User-Agent": f"hpc/{version('hpc-portal')}", "Accept-Language": active()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.Client(
            base_url=self.url + _PREFIX,
            headers=headers,
            timeout=_TIMEOUT,
            trust_env=not is_this_machine(self.url),  # a proxy cannot reach our own 127.0.0.1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, /, **parameters: Any) -> Any:  # noqa: ANN401 - JSON
        """The reply to a GET; parameters that are None are left out."""
        return self._ask("GET", path, parameters=parameters)

    def download(self, path: str, **parameters: Any) -> bytes:  # noqa: ANN401 - query values
        """The file that a GET answers with; parameters that are None are left out."""
        return self._reply("GET", path, parameters=parameters).content

    def save(self, path: str, target: IO[bytes], /, **parameters: Any) -> None:  # noqa: ANN401 - query values
        """Write the file that a GET answers with as it comes in.

        Raises:
            Unreachable: the connection broke; a part of it was written.
            CliError: the portal said no; nothing was written.
        """
        try:
            with self._client.stream("GET", path, params=_given(parameters)) as reply:
                if reply.is_error:
                    reply.read()
                    raise problem_of(reply)
                for piece in reply.iter_bytes():
                    target.write(piece)
        except httpx.TransportError as error:
            raise Unreachable(self._no_answer(error)) from error

    def post(
        self,
        path: str,
        body: Any = None,  # noqa: ANN401 - JSON
        *,
        idempotency_key: str = "",
        changes_nothing: bool = False,
    ) -> Any:  # noqa: ANN401 - JSON
        """The reply to a POST; repeated after a lost connection only where that cannot do anything twice."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._ask(
            "POST", path, body=body, headers=headers, is_repeatable=bool(idempotency_key) or changes_nothing
        )

    def put(self, path: str, body: Any) -> Any:  # noqa: ANN401 - JSON
        """The reply to a PUT."""
        return self._ask("PUT", path, body=body)

    def patch(self, path: str, body: Any) -> Any:  # noqa: ANN401 - JSON
        """The reply to a PATCH."""
        return self._ask("PATCH", path, body=body)

    def upload(self, path: str, content: bytes, **parameters: Any) -> Any:  # noqa: ANN401 - JSON, query values
        """The reply to a POST of a file's bytes; never repeated, for it would be there twice."""
        return self._ask("POST", path, content=content, parameters=parameters, is_repeatable=False)

    def send(self, path: str, content: bytes, /, **parameters: Any) -> Any:  # noqa: ANN401 - JSON, query values
        """The reply to a PUT of bytes; not repeated, for a part that arrived must not come twice."""
        return self._ask("PUT", path, content=content, parameters=parameters, is_repeatable=False)

    def delete(self, path: str, /, **parameters: Any) -> Any:  # noqa: ANN401 - JSON, query values
        """The reply to a DELETE."""
        return self._ask("DELETE", path, parameters=parameters)

    def events(self, path: str, /, **parameters: Any) -> Iterator[ServerEvent]:  # noqa: ANN401 - query values
        """Events of a stream that never ends by itself; resumed where it broke, without gap or repeat.

        Raises:
            Unreachable: it could not be opened several times in a row.
            CliError: the portal said no.
        """
        last_id = ""
        failures = 0
        while True:
            try:
                with self._open(path, parameters, last_id) as lines:
                    for event in parse_events(lines):
                        failures = 0
                        if event is not None:
                            last_id = event.id or last_id
                            yield event
            except (httpx.TransportError, _Busy) as error:
                failures += 1
                if failures == _ATTEMPTS:
                    raise Unreachable(self._no_answer(error)) from error
            _pause(failures)

    def _open(self, path: str, parameters: Mapping[str, Any], last_id: str) -> "_Stream":
        request = self._client.build_request(
            "GET",
            path,
            params=_given(parameters),
            headers={"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})},
            timeout=_STREAM_TIMEOUT,
        )
        reply = self._client.send(request, stream=True)
        if reply.is_error:
            with _Stream(reply):
                reply.read()
            if reply.status_code in _BUSY:
                raise _Busy(reply.status_code)
            raise problem_of(reply)
        return _Stream(reply)

    def _ask(self, method: str, path: str, **parts: Any) -> Any:  # noqa: ANN401 - JSON
        return _json_of(self._reply(method, path, **parts))

    def _reply(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        body: Any = None,  # noqa: ANN401 - JSON
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool = True,
    ) -> httpx.Response:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                reply = self._client.request(
                    method,
                    path,
                    params=_given(parameters or {}),
                    json=body,
                    content=content,
                    headers=headers,
                )
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:  # it was not sent
                if attempt == _ATTEMPTS:
                    raise Unreachable(self._no_answer(error)) from error
            except httpx.TransportError as error:
                if attempt == _ATTEMPTS or not is_repeatable:
                    raise Unreachable(self._no_answer(error)) from error
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise CliError(_("{url} is not the address of a portal.", url=self.url)) from error
            else:
                if not reply.is_error:
                    return reply
                if reply.status_code not in _BUSY or not is_repeatable or attempt == _ATTEMPTS:
                    raise problem_of(reply)
            _pause(attempt)
        raise AssertionError

    def _no_answer(self, error: Exception) -> str:
        return _("The portal at {url} does not answer ({problem}).", url=self.url, problem=error)


class _Busy(Exception):
    """The portal, or a proxy before it, asks to come back later."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")


class _Stream:
    """The lines of an open reply; closes it at the end of the `with`."""

    def __init__(self, reply: httpx.Response) -> None:
        self._reply = reply

    def __enter__(self) -> Iterator[str]:
        return self._reply.iter_lines()

    def __exit__(self, *_: object) -> None:
        self._reply.close()


def problem_of(reply: httpx.Response) -> CliError:
    """The error that a problem+json reply speaks of, with the fields that it names."""
    try:
        facts = reply.json()
    except ValueError:
        facts = {}
    if not isinstance(facts, dict):
        facts = {}
    fields = [
        FieldProblem(str(item.get("field", "")), str(item.get("message", "")))
        for item in facts.get("problems", ())
    ]
    message = str((not fields and facts.get("detail")) or facts.get("title") or f"HTTP {reply.status_code}")
    if reply.status_code == httpx.codes.INTERNAL_SERVER_ERROR and facts.get("request_id"):
        message += f" ({facts['request_id']})"
    if short := facts.get("change_request"):
        message += "\n" + offer_request(short["body"])
    match reply.status_code:
        case 401 if str(facts.get("type", "")).endswith("second-factor-needed"):
            return CodeNeeded(message, fields)
        case 401:
            return NotSignedIn(message, fields)
        case 404:
            return NotFound(message, fields)
        case 502 | 503 | 504:
            return Unreachable(message, fields)
        case status if status < httpx.codes.INTERNAL_SERVER_ERROR:
            return Refused(message, fields)
        case _:
            return CliError(message, fields)


def offer_request(missing: Mapping[str, Any]) -> str:
    """The command that asks for what was missing, from the body that the API takes for it."""
    amounts = (f"{asset}={amount}" for asset, amount in missing["missing"].items())
    words = [
        "--project",
        str(missing["project"]),
        *(word for text in amounts for word in ("--missing", text)),
    ]
    command = shlex.join(words)
    return _("Ask for what is missing: hpc request for-shortage {options}", options=command)


def is_this_machine(url: str) -> bool:
    """Whether the address is a loopback one."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _json_of(reply: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    if not reply.content:
        return None
    try:
        return reply.json()
    except json.JSONDecodeError as error:
        raise CliError(_("{url} answered, but not as a portal.", url=str(reply.url))) from error


def _pause(attempt: int) -> None:
    time.sleep(min(0.2 * 2**attempt, 5) * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
