"""Running ended jobs again, several at once: priced first, once for each key, and each on its own feet."""

import re
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import func, select, update
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.tables import EditedScript
from hpc_portal.app.tables import Job
from tests.integration.api.conftest import Portal
from tests.integration.api.test_change_email import post
from tests.integration.api.test_jobs import SPEC, job_count, submit
from tests.integration.api.test_sessions import browser

TEMPLATE = {"project": "chips", "template": "script", "parameters": {"script": "#!/bin/sh\necho own\n"}}


def end(portal: Portal, *jobs: str) -> None:
    wanted = col(Job.id).in_([UUID(job) for job in jobs])
    transact(
        portal.city.services.engine,
        lambda connection: connection.execute(update(Job).where(wanted).values(phase=Phase.SETTLED)),
    )


def again(client: httpx.Client, jobs: list[str], key: str = "k") -> Any:  # noqa: ANN401 - JSON
    reply = client.post("/api/v1/jobs/run-again", json={"job_ids": jobs}, headers={"Idempotency-Key": key})
    assert reply.status_code == 200, reply.text
    return reply.json()


def price(client: httpx.Client, jobs: list[str]) -> Any:  # noqa: ANN401 - JSON
    reply = client.post("/api/v1/jobs/run-again/estimate", json={"job_ids": jobs})
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_ended_jobs_are_priced_together_and_run_again_once_for_each_key(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        jobs = [submit(client, name).json()["id"] for name in ("one", "two")]
        made = client.post("/api/v1/jobs", json=TEMPLATE)
        assert made.status_code == 201, made.text
        jobs.append(made.json()["id"])
        end(portal, *jobs)
        told = price(client, jobs)
        assert [one["problem"] for one in told["jobs"]] == ["", "", ""]
        assert told["total_vnd"] == sum(one["total_vnd"] for one in told["jobs"])
        assert told["jobs"][0]["total_vnd"] == 360 + 36
        assert told["list_vnd"] - told["subsidy_vnd"] == told["total_vnd"]
        assert job_count(portal) == 3

        first = again(client, jobs)
        assert (again(client, jobs), job_count(portal)) == (first, 6)
        assert [one["job_id"] for one in first["made"]] == jobs
        assert first["left_out"] == []
        for old, new in ((one["job_id"], one["new_job_id"]) for one in first["made"]):
            before, after = (client.get(f"/api/v1/jobs/{job}").json() for job in (old, new))
            assert all(before[name] == after[name] for name in ("name", "project", "template", "spec"))
        assert len(again(client, jobs[:1], "another")["made"]) == 1
        assert job_count(portal) == 7


def test_the_page_of_a_job_that_ended_leads_to_its_price_and_runs_it_again(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client, browser(portal, "here") as here:
        ended, running = (submit(client, name).json()["id"] for name in ("one", "two"))
        end(portal, ended)
        [address] = re.findall(r'href="(/jobs/again[^"]+)"', here.get(f"/jobs/{ended}").text)
        assert re.findall(r'href="(/jobs/again[^"]+)"', here.get(f"/jobs/{running}").text) == []
        [form] = re.findall(r'action="/jobs/again/submit".*?</form>', here.get(address).text, re.DOTALL)
        sent = post(here, "/jobs/again/submit", **dict(re.findall(r'name="(key|id)" value="([^"]+)"', form)))
        assert (sent.status_code, job_count(portal)) == (303, 3)
        assert client.get(f"/api/v1{sent.headers['location']}").json()["name"] == "one"


def test_a_script_edited_by_hand_runs_again_as_it_was_edited(portal: Portal) -> None:
    body = {"project": "chips", "template": "lint", "parameters": {"resources": {"walltime_seconds": 600}}}
    with portal.client(portal.city.chips.member) as client:
        spec = client.post("/api/v1/jobs/estimate", json=body).json()["spec"]
        edited = spec["script"].replace("set -u", "module load verilator\nset -u", 1)
        job = client.post("/api/v1/jobs", json={**body, "script": edited}).json()["id"]
        end(portal, job)
        (made,) = again(client, [job])["made"]
        assert client.get(f"/api/v1/jobs/{made['new_job_id']}").json()["spec"]["script"] == edited
    with portal.city.services.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(EditedScript)).scalar_one() == 2


def test_what_has_not_ended_or_is_refused_is_left_out_and_the_others_go(portal: Portal) -> None:
    with portal.client(portal.city.chips.member, **{"accept-language": "vi"}) as client:
        running, ended, large = (submit(client, name).json()["id"] for name in ("a", "b", "c"))
        end(portal, ended, large)
        resources = {"gpus_per_node": {"h100": 8}, "walltime_seconds": 3600}
        spec = {**SPEC, "array": {"expression": "0-99999"}, "resources": resources}
        transact(
            portal.city.services.engine,
            lambda connection: connection.execute(
                update(Job).where(col(Job.id) == UUID(large)).values(spec=spec)
            ),
        )
        told = price(client, [running, ended, large])
        assert [bool(one["problem"]) for one in told["jobs"]] == [True, False, True]
        assert told["total_vnd"] == 360 + 36
        done = again(client, [running, ended, large])
        assert [one["job_id"] for one in done["made"]] == [ended]
        assert [one["job_id"] for one in done["left_out"]] == [running, large]
        assert "chưa kết thúc" in done["left_out"][0]["problem"]
        assert job_count(portal) == 4


def test_projects_that_cannot_pay_for_all_are_named(portal: Portal) -> None:
    """Each job may take two thirds of what is left."""
    with portal.client(portal.city.chips.member) as client:
        jobs = [submit(client, name).json()["id"] for name in ("a", "b")]
        end(portal, *jobs)
        left = client.post("/api/v1/jobs/estimate", json={"project": "chips", "spec": SPEC}).json()
        tasks = left["available"]["VND"] * 2 // (3 * left["total_vnd"])
        spec = {**SPEC, "array": {"expression": f"0-{tasks - 1}"}}
        transact(
            portal.city.services.engine,
            lambda connection: connection.execute(update(Job).values(spec=spec)),
        )
        told = price(client, jobs)
        assert ([one["problem"] for one in told["jobs"]], told["short"]) == (["", ""], ["chips"])


def test_nothing_happens_without_a_key_for_too_many_or_for_jobs_of_others(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job = submit(client).json()["id"]
        end(portal, job)
        assert client.post("/api/v1/jobs/run-again", json={"job_ids": [job]}).status_code == 422
        many = [str(UUID(int=number)) for number in range(51)]
        key = {"Idempotency-Key": "k"}
        for jobs in ([], many):
            reply = client.post("/api/v1/jobs/run-again", json={"job_ids": jobs}, headers=key)
            assert reply.status_code == 422
    with portal.client(portal.city.rivals.member) as client:
        for path in ("run-again", "run-again/estimate"):
            reply = client.post(f"/api/v1/jobs/{path}", json={"job_ids": [job]}, headers=key)
            assert reply.status_code == 404
    assert job_count(portal) == 1
