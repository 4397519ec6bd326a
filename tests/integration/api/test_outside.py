"""What the API says of jobs that came past the portal, and of what others changed on a cluster."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import insert, update

from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.db import transact
from hpc_portal.app.external.shape import external_id
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import GlobalRole, Job, MirrorDrift, MirrorState, UnclaimedRun, User
from schedulers.jobstate import JobState
from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import submit

NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
RUN = {
    "scheduler_job_id": "7",
    "task_index": 0,
    "is_array": False,
    "tasks": 1,
    "submitted_at": NOW.isoformat(),
    "claims_job": None,
    "cluster_user": "chi",
    "account": "physics",
    "name": "md",
    "partition": "gpu",
    "qos": "",
    "state": JobState.COMPLETED,
    "elapsed_seconds": 60,
    "allocated_tres": {"gres/gpu": 2},
}


@pytest.fixture
def administrator(portal: Portal) -> Actor:
    services, user_id = portal.city.services, portal.city.rivals.lead.user_id
    transact(
        services.engine,
        lambda connection: connection.execute(
            update(User).where(User.id == user_id).values(global_role=GlobalRole.ADMINISTRATOR)  # type: ignore[arg-type]
        ),
    )
    with services.reading() as session:
        actor = load_actor(session, user_id)
    assert actor
    return actor


@pytest.fixture
def outside_job(portal: Portal) -> UUID:
    chips = portal.city.chips
    job_id = external_id("slurm", "7", NOW)
    facts = {
        "id": job_id,
        "organisation_id": chips.organisation_id,
        "project_id": chips.project_id,
        "user_id": chips.member.user_id,
        "name": "md",
        "spec": {"name": "md", "argv": ["sbatch"]},
        "workspace": f"chips-org/chips/chi/{job_id}",
        "partition": "gpu",
        "is_external": True,
        "phase": Phase.SETTLED,
        "state": JobState.COMPLETED,
        "scheduler": "slurm",
        "scheduler_job_id": "7",
        "submitted_at": NOW,
        "ended_at": NOW,
        "settled_at": NOW,
        "tasks_total": 1,
        "tasks_completed": 1,
        "charged_vnd": 10,
    }
    transact(portal.city.services.engine, lambda connection: connection.execute(insert(Job).values(facts)))
    return job_id


def test_jobs_say_how_they_came_and_lists_can_be_narrowed_to_it(portal: Portal, outside_job: UUID) -> None:
    with portal.client(portal.city.chips.member) as client:
        own = submit(client).json()["id"]
        listed = {job["id"]: job["origin"] for job in client.get("/api/v1/jobs").json()["items"]}
        assert listed == {own: "portal", str(outside_job): "external"}
        for origin, expected in (("external", str(outside_job)), ("portal", own)):
            found = client.get("/api/v1/jobs", params={"origin": origin}).json()["items"]
            assert [job["id"] for job in found] == [expected]


def test_a_job_from_outside_has_every_page_that_a_job_has(portal: Portal, outside_job: UUID) -> None:
    with portal.client(portal.city.chips.member) as client:
        job = client.get(f"/api/v1/jobs/{outside_job}").json()
        assert (job["origin"], job["scheduler_job_id"], job["charged_vnd"]) == ("external", "7", 10)
        for part in ("tasks", "events"):
            reply = client.get(f"/api/v1/jobs/{outside_job}/{part}")
            assert (reply.status_code, reply.json()["items"]) == (200, [])
        assert client.get(f"/api/v1/jobs/{outside_job}/files").status_code == 404, "they are not here"
        for part in ("", "/cost", "/files", "/log", "/script", "/events"):
            page = client.get(f"/jobs/{outside_job}{part}")
            assert (page.status_code, "External" in page.text) == (200, True)
        assert "External" in client.get("/jobs").text
    with portal.client(portal.city.rivals.member) as client:
        assert client.get(f"/api/v1/jobs/{outside_job}").status_code == 404


def test_drift_and_unclaimed_use_are_for_administrators(portal: Portal, administrator: Actor) -> None:
    state = {"cluster": "memory", "checked_at": NOW, "problem": ""}
    drift = {
        "cluster": "memory",
        "subject": "qos chips_1_direct",
        "field": "tres_minutes cpu",
        "wanted": "20",
        "found": "999",
        "since": NOW,
        "corrected_at": NOW,
    }
    run = {
        "cluster": "memory",
        "scheduler_job_id": "7",
        "submitted_at": NOW,
        "account": "physics",
        "cluster_user": "chi",
        "why": "The portal has no project with this account.",
        "record": RUN,
        "found_at": NOW,
    }
    engine = portal.city.services.engine
    for model, values in ((MirrorState, state), (MirrorDrift, drift), (UnclaimedRun, run)):
        transact(engine, lambda connection, m=model, v=values: connection.execute(insert(m).values(v)))  # type: ignore[misc]
    with portal.client(administrator) as client:
        report = client.get("/api/v1/clusters/memory/drift").json()
        assert [(one["subject"], one["found"]) for one in report["drift"]] == [("qos chips_1_direct", "999")]
        (group,) = report["unclaimed"]
        assert (group["runs"], group["tres_seconds"]) == (1, {"gres/gpu": 120})
        assert client.get("/api/v1/clusters/moon/drift").status_code == 404
        page = client.get("/clusters").text
        assert "qos chips_1_direct" in page
        assert "The portal has no project with this account." in page
        client.cookies.set("locale", "vi")
        assert "Cổng không có dự án nào mang tài khoản này." in client.get("/clusters").text
    with portal.client(portal.city.chips.lead) as client:
        assert client.get("/api/v1/clusters/memory/drift").status_code == 403
        assert "qos chips_1_direct" not in client.get("/clusters").text
