"""What a caller's `traceparent` may do: be linked or, behind a proxy that sets it, be gone on with.

A caller who could choose the trace could have everything sampled, or put a year's requests into one trace.
"""

import re

from opentelemetry.context import Context, get_value, set_value
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

HEADER = "traceparent"
_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_CALLER = "hpc_portal.caller"


def read_traceparent(text: str) -> SpanContext | None:
    """The place in a trace that it names; None for anything that is not exactly of the form."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in match.groups())
    found = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags & TraceFlags.SAMPLED))
    return found if found.is_valid else None


def write_traceparent(place: SpanContext) -> str:
    """As `read_traceparent` reads it."""
    return f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags & TraceFlags.SAMPLED:02x}"


class CallersTrace(TextMapPropagator):
    """Reads the header. Neither `tracestate` nor `baggage` is taken, nor one given twice."""

    def __init__(self, *, are_trusted: bool) -> None:
        self._are_trusted = are_trusted

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """The context that the request's span is made in."""
        context = Context() if context is None else context
        given = getter.get(carrier, HEADER) or []
        caller = read_traceparent(given[0]) if len(given) == 1 else None
        if caller is None:
            return context
        if self._are_trusted:
            return set_span_in_context(NonRecordingSpan(caller), context)
        return set_value(_CALLER, caller, context)

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write the present span's place into the headers of a call."""
        place = get_current_span(context).get_span_context()
        if place.is_valid:
            setter.set(carrier, HEADER, write_traceparent(place))

    @property
    def fields(self) -> set[str]:
        """The headers that are read and written."""
        return {HEADER}


class LinkCallers(SpanProcessor):
    """Links the first span of a request to the caller's trace, where it is not part of that."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Add the link."""
        caller = get_value(_CALLER, parent_context)
        if span.parent is None and isinstance(caller, SpanContext):
            span.add_link(caller)
