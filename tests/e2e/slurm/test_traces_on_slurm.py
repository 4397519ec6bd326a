"""On a real Slurm, the request to slurmrestd is in the trace of the submission; nobody is named in it."""

from collections.abc import Iterator

import pytest

from tests.e2e.slurm.conftest import Portal
from tests.portal_processes import wait_until
from tests.small_collector import SmallCollector, small_collector

FAMILY = {
    "job.submit": "POST /api/v1/jobs",
    "job.prepare": "job.submit",
    "job.store": "job.submit",
    "job.dispatch": "job.submit",
    "scheduler.submit": "job.dispatch",
    "job.wait": "job.submit",
    "job.run": "job.submit",
    "job.settle": "job.submit",
}
"""Each span and its parent; the request to slurmrestd is named after where that listens."""


@pytest.fixture(autouse=True)
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallCollector]:
    """It is there before the portal's processes start, which have its address from our environment."""
    with small_collector() as collector:
        monkeypatch.setenv("HPC_PORTAL_TRACING__ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        yield collector


def test_the_request_to_slurmrestd_is_in_the_job_s_trace(portal: Portal, collector: SmallCollector) -> None:
    small = {"walltime_seconds": 120, "memory_mib_per_node": 16}
    job_id = portal.submit(
        "tapeout-of-the-npu", script="#!/bin/sh\ntrue\n", partition="short", resources=small
    )
    portal.wait_for(job_id, phase="settled")

    def last() -> list[str]:
        return [
            span.trace_id
            for span in collector.spans()
            if span.name == "job.settle" and span.facts["hpc.job.id"] == job_id
        ]

    wait_until(lambda: bool(last()), what="the trace's last span")
    (trace_id,) = last()
    wait_until(lambda: len(collector.trace(trace_id)) == len(FAMILY) + 2, what="the trace's other spans")
    trace = collector.trace(trace_id)

    (call,) = [span for span in trace.values() if span.kind == "CLIENT" and span.name.startswith("POST ")]
    assert call.parent_id == trace["scheduler.submit"].span_id
    assert (call.service, call.facts["http.response.status_code"]) == ("hpc-portal-controller", 200)
    assert {name: trace[name].parent_id for name in FAMILY} == {
        name: trace[parent].span_id for name, parent in FAMILY.items()
    }
    assert trace["job.run"].facts["hpc.job.state"] == "COMPLETED"
    assert trace["scheduler.submit"].began_ns <= call.began_ns <= call.ended_ns
    sent = b"".join(collector.bodies)
    assert not any(word in sent for word in (b"tapeout", b"alice", b"/slurm/", b"chips"))
