"""Run the web process: pages, API and event streams, on one listening socket."""

import gc
import signal
import socket
from collections.abc import Callable
from typing import NoReturn

import structlog
import uvicorn

from hpc_portal.app.settings import Settings
from hpc_portal.app.telemetry.readiness import OK
from hpc_portal.app.wiring import build_services
from hpc_portal.asgi import create_app
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.log import configure_log
from hpc_portal.cli.machine_port import machine_port
from hpc_portal.cli.parent import announce_on, end_with_parent
from hpc_portal.cli.process_options import Host, ParentFd, Port, ReadyFd, Verbose, address_errors, say_where
from hpc_portal.cli.tracing import tracing

log = structlog.get_logger(__name__)

_YOUNG_OBJECTS = 20_000
GRACE_SECONDS = 2
"""Event streams never end by themselves: what is still open after so long is cut."""


def web(
    *,
    host: Host = None,
    port: Port = None,
    verbose: Verbose = False,
    parent_fd: ParentFd = None,
    ready_fd: ReadyFd = None,
) -> None:
    """Only pages and API; run as many as you like on one PostgreSQL database."""
    configure_log(verbose=verbose)
    settings = load_settings(host=host, port=port)
    if parent_fd is not None:
        end_with_parent(parent_fd)
    with address_errors(settings), listen(settings.host, settings.port) as listener:
        run_web(settings, listener, on_ready=announce_on(ready_fd) if ready_fd else say_where)


def run_web(
    settings: Settings, listener: socket.socket, *, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is told the address once connections are accepted."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    with tracing(settings, "hpc-portal-web"):
        _serve(settings, listener, on_ready)


def _serve(settings: Settings, listener: socket.socket, on_ready: Callable[[str], None] | None) -> None:
    services = build_services(settings)
    config = uvicorn.Config(
        create_app(services),
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        proxy_headers=bool(settings.public_url),
    )
    if config.proxy_headers and config.forwarded_allow_ips == "*":
        log.warning("web.believes_everybody", variable="FORWARDED_ALLOW_IPS")
    look_for_garbage_seldom()
    url = address_of(listener)
    with machine_port(settings, services.engine, services.clock, alive=lambda: {"process": OK}):
        log.info("web.listening", url=url)
        if on_ready:
            on_ready(url)  # the socket already queues connections
        uvicorn.Server(config).run(sockets=[listener])


def look_for_garbage_seldom() -> None:
    """Call it when all code is loaded.

    It stays for good: to walk through it took a tenth of a second, amid somebody's page. And a page of a
    long report waited for seventeen looks among its new objects, one in 700.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


def _end(_number: int, _frame: object) -> NoReturn:
    """Leave through every `finally`, with success: uvicorn repeats the signal after its orderly stop."""
    raise SystemExit(0)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: the address is taken or not ours.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """What to type into a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
