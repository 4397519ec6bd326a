"""Changing jobs under way over HTTP, and pending reasons in the reader's language."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from schedulers.jobstate import JobState
from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import SPEC, submit


def ask(client: httpx.Client, job: str, change: str, **facts: Any) -> httpx.Response:  # noqa: ANN401 - JSON
    return client.post(f"/api/v1/jobs/{job}/changes", json={"change": change, **facts})


def write(portal: Portal, job: str, **values: object) -> None:
    transact(
        portal.city.services.engine,
        lambda connection: connection.execute(update(Job).where(col(Job.id) == UUID(job)).values(**values)),
    )


def test_a_change_is_recorded_and_listed(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job = submit(client).json()["id"]
        reply = ask(client, job, "hold")
        assert reply.status_code == 202
        assert (reply.json()["state"], reply.json()["requested_by"]) == ("carried", "chips-member")
        assert client.get(f"/api/v1/jobs/{job}").json()["held_by"] == "user"
        ask(client, job, "walltime", walltime_seconds=7200)
        listed = client.get(f"/api/v1/jobs/{job}/changes").json()["items"]
        assert [(item["change"], item["facts"]) for item in listed] == [
            ("walltime", {"walltime_seconds": 7200}),
            ("hold", {}),
        ]
        shown = client.get(f"/api/v1/jobs/{job}").json()
        assert shown["spec"]["resources"]["walltime_seconds"] == 7200
        assert shown["estimated_vnd"] == 2 * (360 + 36)
        kinds = [item["kind"] for item in client.get(f"/api/v1/jobs/{job}/events").json()["items"]]
        assert kinds == ["job.submitted", "job.changed", "job.changed"]


def test_a_job_at_the_scheduler_waits_for_its_answer(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job = submit(client).json()["id"]
        write(portal, job, phase=Phase.TRACKED, scheduler_job_id="1")
        assert ask(client, job, "nice", nice=100).json()["state"] == "requested"
        assert client.get(f"/api/v1/jobs/{job}").json()["nice"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"change": "release"}, 409),
        ({"change": "requeue"}, 409),
        ({"change": "cancel_tasks", "tasks": "3-7"}, 409),
        ({"change": "cancel_tasks", "tasks": "7-3"}, 422),
        ({"change": "walltime", "walltime_seconds": 0}, 422),
        ({"change": "walltime", "walltime_seconds": 8 * 86_400}, 409),
        ({"change": "nice", "nice": -1}, 403),
        ({"change": "nice", "nice": "much"}, 422),
        ({"change": "explode"}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_changes_nothing(
    portal: Portal, body: dict[str, Any], status: int
) -> None:
    with portal.client(portal.city.chips.member) as client:
        job = submit(client).json()["id"]
        reply = client.post(f"/api/v1/jobs/{job}/changes", json=body)
        assert (reply.status_code, bool(reply.json()["detail"])) == (status, True)
        assert client.get(f"/api/v1/jobs/{job}/changes").json()["items"] == []


def test_a_walltime_that_the_budget_cannot_pay_is_refused(portal: Portal) -> None:
    resources = {"gpus_per_node": {"h100": 8}, "walltime_seconds": 160 * 3600}
    with portal.client(portal.city.chips.member) as client:
        for _ in range(2):
            client.post("/api/v1/jobs", json={"project": "chips", "spec": {**SPEC, "resources": resources}})
        asked = {**SPEC, "resources": {**resources, "walltime_seconds": 3600}}
        job = client.post("/api/v1/jobs", json={"project": "chips", "spec": asked}).json()["id"]
        reply = ask(client, job, "walltime", walltime_seconds=40 * 3600)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/budget-exceeded")


def test_several_jobs_are_changed_at_once_and_some_are_left_out(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        first, second = (submit(client, name).json()["id"] for name in ("first", "second"))
        ask(client, second, "hold")
        reply = client.post(
            "/api/v1/jobs/changes", json={"job_ids": [first, second], "change": {"change": "hold"}}
        )
        assert reply.status_code == 202
        assert [item["job_id"] for item in reply.json()["changes"]] == [first]
        assert reply.json()["left_out"] == [{"job_id": second, "problem": "The job is held already."}]
        assert client.get(f"/api/v1/jobs/{first}").json()["held_by"] == "user"


def test_what_is_not_ones_own_stops_the_whole_bulk(portal: Portal) -> None:
    chips = portal.city.chips
    with portal.client(chips.lead) as lead, portal.client(chips.member) as member:
        leads, members = submit(lead).json()["id"], submit(member).json()["id"]
        body = {"job_ids": [members, leads], "change": {"change": "hold"}}
        assert member.post("/api/v1/jobs/changes", json=body).status_code == 403
        assert member.get(f"/api/v1/jobs/{members}").json()["held_by"] is None
        assert lead.post("/api/v1/jobs/changes", json=body).status_code == 202


def test_the_pending_reason_comes_in_words_with_the_raw_one_beside_it(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job = submit(client).json()["id"]
        write(portal, job, phase=Phase.TRACKED, state_reason="AssocGrpGRES")
        english = client.get(f"/api/v1/jobs/{job}").json()["pending_reason"]
        assert english["raw"] == "AssocGrpGRES"
        assert english["text"] == "Your project already uses as many GPUs as it may."
        assert (english["who"], english["tasks_waiting"], english["tasks_running"]) == ("project", 1, 0)
        vietnamese = client.get("/api/v1/jobs", headers={"Accept-Language": "vi"}).json()["items"][0]
        assert vietnamese["pending_reason"]["text"] == "Dự án của bạn đã dùng đủ số GPU được phép."
        write(portal, job, state_reason="SiteSpecific7")
        unknown = client.get(f"/api/v1/jobs/{job}").json()["pending_reason"]
        assert (unknown["text"], unknown["who"], unknown["advice"]) == ("SiteSpecific7", "", "")
        write(portal, job, phase=Phase.ENDED, state=JobState.FAILED, state_reason="NonZeroExitCode")
        assert client.get(f"/api/v1/jobs/{job}").json()["pending_reason"] is None


def test_of_a_running_array_the_reason_says_how_much_waits(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        spec = {**SPEC, "array": {"expression": "0-9%2"}}
        job = client.post("/api/v1/jobs", json={"project": "chips", "spec": spec}).json()["id"]
        write(
            portal,
            job,
            phase=Phase.TRACKED,
            state=JobState.RUNNING,
            tasks_running=2,
            state_reason="JobArrayTaskLimit",
        )
        reason = client.get(f"/api/v1/jobs/{job}").json()["pending_reason"]
        assert (reason["tasks_waiting"], reason["tasks_running"]) == (8, 2)


def test_a_job_that_was_held_at_the_scheduler_itself_can_be_released_here(portal: Portal) -> None:
    chips = portal.city.chips
    with portal.client(chips.member) as client:
        job = submit(client).json()["id"]
        write(portal, job, phase=Phase.TRACKED, scheduler_job_id="1", state_reason="JobHeldUser")
        assert ask(client, job, "hold").status_code == 409
        assert ask(client, job, "release").status_code == 202
        assert ask(client, job, "release").status_code == 409  # it is asked for already
        write(portal, job, state_reason="JobHeldAdmin")
        other = submit(client).json()["id"]
        write(portal, other, phase=Phase.TRACKED, scheduler_job_id="2", state_reason="JobHeldAdmin")
        assert ask(client, other, "release").status_code == 403
