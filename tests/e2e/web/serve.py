"""The portal of a settings object, served from a thread on a free port: what browsers of tests talk to."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from hpc_portal.app.clock import Clock
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_services
from hpc_portal.asgi import create_app


@contextmanager
def served(
    settings: Settings, listener: socket.socket | None = None, *, clock: Clock | None = None
) -> Iterator[str]:
    """The portal's address, on a free port or this listener's; it is gone when the block ends."""
    listener = listener or socket.create_server(("127.0.0.1", 0))
    services = build_services(settings, clock=clock)
    app = create_app(services)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)

    def serve() -> None:
        asyncio.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=serve, name="portal")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        services.engine.dispose()
