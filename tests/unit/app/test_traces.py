"""What callers and libraries may say in a trace, and what of it the portal goes on with."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context, get_value
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
)

from hpc_portal.app.telemetry.callers import CallersTrace, LinkCallers, read_traceparent, write_traceparent
from hpc_portal.app.telemetry.private_spans import bare
from hpc_portal.request_traces import is_not_traced

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD + "-extra",
        GOOD.upper(),
        GOOD + " ",
        GOOD + "\n",
        GOOD.replace("00-", "ff-", 1),
        GOOD.replace("00-", "01-", 1),
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        "x" * 100_000,
        GOOD.replace("00-", "\N{ARABIC-INDIC DIGIT ZERO}" * 2 + "-", 1),
    ],
)
def test_what_is_not_exactly_a_traceparent_is_none(text: str) -> None:
    assert read_traceparent(text) is None
    for are_trusted in (True, False):
        found = CallersTrace(are_trusted=are_trusted).extract({"traceparent": text})
        assert found == Context()


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    place = read_traceparent(text)
    assert place is None or write_traceparent(place) == text[:-2] + f"{int(text[-2:], 16) & 1:02x}"


def test_a_traceparent_is_written_as_it_was_read() -> None:
    place = read_traceparent(GOOD)
    assert place
    assert (f"{place.trace_id:032x}", f"{place.span_id:016x}") == (TRACE, SPAN)
    assert write_traceparent(place) == GOOD


def test_a_header_given_twice_is_ignored() -> None:
    class Getter:
        def get(self, carrier: dict[str, str], key: str) -> list[str]:
            return [carrier[key], carrier[key]]

        def keys(self, carrier: dict[str, str]) -> list[str]:
            return list(carrier)

    assert CallersTrace(are_trusted=True).extract({"traceparent": GOOD}, getter=Getter()) == Context()  # type: ignore[arg-type]


def test_a_trusted_caller_is_the_parent_and_another_one_is_linked_by_the_first_span_only() -> None:
    trusted = CallersTrace(are_trusted=True).extract({"traceparent": GOOD, "tracestate": "a=b"})
    parent = get_current_span(trusted).get_span_context()
    assert (write_traceparent(parent), parent.trace_state) == (GOOD, TraceState())

    untrusted = CallersTrace(are_trusted=False).extract({"traceparent": GOOD, "baggage": "who=lan"})
    assert not get_current_span(untrusted).get_span_context().is_valid
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(LinkCallers())
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("request", context=untrusted), tracer.start_as_current_span("step"):
        pass
    links = {span.name: [write_traceparent(link.context) for link in span.links] for span in spans(kept)}
    assert links == {"request": [GOOD], "step": []}
    assert get_value("baggage", untrusted) is None


def spans(kept: InMemorySpanExporter) -> Iterator[ReadableSpan]:
    yield from kept.get_finished_spans()


def test_of_a_span_only_what_is_on_the_list_is_left() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "web"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    other = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    said = {
        "http.route": "/jobs/{job_id}",
        "url.path": "/jobs/7",
        "url.query": "q=lan",
        "server.address": "evil",
    }
    for kind in (SpanKind.SERVER, SpanKind.CLIENT):
        span = provider.get_tracer("test").start_span("GET", kind=kind, attributes=said, links=[Link(other)])
        span.record_exception(ValueError("lan's secret"))
        span.add_event("opened", {"file": "lan.v"})
        span.set_status(StatusCode.ERROR, "lan's secret")
        span.end()
    server, client = map(bare, spans(kept))
    assert server.attributes == {"http.route": "/jobs/{job_id}"}
    assert client.attributes == {"http.route": "/jobs/{job_id}", "server.address": "evil"}
    for one in (server, client):
        assert (one.status.status_code, one.status.description, one.events) == (StatusCode.ERROR, None, ())
        assert [link.context for link in one.links] == [other]
        assert one.start_time
        assert one.end_time
        assert one.start_time <= one.end_time


@pytest.mark.parametrize(
    ("path", "is_left_out"),
    [
        ("/static/3f/js/app.js", True),
        ("/healthz", True),
        ("/readyz", True),
        ("/api/v1/events/stream", True),
        ("/api/v1/jobs", False),
        ("/", False),
    ],
)
def test_files_of_pages_health_and_streams_are_not_traced(path: str, is_left_out: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_not_traced({"path": path}) is is_left_out


def test_without_a_collector_nothing_of_the_sdk_is_loaded() -> None:
    code = (
        "import sys, hpc_portal.cli.operator, hpc_portal.cli.web, hpc_portal.cli.controller\n"
        "import hpc_portal.cli.doctor.command\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "hpc_portal.app.telemetry.spans" in loaded
    assert "hpc_portal.app.jobs.dispatch" in loaded
    heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf", "requests")
    assert [name for name in loaded if name.startswith(heavy)] == []
