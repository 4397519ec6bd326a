"""A collector that refuses or hangs costs traces and nothing else: no request waits, no job is lost."""

import signal
import time
from pathlib import Path

import pytest

from hpc_portal.app.telemetry import otlp, spans
from hpc_portal.app.telemetry.otlp import FLUSH_SECONDS
from hpc_portal.app.telemetry.settings import TracingSettings
from tests.integration.traces.traced_portal import TracedPortal, traced_portal
from tests.portal_processes import wait_until
from tests.small_collector import Mood, small_collector

REQUESTS = 30
EXPORTER_SECONDS = 2
"""So long the exporter waits for an answer; a request that waited for it would take no less."""
MOST_SLOW = 2
"""Of the requests, for a machine that is busy with something else."""
LONGEST_SECONDS = 10.0


@pytest.mark.parametrize("mood", [Mood.HANGS, Mood.REFUSES])
def test_nobody_waits_for_a_collector_that_fails(tmp_path: Path, mood: Mood) -> None:
    impatient = {"OTEL_EXPORTER_OTLP_TIMEOUT": str(EXPORTER_SECONDS)}
    with small_collector(mood) as collector, traced_portal(tmp_path, collector, **impatient) as portal:
        first = portal.submit()
        wait_until(lambda: bool(portal.lines("web", "traces.lost")), what="the loss to be said")
        assert sum(_seconds(portal) >= EXPORTER_SECONDS for _ in range(REQUESTS)) <= MOST_SLOW
        portal.settled(portal.submit())
        portal.settled(first)
        assert len(portal.lines("web", "traces.lost")) == 1

        began = time.monotonic()
        portal.processes.kill("controller", signal.SIGTERM)
        assert time.monotonic() - began < FLUSH_SECONDS + LONGEST_SECONDS

        collector.mood = Mood.TAKES
        collector.released.set()
        portal.call("GET", "/api/v1/jobs")
        wait_until(lambda: bool(portal.lines("web", "traces.sent_again")), what="traces to be sent again")
        assert collector.spans()


def test_the_end_does_not_wait_for_an_answer_for_longer_than_it_says() -> None:
    with small_collector(Mood.HANGS) as collector:
        tracing = otlp.start(TracingSettings(endpoint=collector.url), service="hpc-portal-web")
        with spans.span("job.submit"):
            pass
        began = time.monotonic()
        otlp.stop(tracing)
        assert time.monotonic() - began < FLUSH_SECONDS * 2  # the exporter itself waits for ten seconds
        assert len(collector.paths) == 1
    with spans.span("job.submit"):
        assert spans.traceparent() is None


def _seconds(portal: TracedPortal) -> float:
    """How long one request takes."""
    began = time.monotonic()
    assert portal.call("GET", "/api/v1/jobs").status_code == 200
    return time.monotonic() - began
