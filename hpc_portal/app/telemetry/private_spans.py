"""What of a span may leave the process: a list of names, so that whatever is not on it stays here.

Libraries put addresses, query strings and messages of exceptions into spans; those name tenants' jobs, files
and people. Routes' patterns, numbers and kinds say all that is needed to find what is slow.
"""

import threading
from collections.abc import Sequence

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind
from opentelemetry.trace.status import Status

from hpc_portal.app.telemetry.instruments import SPANS

log = structlog.get_logger()

ALLOWED = frozenset(
    {
        "error.type",
        "hpc.cluster",
        "hpc.dispatch.outcome",
        "hpc.dispatch.was_there",
        "hpc.job.id",
        "hpc.job.is_new",
        "hpc.job.state",
        "hpc.job.tasks",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "network.protocol.version",
        "url.scheme",
    }
)
ALLOWED_IN_CALLS = ALLOWED | {"server.address", "server.port"}
"""Of what we call, the operator chose the address; in requests it is whatever the caller says."""


def bare(span: ReadableSpan) -> ReadableSpan:
    """The same span with nothing in it but what is allowed: no events, no messages, no trace state."""
    allowed = ALLOWED_IN_CALLS if span.kind is SpanKind.CLIENT else ALLOWED
    attributes = {key: value for key, value in (span.attributes or {}).items() if key in allowed}
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class PrivateExporter(SpanExporter):
    """In front of another exporter; counts what went, and says once when nothing goes any more."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._works: bool | None = None
        self._saying = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; never raises, for whatever goes wrong costs traces and nothing else."""
        try:
            result = self._exporter.export([bare(span) for span in spans])
        except Exception:  # noqa: BLE001 - a library's: the thread that sends must live on
            result = SpanExportResult.FAILURE
        is_well = result is SpanExportResult.SUCCESS
        SPANS.labels("sent" if is_well else "lost").inc(len(spans))
        self._say(is_well=is_well)
        return result

    def shutdown(self) -> None:
        """Give up what is under way."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return self._exporter.force_flush(timeout_millis)

    def _say(self, *, is_well: bool) -> None:
        with self._saying:
            before, self._works = self._works, is_well
        if not is_well and before is not False:
            log.warning("traces.lost", because="the collector does not take them; requests and jobs go on")
        if is_well and before is False:
            log.info("traces.sent_again")
