"""Submitting, listing, cancelling: what clients of the API rely on."""

from uuid import UUID, uuid4

import httpx
from sqlalchemy import func, select, update
from sqlmodel import col

from hpc_portal.app.tables import Job
from schedulers.jobstate import JobState
from tests.integration.api.conftest import Portal

SPEC = {"name": "hello", "script": "#!/bin/sh\necho hello\n", "resources": {"walltime_seconds": 3600}}


def submit(client: httpx.Client, name: str = "hello", **headers: str) -> httpx.Response:
    return client.post(
        "/api/v1/jobs", json={"project": "chips", "spec": {**SPEC, "name": name}}, headers=headers
    )


def job_count(portal: Portal) -> int:
    with portal.city.services.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(Job)).scalar_one()


def test_a_submitted_job_is_stored_before_the_answer(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        reply = submit(client)

        assert reply.status_code == 201
        assert reply.json()["is_new"] is True
        assert job_count(portal) == 1
        job = client.get(reply.headers["location"]).json()
    assert job["id"] == reply.json()["id"]
    assert (job["name"], job["project"], job["user"]) == ("hello", "chips", "chips-member")
    assert (job["phase"], job["state"], job["tasks_pending"]) == ("accepted", "PENDING", 1)
    assert job["estimated_vnd"] == 360 + 36
    assert job["spec"]["resources"]["walltime_seconds"] == 3600
    assert job["submitted_at"].endswith("Z")


def test_the_same_idempotency_key_gives_the_same_job(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        first = submit(client, **{"Idempotency-Key": "k1"})
        second = submit(client, **{"Idempotency-Key": "k1"})
        other = submit(client, "other", **{"Idempotency-Key": "k1"})

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == {"id": first.json()["id"], "is_new": False}
    assert second.headers["location"] == first.headers["location"]
    assert other.status_code == 409
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert job_count(portal) == 1


def test_a_refusal_names_every_field_and_stores_nothing(portal: Portal) -> None:
    spec = {**SPEC, "resources": {"cpus_per_task": 1000, "walltime_seconds": 30 * 86_400}}
    with portal.client(portal.city.chips.member) as client:
        reply = client.post("/api/v1/jobs", json={"project": "chips", "spec": spec})

    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert {problem["field"] for problem in reply.json()["problems"]} == {"cpus_per_task", "walltime_seconds"}
    assert job_count(portal) == 0


def test_a_budget_that_is_too_small_is_a_conflict(portal: Portal) -> None:
    spec = {**SPEC, "array": {"expression": "0-99999"}, "resources": {"gpus_per_node": {"h100": 8}}}
    with portal.client(portal.city.chips.member) as client:
        reply = client.post("/api/v1/jobs", json={"project": "chips", "spec": spec})

    assert reply.status_code == 409
    assert reply.json()["type"] == "/problems/budget-exceeded"
    assert "chips" in reply.json()["detail"]


def test_an_estimate_prices_and_writes_nothing(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        estimate = client.post("/api/v1/jobs/estimate", json={"project": "chips", "spec": SPEC}).json()

    assert estimate["total_vnd"] == 396
    assert estimate["available_after"]["VND"] == 100_000_000 - 396
    assert estimate["expected_start"]["reason"] == "Free"
    assert estimate["obstacles"] == []
    assert job_count(portal) == 0


def test_a_list_pages_from_the_newest_to_the_oldest(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        made = [submit(client, f"job {number}").json()["id"] for number in range(5)]
        seen, cursor, pages = [], None, 0
        while pages == 0 or cursor:
            page = client.get("/api/v1/jobs", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
            seen += [job["id"] for job in page.json()["items"]]
            cursor = page.json()["next_cursor"]
            pages += 1

    assert seen == made[::-1]
    assert pages == 3


def test_filters_narrow_a_list(portal: Portal) -> None:
    member, lead = portal.city.chips.member, portal.city.chips.lead
    with portal.client(member) as mine, portal.client(lead) as theirs:
        running, other = UUID(submit(mine, "Alpha_1").json()["id"]), submit(theirs, "beta").json()["id"]
        with portal.city.services.engine.begin() as connection:
            connection.execute(update(Job).where(col(Job.id) == running).values(state=JobState.RUNNING))

        def names(**filters: str | list[str]) -> list[str]:
            return [job["name"] for job in mine.get("/api/v1/jobs", params=filters).json()["items"]]

        assert names() == ["beta", "Alpha_1"]
        assert names(state=["RUNNING", "FAILED"]) == ["Alpha_1"]
        assert names(user="chips-lead") == ["beta"]
        assert names(name="ALPHA") == ["Alpha_1"]
        assert names(name="_") == ["Alpha_1"]
        assert names(name="%") == []
        assert names(project="chips") == ["beta", "Alpha_1"]
        assert names(project="rivals") == []
        assert names(submitted_after="2020-01-01T00:00:00Z") == ["beta", "Alpha_1"]
        assert names(submitted_after="2100-01-01T00:00:00+07:00") == []
        assert mine.get("/api/v1/jobs", params={"state": "LATE"}).status_code == 422
        assert other


def test_cancel_tells_for_which_jobs_the_wish_is_new(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        first, second = submit(client).json()["id"], submit(client).json()["id"]

        assert client.post(f"/api/v1/jobs/{first}/cancel").json() == {"cancelled": [first]}
        both = client.post("/api/v1/jobs/cancel", json={"job_ids": [first, second]})
        assert both.json() == {"cancelled": [second]}
        assert client.get(f"/api/v1/jobs/{first}").json()["cancel_requested_at"]
        unknown = client.post("/api/v1/jobs/cancel", json={"job_ids": [str(uuid4())]})
        assert unknown.status_code == 404


def test_events_of_a_job_page_by_sequence(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job_id = submit(client).json()["id"]
        client.post(f"/api/v1/jobs/{job_id}/cancel")
        first = client.get(f"/api/v1/jobs/{job_id}/events", params={"limit": 1}).json()
        rest = client.get(f"/api/v1/jobs/{job_id}/events", params={"cursor": first["next_cursor"]}).json()

    assert [event["kind"] for event in first["items"] + rest["items"]] == [
        "job.submitted",
        "job.cancel_requested",
    ]
    assert rest["next_cursor"] is None


BAD_BODIES = (
    (b"", 422),
    (b"{", 422),
    (b"[]", 422),
    (b"null", 422),
    (b"\xff\xfe", 422),
    (b"[" * 100_000, 400),
    (b'{"project": "chips"}', 422),
    (b'{"project": "chips", "surprise": 1}', 422),
    (b'{"project": "a\\u0000b", "template": "script"}', 422),
    (b'{"project": "chips", "template": "a\\u0000b"}', 422),
    (b'{"project": "chips", "template": "no such"}', 404),
    (b'{"project": "no such", "template": "script"}', 404),
    (b'{"project": {"$gt": ""}, "template": "script"}', 422),
    (b'{"project": "chips", "spec": {"name": "a", "script": "echo"}}', 422),
    (b'{"project": "chips", "spec": {"name": "a/../b", "argv": ["x"]}}', 422),
    (b'{"project": "chips", "spec": {"name": "\\ud800", "argv": ["x"]}}', 422),
    (b'{"project": "chips", "spec": {"name": "a", "argv": ["x\\u0000"]}}', 422),
    (b'{"project": "chips", "spec": {"name": "a", "argv": ["x"], "array": {"expression": "0-9%0"}}}', 422),
    (b'{"project": "chips", "spec": {"name": "a", "argv": ["x"], "resources": {"nodes": 1e400}}}', 422),
    (b'{"project": "chips", "spec": {"name": "a", "argv": ["x"], "stdout_path": "/etc/passwd"}}', 422),
    (b'{"project": "chips", "template": "script", "parameters": {"x": NaN}}', 422),
    (b'{"project": "chips", "template": "pytorch-training", "parameters": {"learning_rate": NaN}}', 422),
)


def test_bad_input_is_refused_in_words_and_never_fails(portal: Portal) -> None:
    headers = {"content-type": "application/json"}
    with portal.client(portal.city.chips.member) as client:
        for body, status in BAD_BODIES:
            reply = client.post("/api/v1/jobs", content=body, headers=headers)
            assert (body[:80], reply.status_code) == (body[:80], status)
            assert reply.json()["detail"]
    assert job_count(portal) == 0


ODD_QUERIES = (
    "cursor=x",
    "limit=0",
    "limit=99999999999999999999",
    "state=%00",
    "project=%00",
    "user=%00",
    "name=%00",
    "submitted_after=yesterday",
    "submitted_after=0001-01-01T00:00:00Z",
    "submitted_after=9999-12-31T23:59:59Z",
)


def test_odd_queries_never_fail(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        for query in ODD_QUERIES:
            assert (query, client.get(f"/api/v1/jobs?{query}").status_code < 500) == (query, True)


def test_a_request_that_is_too_large_is_refused(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        reply = client.post("/api/v1/jobs", content=b" " * (65 * 1024**2))

    assert reply.status_code == 413
