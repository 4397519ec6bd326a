"""Makes traces with OpenTelemetry's SDK, and sends them from a thread of its own: loaded only when asked.

Whatever the collector does, nobody waits for it: spans that the queue cannot hold are dropped, and at the end
of the process they get three seconds.
"""

import contextlib
import importlib.metadata
import logging
import threading
from collections.abc import Iterator
from datetime import datetime

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, StatusCode, set_span_in_context

from hpc_portal.app.telemetry import spans
from hpc_portal.app.telemetry.callers import CallersTrace, LinkCallers, read_traceparent, write_traceparent
from hpc_portal.app.telemetry.private_spans import PrivateExporter
from hpc_portal.app.telemetry.settings import TracingSettings
from hpc_portal.app.telemetry.spans import Facts

FLUSH_SECONDS = 3.0
"""At the end of the process, for what was not sent yet."""
_TRACES_PATH = "/v1/traces"
_VERSION = importlib.metadata.version("hpc-portal")


class OtlpTracing:
    """The tracing of one process, from `start` to `stop`."""

    def __init__(self, settings: TracingSettings, *, service: str) -> None:
        # What it says of each failed request would fill the log; PrivateExporter says it once.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
        self._exporter = PrivateExporter(exporter(settings))
        self.provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.sampling_ratio)),
            # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before ours.
            resource=Resource({"service.name": service, "service.version": _VERSION}).merge(
                _without_default_name(Resource.create())
            ),
            shutdown_on_exit=False,
        )
        self.provider.add_span_processor(LinkCallers())
        self.provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self.provider.get_tracer("hpc_portal", _VERSION)
        self._propagator_before = propagate.get_global_textmap()
        propagate.set_global_textmap(CallersTrace(are_trusted=settings.trust_callers))

    def stop(self) -> None:
        """Send what is left, within FLUSH_SECONDS; what the collector has not taken by then is lost."""
        propagate.set_global_textmap(self._propagator_before)
        sending = threading.Thread(target=self.provider.shutdown, name="last-traces", daemon=True)
        sending.start()
        sending.join(FLUSH_SECONDS)
        if sending.is_alive():
            self._exporter.shutdown()  # ends its waiting between two tries

    @contextlib.contextmanager
    def span(self, name: str, facts: Facts) -> Iterator[None]:
        """See `spans.Tracer`."""
        with self._tracer.start_as_current_span(
            name, attributes=facts, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                raise

    def begin(
        self, name: str, parent: str, began_at: datetime | None, facts: Facts, *, is_call: bool
    ) -> "_OpenSpan | None":
        """See `spans.Tracer`."""
        place = read_traceparent(parent)
        if place is None:
            return None
        span = self._tracer.start_span(
            name,
            context=set_span_in_context(NonRecordingSpan(place)),
            kind=SpanKind.CLIENT if is_call else SpanKind.INTERNAL,
            attributes=facts,
            start_time=_nanoseconds(began_at) if began_at else None,
        )
        return _OpenSpan(span) if span.is_recording() else None

    def note(self, facts: Facts) -> None:
        """See `spans.Tracer`."""
        trace.get_current_span().set_attributes(facts)

    def present(self) -> tuple[str, str] | None:
        """See `spans.Tracer`."""
        place = trace.get_current_span().get_span_context()
        return (write_traceparent(place), f"{place.trace_id:032x}") if place.is_valid else None


class _OpenSpan:
    """See `spans.OpenSpan`."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        return write_traceparent(self._span.get_span_context())

    def end(self, facts: Facts | None = None, *, error: str = "", at: datetime | None = None) -> None:
        self._span.set_attributes(facts or {})
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end(_nanoseconds(at) if at else None)


def start(settings: TracingSettings, *, service: str) -> OtlpTracing:
    """From now on, spans of this process go to the collector."""
    tracing = OtlpTracing(settings, service=service)
    spans.use(tracing)
    return tracing


def stop(tracing: OtlpTracing) -> None:
    """No more spans; returns after FLUSH_SECONDS at the latest."""
    spans.use(None)
    tracing.stop()


def exporter(settings: TracingSettings, *, timeout_seconds: float | None = None) -> SpanExporter:
    """Sends spans to the collector; certificates, headers and timeouts are those of OTEL_EXPORTER_OTLP_*."""
    return OTLPSpanExporter(settings.endpoint.rstrip("/") + _TRACES_PATH, timeout=timeout_seconds)


def takes_nothing(settings: TracingSettings, *, seconds: float) -> bool:
    """Whether the collector refuses, or does not answer, an export of no spans at all."""
    sender = exporter(settings, timeout_seconds=seconds)
    try:
        return sender.export([]) is not SpanExportResult.SUCCESS
    finally:
        sender.shutdown()


def _without_default_name(resource: Resource) -> Resource:
    """The SDK calls a service of which nobody said a name `unknown_service`."""
    attributes = dict(resource.attributes)
    if str(attributes.get("service.name", "")).startswith("unknown_service"):
        del attributes["service.name"]
    return Resource(attributes)


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000
