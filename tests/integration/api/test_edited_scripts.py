"""A template's script edited by hand: submitted, priced and held like any job, and both texts kept."""

from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.tables import Job, JobEvent
from tests.integration.api.conftest import Portal

LINT = {"project": "chips", "template": "lint", "parameters": {"resources": {"walltime_seconds": 600}}}


def test_an_edited_script_runs_and_what_the_template_made_is_kept(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        assert client.get("/api/v1/templates/lint").json()["fixed_script"] == ""
        made = client.post("/api/v1/jobs/estimate", json=LINT).json()
        generated = made["spec"]["script"]
        edited = generated.replace("set -u", "module load verilator\nset -u", 1)
        estimate = client.post("/api/v1/jobs/estimate", json={**LINT, "script": edited}).json()
        submitted = client.post("/api/v1/jobs", json={**LINT, "script": edited})
        plain = client.post("/api/v1/jobs", json={**LINT, "script": generated})
        job = client.get(submitted.headers["location"]).json()
        shown = client.get(f"{submitted.headers['location']}/script").json()
        untouched = client.get(f"{plain.headers['location']}/script").json()
    assert submitted.status_code == plain.status_code == 201
    assert (estimate["total_vnd"], estimate["notes"]) == (made["total_vnd"], made["notes"])
    assert (job["template"], job["spec"]["script"]) == ("lint", edited)
    assert job["estimated_vnd"] == made["total_vnd"]
    assert (shown["script"], shown["generated"]) == (edited, generated)
    changed = [line for line in shown["lines"] if line["change"] != "same"]
    assert [(line["change"], line["text"]) for line in changed] == [("added", "module load verilator")]
    assert (untouched["script"], untouched["generated"], untouched["lines"]) == (generated, None, [])
    job_id = UUID(job["id"])
    with portal.city.services.engine.connect() as connection:
        audited = select(col(AuditRecord.subject), col(AuditRecord.facts)).where(
            col(AuditRecord.action) == "job.script_edited"
        )
        assert [tuple(row) for row in connection.execute(audited)] == [
            (str(job_id), {"template": "lint", "project": "chips"})
        ]
        told = select(col(JobEvent.facts)).where(col(JobEvent.job_id) == job_id)
        assert connection.execute(told).scalars().one()["is_script_edited"] is True


def test_an_edit_that_may_not_be_is_refused_and_stores_nothing(portal: Portal) -> None:
    hello = "#!/bin/sh\necho hello\n"
    wrong = (
        {**LINT, "script": "echo hello\n"},
        {"project": "chips", "template": "script", "script": hello},
        {"project": "chips", "spec": {"name": "x", "script": hello}, "script": hello},
    )
    with portal.client(portal.city.chips.member) as client:
        for body in wrong:
            reply = client.post("/api/v1/jobs", json=body)
            assert reply.status_code == 422
            assert [problem["field"] for problem in reply.json()["problems"]] == ["script"]
    with portal.city.services.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(Job)).scalar_one() == 0


def test_header_lines_of_an_edited_script_are_said_to_have_no_effect(portal: Portal) -> None:
    with portal.client(portal.city.chips.member, **{"accept-language": "vi"}) as client:
        script = "#!/bin/bash\n#SBATCH --time=9:00:00\nverilator --lint-only top.v\n"
        estimate = client.post("/api/v1/jobs/estimate", json={**LINT, "script": script}).json()
    assert estimate["spec"]["resources"]["walltime_seconds"] == 600
    assert any("#SBATCH" in note for note in estimate["notes"])


def test_the_same_key_with_another_script_is_another_request(portal: Portal) -> None:
    key = {"Idempotency-Key": "k"}
    with portal.client(portal.city.chips.member) as client:
        body = {**LINT, "script": "#!/bin/sh\necho one\n"}
        first, again = (client.post("/api/v1/jobs", json=body, headers=key) for _ in range(2))
        other = client.post("/api/v1/jobs", json={**LINT, "script": "#!/bin/sh\necho two\n"}, headers=key)
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["id"] == again.json()["id"]
