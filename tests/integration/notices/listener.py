"""A real HTTP listener for webhooks: it keeps what it is given, and answers what a test tells it to."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listener:
    """What arrived, and how it answers from now on."""

    port: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """Path, headers in small letters, and body."""
    answers: list[int] = field(default_factory=list)
    """What the next requests are answered with; 204 when empty."""
    headers: dict[str, str] = field(default_factory=dict)
    """What each answer carries."""
    silence: threading.Event = field(default_factory=threading.Event)
    """Until this is set, it answers at once; cleared by `be_silent`, it takes and says nothing."""

    def __post_init__(self) -> None:
        self.silence.set()

    def be_silent(self) -> None:
        self.silence.clear()


@contextmanager
def listening(*, tls: ssl.SSLContext | None = None) -> Iterator[Listener]:
    """On a free port of 127.0.0.1."""
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            listener.requests.append((self.path, headers, body))
            listener.silence.wait(30)
            self.send_response(listener.answers.pop(0) if listener.answers else 204)
            for name, value in listener.headers.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - http.server's name; who follows a redirect comes here

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 - http.server's
            """Tests need no access log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    listener.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield listener
    listener.silence.set()
    server.shutdown()
    server.server_close()
    thread.join()
