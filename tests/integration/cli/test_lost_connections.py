"""`hpc` over a connection that breaks at the worst instant: a proxy swallows a reply, or cuts a stream."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.integration.cli.conftest import Person

pytestmark = pytest.mark.xdist_group("cli-lost-connections")

NOT_FORWARDED = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}


class BreakingProxy(ThreadingHTTPServer):
    """Passes everything on, but for the one fault that a test asks for."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = upstream
        self.swallow_reply_of = ""
        """Method and path whose first reply is lost after the portal acted."""
        self.cut_stream_after = ""
        """A stream breaks once, right after it carried this text."""
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: BreakingProxy

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def log_message(self, *_: object) -> None:
        pass

    def _pass_on(self) -> None:
        what = f"{self.command} {self.path}"
        self.server.requests.append(what)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_FORWARDED}
        with httpx.stream(
            self.command,
            self.server.upstream + self.path,
            headers={**headers, "accept-encoding": "identity"},
            content=body,
            timeout=60,
        ) as reply:
            if what == self.server.swallow_reply_of:
                reply.read()
                self.server.swallow_reply_of = ""
                return
            self.send_response(reply.status_code)
            self.send_header("content-type", reply.headers.get("content-type", ""))
            self.end_headers()
            for piece in reply.iter_raw():
                self.wfile.write(piece)
                if self.server.cut_stream_after and self.server.cut_stream_after.encode() in piece:
                    self.server.cut_stream_after = ""
                    return


@pytest.fixture
def proxy(portal_url: str) -> Iterator[BreakingProxy]:
    with BreakingProxy(portal_url) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def token_of(person: Person) -> str:
    credentials = (person.home / ".config/hpc/credentials.toml").read_text()
    return credentials.partition('token = "')[2].partition('"')[0]


def test_a_lost_answer_does_not_submit_the_job_twice(designer: Person, proxy: BreakingProxy) -> None:
    proxy.swallow_reply_of = "POST /api/v1/jobs"
    path = designer.script("true")
    done = designer.hpc(
        *("submit", path, "--time", "5", "--memory", "64M", "--name", "sent-twice"),
        HPC_URL=proxy.url,
        HPC_TOKEN=token_of(designer),
    )
    assert done.code == 0, done.stderr
    assert proxy.requests.count("POST /api/v1/jobs") == 2
    [job] = designer.hpc("jobs", "--name", "sent-twice", "--json").json
    assert done.stdout.strip() == job["id"]


def test_a_followed_log_goes_on_where_the_stream_broke(designer: Person, proxy: BreakingProxy) -> None:
    path = designer.script("for i in $(seq 1 20); do echo line $i; sleep 0.1; done")
    submitted = designer.hpc("submit", path, "--time", "5", "--memory", "64M")
    proxy.cut_stream_after = '"line 3"'
    done = designer.hpc(
        *("logs", "-f", submitted.stdout.strip()), HPC_URL=proxy.url, HPC_TOKEN=token_of(designer)
    )
    assert done.code == 0, done.stderr
    assert done.stdout == "".join(f"line {i}\n" for i in range(1, 21))
    assert sum("/log/stream" in what for what in proxy.requests) == 2
