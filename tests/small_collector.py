"""A small OpenTelemetry collector on a real socket: takes OTLP over HTTP, refuses, or hangs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2


class Mood(Enum):
    """How it answers."""

    TAKES = 200
    REFUSES = 503
    HANGS = 0


@dataclass(frozen=True)
class GotSpan:
    """One span as it arrived."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    began_ns: int
    ended_ns: int
    facts: dict[str, str | int | bool]
    links: tuple[str, ...]
    """The linked spans, as `trace-span`."""
    events: int
    is_error: bool
    said: str


@dataclass
class SmallCollector:
    """What it got, and how to reach it."""

    url: str
    mood: Mood
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    """Until then it hangs, where it hangs."""

    def spans(self) -> list[GotSpan]:
        """All of them, in the order of their arrival."""
        return [span for body in list(self.bodies) for span in _spans(body)]

    def trace(self, trace_id: str) -> dict[str, GotSpan]:
        """The spans of one trace by their names, of which each has its own."""
        found = [span for span in self.spans() if span.trace_id == trace_id]
        names = [span.name for span in found]
        assert len(set(names)) == len(names), names
        return {span.name: span for span in found}


@contextmanager
def small_collector(mood: Mood = Mood.TAKES) -> Iterator[SmallCollector]:
    """One that listens on a free port until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.headers.append({name.lower(): value for name, value in self.headers.items()})
            collector.paths.append(self.path)
            if collector.mood is Mood.HANGS:
                collector.released.wait()
                self.close_connection = True
                return
            if collector.mood is Mood.TAKES:
                collector.bodies.append(body)
            self.send_response(collector.mood.value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector = SmallCollector(f"http://127.0.0.1:{server.server_port}", mood)
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield collector
        finally:
            collector.released.set()
            server.shutdown()
            serving.join()


def _spans(body: bytes) -> Iterator[GotSpan]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = str(_facts(resource.resource.attributes).get("service.name"))
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield GotSpan(
                    service=service,
                    name=span.name,
                    kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    began_ns=span.start_time_unix_nano,
                    ended_ns=span.end_time_unix_nano,
                    facts=_facts(span.attributes),
                    links=tuple(f"{link.trace_id.hex()}-{link.span_id.hex()}" for link in span.links),
                    events=len(span.events),
                    is_error=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                    said=span.status.message,
                )


def _facts(attributes: "Iterator[KeyValue]") -> dict[str, str | int | bool]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "") for one in attributes}
