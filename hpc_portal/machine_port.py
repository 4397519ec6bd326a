"""Serves /metrics, /healthz and /readyz of one process on a port of its own, which no user reaches."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

import structlog
from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import CollectorRegistry

from hpc_portal.app.telemetry.readiness import OK

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MachinePort:
    """What is told there. The looks run in a thread of their own, never in the event loop."""

    registry: CollectorRegistry
    alive: Callable[[], Mapping[str, str]]
    """Each check with `ok` or what is wrong: a process that says so is to be started again."""
    ready: Callable[[], Mapping[str, str]]
    """The same; a process that says so is to be left alone for now."""

    @contextlib.contextmanager
    def open(self, host: str, port: int) -> Iterator[int]:
        """Listen while the context lasts, and give the port; 0 takes a free one.

        Raises:
            OSError: the address is taken or not ours.
        """
        server = make_server(host, port, self._answer, ThreadingWSGIServer, handler_class=_Quiet)
        thread = threading.Thread(target=server.serve_forever, name="machine-port", daemon=True)
        thread.start()
        log.info("machine_port.listening", host=host, port=server.server_port)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                answer: Iterable[bytes] = make_wsgi_app(self.registry)(environ, start_response)
                return answer
            case "/healthz":
                return _say(self.alive(), start_response)
            case "/readyz":
                return _say(self.ready(), start_response)
            case _:
                start_response("404 Not Found", [("content-type", "text/plain")])
                return [b"There is /metrics, /healthz and /readyz.\n"]


def _say(checks: Mapping[str, str], start_response: "StartResponse") -> Iterable[bytes]:
    is_well = all(said == OK for said in checks.values())
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    start_response(f"{status.value} {status.phrase}", [("content-type", "application/json")])
    return [json.dumps(dict(checks)).encode() + b"\n"]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: a line for every scrape hides what matters."""
