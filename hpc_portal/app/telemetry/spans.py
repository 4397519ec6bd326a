"""Steps of a trace, as the rest of the portal knows them: nothing at all while no collector is set.

OpenTelemetry is loaded by `otlp.start` alone, so that whoever does without traces pays one comparison.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

Facts: TypeAlias = Mapping[str, str | int | bool]
"""Attributes of a span; what `private_spans` does not know by name never leaves the process."""


class OpenSpan(Protocol):
    """A span that was begun and not ended; one that never ends is never sent."""

    @property
    def traceparent(self) -> str:
        """Its place in the trace, in the form of W3C Trace Context."""
        ...

    def end(self, facts: Facts | None = None, *, error: str = "", at: datetime | None = None) -> None:
        """It is over, or was at some time; `error` is the kind of what went wrong, never a message."""
        ...


class Tracer(Protocol):
    """What `otlp.start` provides."""

    def span(self, name: str, facts: Facts) -> AbstractContextManager[None]:
        """A span around a block, below the present one."""
        ...

    def begin(
        self, name: str, parent: str, began_at: datetime | None, facts: Facts, *, is_call: bool
    ) -> OpenSpan | None:
        """A span below `parent`; None where that is no trace, or one that is not sampled."""
        ...

    def note(self, facts: Facts) -> None:
        """More attributes of the present span."""
        ...

    def present(self) -> tuple[str, str] | None:
        """The present span's traceparent and trace id."""
        ...

    @property
    def provider(self) -> "TracerProvider":
        """For libraries that make spans by themselves."""
        ...


_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """From now on all spans of this process go there; None: nowhere."""
    global _tracer  # noqa: PLW0603 - a process has one collector, as it has one log
    _tracer = tracer


@contextlib.contextmanager
def span(name: str, facts: Facts | None = None) -> Iterator[None]:
    """A span around a block; an exception leaves its class there, and passes."""
    if _tracer is None:
        yield
        return
    with _tracer.span(name, facts or {}):
        yield


def begin(
    name: str,
    *,
    below: str | None,
    at: datetime | None = None,
    facts: Facts | None = None,
    is_call: bool = False,
) -> OpenSpan | None:
    """Begin a span in a trace that began elsewhere; None where nothing is traced.

    Args:
        name: what is done.
        below: the traceparent of its parent.
        at: when it began; default: now.
        facts: attributes.
        is_call: this process waits for another one meanwhile.
    """
    if _tracer is None or below is None:
        return None
    return _tracer.begin(name, below, at, facts or {}, is_call=is_call)


def note(facts: Facts) -> None:
    """What the present span is about, as soon as that is known."""
    if _tracer is not None:
        _tracer.note(facts)


def record(
    name: str, *, below: str | None, during: tuple[datetime, datetime], facts: Facts, error: str = ""
) -> None:
    """Tell of something that is over, in a trace that began elsewhere."""
    began_at, ended_at = during
    span = begin(name, below=below, at=began_at, facts=facts)
    if span:
        span.end(error=error, at=max(began_at, ended_at))


def provider() -> "TracerProvider | None":
    """For libraries that make spans by themselves; None where nothing is traced."""
    return _tracer.provider if _tracer else None


def traceparent() -> str | None:
    """The present span's place in its trace, sampled or not; None outside of traces."""
    present = _tracer.present() if _tracer else None
    return present[0] if present else None


def trace_id() -> str | None:
    """The present trace; None outside of traces."""
    present = _tracer.present() if _tracer else None
    return present[1] if present else None


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace that a traceparent names."""
    return traceparent.split("-")[1] if traceparent else None
