"""One submit is one trace: from the request through the real controller and Dask to the settled job."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.traces.traced_portal import SECRET, TracedPortal, traced_portal
from tests.portal_processes import wait_until
from tests.small_collector import GotSpan, SmallCollector, small_collector

pytestmark = pytest.mark.xdist_group("traces")

CALLER_TRACE, CALLER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = f"00-{CALLER_TRACE}-{CALLER_SPAN}-01"
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
"""Each span and its parent."""
BY_THE_CONTROLLER = {"job.dispatch", "scheduler.submit", "job.wait", "job.run", "job.settle"}


@pytest.fixture(scope="module")
def collector() -> Iterator[SmallCollector]:
    with small_collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, collector: SmallCollector) -> Iterator[TracedPortal]:
    with traced_portal(tmp_path_factory.mktemp("portal"), collector) as portal:
        yield portal


def the_job(collector: SmallCollector, job_id: str) -> dict[str, GotSpan]:
    """The whole trace of a job, once its last span came."""

    def settled() -> list[GotSpan]:
        return [
            one for one in collector.spans() if one.name == "job.settle" and one.facts["hpc.job.id"] == job_id
        ]

    wait_until(lambda: bool(settled()), what="the trace's last span")
    (last,) = settled()
    wait_until(lambda: len(collector.trace(last.trace_id)) > len(FAMILY), what="the trace's other spans")
    return collector.trace(last.trace_id)


def test_one_submit_is_one_trace_up_to_the_settled_job(
    portal: TracedPortal, collector: SmallCollector
) -> None:
    job_id = portal.submit(headers={"X-Request-ID": "a-proxy-s-own-name", "traceparent": CALLER})
    portal.settled(job_id)
    trace = the_job(collector, job_id)

    assert set(trace) == {*FAMILY, "POST /api/v1/jobs"}
    assert {name: trace[parent].span_id for name, parent in FAMILY.items()} == {
        name: trace[name].parent_id for name in FAMILY
    }
    services = {name: span.service for name, span in trace.items()}
    assert services == {
        name: "hpc-portal-controller" if name in BY_THE_CONTROLLER else "hpc-portal-web" for name in trace
    }
    request = trace["POST /api/v1/jobs"]
    assert (request.kind, request.parent_id) == ("SERVER", "")
    assert request.facts["http.route"] == "/api/v1/jobs"
    assert request.facts["http.response.status_code"] == 201
    about = {"hpc.job.id": job_id, "hpc.cluster": "real"}
    assert trace["job.submit"].facts == {**about, "hpc.job.is_new": True}
    assert about.items() <= trace["job.settle"].facts.items()
    assert trace["scheduler.submit"].kind == "CLIENT"
    assert trace["job.dispatch"].facts["hpc.dispatch.outcome"] == "accepted"
    assert trace["job.run"].facts["hpc.job.state"] == "COMPLETED"
    assert not any(span.is_error for span in trace.values())
    assert trace["job.wait"].ended_ns == trace["job.run"].began_ns
    assert all(span.began_ns <= span.ended_ns for span in trace.values())
    assert trace["job.run"].ended_ns == trace["job.settle"].began_ns

    # A caller's trace is linked and never gone on with: it could have anything sampled, or one trace flooded.
    assert request.trace_id != CALLER_TRACE
    assert request.links == (f"{CALLER_TRACE}-{CALLER_SPAN}",)
    assert [name for name, span in trace.items() if span.links] == ["POST /api/v1/jobs"]

    # The logs of both processes have the request's id and the trace's.
    names = {"request_id": "a-proxy-s-own-name", "trace_id": request.trace_id}
    (submitted,) = [line for line in portal.lines("web", "job.submitted") if line["job_id"] == job_id]
    assert {key: submitted[key] for key in names} == names
    for event in ("dispatch.sent", "track.ended", "settle.closed"):
        assert portal.origins(event)[job_id] == names

    assert {headers["x-collector-key"] for headers in collector.headers} == {"let-us-in"}
    assert set(collector.paths) == {"/v1/traces"}


def test_a_failed_job_is_seen_as_one_and_a_refused_request_by_its_kind(
    portal: TracedPortal, collector: SmallCollector
) -> None:
    job_id = portal.submit(script="#!/bin/sh\nexit 3\n")
    body = {"project": "nowhere", "spec": {"name": "x", "script": "#!/bin/sh\n"}}
    assert portal.call("POST", "/api/v1/jobs", json=body).status_code == 404
    portal.settled(job_id)
    run = the_job(collector, job_id)["job.run"]
    assert (run.is_error, run.facts["error.type"], run.facts["hpc.job.state"]) == (True, "FAILED", "FAILED")

    def refused() -> list[GotSpan]:
        return [one for one in collector.spans() if one.facts.get("error.type") == "ProjectNotFound"]

    wait_until(lambda: len(refused()) == 2, what="the refused submission")
    assert {span.name for span in refused()} == {"job.submit", "job.prepare"}
    assert not any(span.is_error for span in refused())


def test_nothing_of_a_tenant_leaves_with_a_trace(portal: TracedPortal, collector: SmallCollector) -> None:
    job_id = portal.submit(
        script=f"#!/bin/sh\necho {SECRET}\n",
        headers={"baggage": f"who={SECRET}", "tracestate": f"a={SECRET}"},
    )
    portal.settled(job_id)
    trace = the_job(collector, job_id)
    portal.call(
        "GET", f"/api/v1/jobs/{job_id}/files/content", params={"path": f"{SECRET}.v", "token": SECRET}
    )
    portal.call("GET", f"/{SECRET}", headers={"Host": f"{SECRET}.example.vn", "User-Agent": SECRET})
    portal.call("GET", f"/projects/{SECRET}/files?path={SECRET}", headers={"Cookie": f"a={SECRET}"})
    portal.call("POST", "/sign-in", data={"username": f"{SECRET}@example.vn", "password": SECRET})
    portal.call("POST", "/api/v1/jobs", content=f'{{"project": "{SECRET}", ')
    portal.call("PROPFIND", f"/{SECRET}")
    wait_until(
        lambda: any(span.facts.get("http.request.method") == "_OTHER" for span in collector.spans()),
        what="the span of the last request, behind all others",
    )

    sent = b"".join(collector.bodies)
    person = portal.city.chips.member
    for secret in (
        SECRET,
        portal.token,
        person.username,
        portal.city.chips.account,
        "url.path",
        "url.query",
        "PROPFIND",
    ):
        assert secret.encode() not in sent, secret
    assert job_id.encode() in sent  # what is looked for would be found
    assert all(span.events == 0 and span.said == "" for span in collector.spans())
    assert trace["POST /api/v1/jobs"].links == ()


def test_behind_a_proxy_its_trace_goes_on_and_what_is_left_is_sent_at_the_end(tmp_path: Path) -> None:
    trusting = {"HPC_PORTAL_TRACING__TRUST_CALLERS": "true", "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    with small_collector() as collector, traced_portal(tmp_path, collector, **trusting) as portal:
        unsampled = portal.submit(headers={"traceparent": CALLER.removesuffix("1") + "0"})
        job_id = portal.submit(headers={"traceparent": CALLER})
        portal.settled(job_id)
        portal.settled(unsampled)
        assert collector.paths == []
        portal.processes.kill("web", signal.SIGTERM)
        portal.processes.kill("controller", signal.SIGTERM)
        request = the_job(collector, job_id)["POST /api/v1/jobs"]
        assert (request.trace_id, request.parent_id, request.links) == (CALLER_TRACE, CALLER_SPAN, ())
        assert unsampled not in {span.facts.get("hpc.job.id") for span in collector.spans()}
        origins = portal.origins("settle.closed")
        assert {origins[one]["trace_id"] for one in (job_id, unsampled)} == {CALLER_TRACE}


def test_a_caller_s_flag_samples_nothing(tmp_path: Path) -> None:
    nothing = {"HPC_PORTAL_TRACING__SAMPLING_RATIO": "0"}
    with small_collector() as collector, traced_portal(tmp_path, collector, **nothing) as portal:
        job_id = portal.submit(headers={"traceparent": CALLER})
        portal.settled(job_id)
        portal.processes.kill("web", signal.SIGTERM)
        portal.processes.kill("controller", signal.SIGTERM)
        assert collector.paths == []
        (submitted,) = portal.lines("web", "job.submitted")
        assert portal.origins("settle.closed")[job_id]["trace_id"] == submitted["trace_id"] != CALLER_TRACE
