"""Batch scripts over the API: translated, shown, and submitted as what they came to."""

from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.jobs.wish import HeldBy
from hpc_portal.app.tables import Job
from tests.integration.api.conftest import Portal

SCRIPT = "#!/bin/bash\n#SBATCH --job-name=sim --time=1:00:00\n#SBATCH --mem-per-cpu=512M -c 2\n./simv\n"


def test_a_script_is_translated_and_its_specification_can_be_submitted(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        found = client.post(
            "/api/v1/scripts/translate", json={"script": SCRIPT, "options": ["--time=30"]}
        ).json()
        assert found["problems"] == []
        assert [(row["line"], row["field"], row["value"]) for row in found["options"]] == [
            (2, "name", "sim"),
            (2, "", ""),
            (3, "resources.memory_mib_per_node", "1 GiB"),
            (3, "resources.cpus_per_task", "2"),
            (0, "resources.walltime_seconds", "00:30:00"),
        ]
        submitted = client.post("/api/v1/jobs", json={"project": "chips", "spec": found["spec"]})
        job = client.get(submitted.headers["location"]).json()
    assert (found["dialect"], job["name"]) == ("sbatch", "sim")
    assert job["spec"]["script"] == SCRIPT
    assert job["spec"]["resources"]["walltime_seconds"] == 1800


def test_what_cannot_be_translated_is_told_line_by_line(portal: Portal) -> None:
    script = "#!/bin/bash\n#SBATCH --hint=x\n#SBATCH --begin=soon\ntrue\n"
    with portal.client(portal.city.chips.member) as client:
        reply = client.post("/api/v1/scripts/translate", json={"script": script})
    assert reply.status_code == 200
    assert reply.json()["spec"] is None
    assert [(item["line"], item["option"]) for item in reply.json()["problems"]] == [
        (2, "--hint=x"),
        (3, "--begin=soon"),
    ]


def test_a_begin_time_is_meant_in_the_citys_time(portal: Portal) -> None:
    script = "#!/bin/bash\n#SBATCH --begin=2031-01-20T07:00:00\ntrue\n"
    with portal.client(portal.city.chips.member) as client:
        spec = client.post("/api/v1/scripts/translate", json={"script": script}).json()["spec"]
    assert spec["begin_at"] == "2031-01-20T07:00:00+07:00"


def test_a_stranger_translates_nothing(portal: Portal) -> None:
    with portal.client() as client:
        assert client.post("/api/v1/scripts/translate", json={"script": SCRIPT}).status_code == 401


def test_the_script_template_reads_the_header_too(portal: Portal) -> None:
    parameters = {"script": SCRIPT, "resources": {"cpus": 4}}
    with portal.client(portal.city.chips.member) as client:
        body = {"project": "chips", "template": "script", "parameters": parameters}
        estimate = client.post("/api/v1/jobs/estimate", json=body).json()
        bad = {**body, "parameters": {"script": "#!/bin/sh\n#SBATCH --hint=x\ntrue\n"}}
        refused = client.post("/api/v1/jobs", json=bad)
    asked = estimate["spec"]["resources"]
    assert (asked["cpus_per_task"], asked["memory_mib_per_node"]) == (4, 2048), (
        "the form goes before the script"
    )
    assert asked["walltime_seconds"] == 3600
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["field"] == "script"
    assert "line 2: --hint=x" in refused.json()["problems"][0]["message"]


def test_an_account_in_the_specification_must_be_the_one_that_pays(portal: Portal) -> None:
    spec = {"name": "x", "argv": ["true"], "account": "optics"}
    with portal.client(portal.city.chips.member) as client:
        refused = client.post("/api/v1/jobs", json={"project": "chips", "spec": spec})
        taken = client.post("/api/v1/jobs", json={"project": "chips", "spec": {**spec, "account": "chips"}})
    assert (refused.status_code, refused.json()["problems"][0]["field"]) == (422, "account")
    assert taken.status_code == 201


def test_an_exclusive_job_is_priced_for_the_whole_node_whatever_it_says(portal: Portal) -> None:
    asked = {"walltime_seconds": 3600, "whole_node": {"cpus": 1}}
    spec = {"name": "x", "argv": ["true"], "resources": asked, "exclusive": True}
    with portal.client(portal.city.chips.member) as client:
        estimate = client.post("/api/v1/jobs/estimate", json={"project": "chips", "spec": spec}).json()
    node_cpus = portal.city.services.clusters.get()[0].nodes[0].cpus
    (cpu,) = [line for line in estimate["lines"] if line["tres"] == "cpu"]
    assert cpu["tres_seconds"] == node_cpus * 3600


def test_a_job_may_be_submitted_held(portal: Portal) -> None:
    spec = {"name": "x", "argv": ["true"], "hold": True}
    with portal.client(portal.city.chips.member) as client:
        job_id = client.post("/api/v1/jobs", json={"project": "chips", "spec": spec}).json()["id"]
        shown = client.get(f"/api/v1/jobs/{job_id}").json()
        estimate = client.post("/api/v1/jobs/estimate", json={"project": "chips", "spec": spec}).json()
    assert shown["held_by"] == HeldBy.USER
    assert shown["state_reason"] == "JobHeldUser"
    assert estimate["expected_start"]["reason"] == "Held"
    with portal.city.services.engine.connect() as connection:
        assert connection.execute(select(col(Job.held_by))).scalar_one() is HeldBy.USER
