"""A job's request to slurmrestd is a span of its trace; looks at jobs are none of any."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from hpc_portal.app.jobs.origin import Origin
from hpc_portal.app.jobs.trace_job import Sending
from hpc_portal.app.telemetry import otlp
from hpc_portal.app.telemetry.settings import TracingSettings
from hpc_portal.app.telemetry.traced_connection import TracedConnection
from schedulers.jobspec import JobSpec
from schedulers.protocol import Accepted, Submission, SubmitOutcome
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.submit_jobs import Submitter
from tests.small_collector import SmallCollector, small_collector
from tests.small_slurmrestd import Asked, Fate, HangUp, Reply, small_slurmrestd

TRACE = "0af7651916cd43dd8448eb211c80319c"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BELOW = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[SmallCollector]:
    with small_collector() as collector:
        yield collector


class NoToken:
    """Of a user whose name must not be told."""

    def headers(self, user: str) -> dict[str, str]:
        return {"X-SLURM-USER-NAME": user}


def answer(asked: Asked) -> Fate:
    if asked.path.endswith("/job/submit"):
        return Reply({"job_id": 7}) if asked.body["job"]["name"] == "taken" else HangUp()
    return Reply({"pings": [{"responding": True}], "jobs": []})


def submission(name: str) -> Submission:
    return Submission(
        job_id=uuid4(),
        spec=JobSpec(name=name, script="#!/bin/sh\ntrue\n", partition="main"),
        cluster_user="lan-nguyen",
        organisation="chips",
        project="chips",
        workspace="/shared/chips/secret-place",
        submitted_at=NOW,
    )


async def send(collector: SmallCollector, names: list[str]) -> tuple[list[Asked], list[SubmitOutcome]]:
    """Submit jobs of one trace to a slurmrestd on a socket; everything is sent at the end."""
    tracing = otlp.start(TracingSettings(endpoint=collector.url), service="hpc-portal-controller")
    try:
        async with small_slurmrestd(answer) as slurmrestd:
            client = SlurmClient(slurmrestd.url, NoToken(), polling_user="slurm", around=TracedConnection)
            jobs = [submission(name) for name in names]
            origins = {job.job_id: Origin(traceparent=BELOW) for job in jobs}
            sending = Sending(jobs, origins, cluster="slurm", claimed_at=NOW)
            outcomes = await Submitter(client).submit(sending.submissions)
            sending.ended(dict(zip((job.job_id for job in jobs), outcomes, strict=True)))
            await client.close()
            return slurmrestd.asked, outcomes
    finally:
        await asyncio.to_thread(otlp.stop, tracing)


def test_the_request_that_submits_a_job_is_below_its_dispatch(collector: SmallCollector) -> None:
    asked, outcomes = asyncio.run(send(collector, ["taken"]))
    assert outcomes == [Accepted("7")]
    trace = collector.trace(TRACE)
    assert set(trace) == {"job.dispatch", "scheduler.submit", "POST 127.0.0.1"}
    call = trace["POST 127.0.0.1"]
    assert (call.kind, call.parent_id) == ("CLIENT", trace["scheduler.submit"].span_id)
    assert trace["scheduler.submit"].parent_id == trace["job.dispatch"].span_id
    assert call.facts["http.response.status_code"] == 200
    (submit,) = [one for one in asked if one.path.endswith("/job/submit")]
    assert submit.headers["traceparent"] == f"00-{TRACE}-{call.span_id}-01"
    others = [one for one in asked if one is not submit]
    assert others, "the client looked for the version, and at the job"
    assert not any("traceparent" in one.headers for one in others)
    assert len(collector.spans()) == len(trace)
    assert not any(
        word in b"".join(collector.bodies) for word in (b"lan-nguyen", b"secret-place", b"/slurm/")
    )


def test_an_answer_that_got_lost_is_an_error_in_the_trace(collector: SmallCollector) -> None:
    asyncio.run(send(collector, ["lost"]))
    trace = collector.trace(TRACE)
    assert {name: span.is_error for name, span in trace.items()} == dict.fromkeys(trace, True)
    assert trace["job.dispatch"].facts["hpc.dispatch.outcome"] == "uncertain"
    assert trace["POST 127.0.0.1"].facts["error.type"] == "RemoteProtocolError"
