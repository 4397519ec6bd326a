"""What waits for the administrators: counted by matter, with its age, for who answers for the city only."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, update
from sqlmodel import col

from hpc_portal.app.accounts.grant_budget import BudgetGrant, grant_budget
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotAllowed
from hpc_portal.app.home.attention import Attention, Matter, needs_attention
from hpc_portal.app.requests.checks import WantedQuota
from hpc_portal.app.requests.draft import draft_request
from hpc_portal.app.requests.submit import submit_request
from hpc_portal.app.requests.transitions import RequestKind
from hpc_portal.app.tables import GlobalRole, MirrorDrift, MirrorState, User
from quotas.discrepancies import Finding, report
from quotas.usage_tables import DiscrepancyKind
from tests.integration.api.conftest import Portal
from tests.small_city import City


def look(city: City) -> Attention:
    auditor = replace(city.chips.lead, global_role=GlobalRole.AUDITOR)
    with city.services.reading() as session:
        return needs_attention(city.services, session, auditor)


def counts(found: Attention) -> dict[Matter, int]:
    return {one.matter: one.count for one in found.waiting if one.count}


def test_everything_that_waits_is_counted_with_its_age(city: City) -> None:
    services, now = city.services, city.services.clock.now()
    before = counts(look(city))
    asked = WantedQuota(RequestKind.NEW, {"VND": 1000}, now, now + timedelta(days=30), "a tape-out")
    submit_request(services, city.chips.lead, draft_request(services, city.chips.lead, "chips", asked))
    draft_request(services, city.chips.lead, "chips", asked)
    found = Finding(DiscrepancyKind.LEDGER, "ledger:x", {"rule": "x", "subject": "y"})
    transact(services.engine, lambda connection: report(connection, [found], at=now))
    grant_budget(
        services,
        OPERATOR,
        "chips",
        BudgetGrant({"VND": 5}, now, now + timedelta(days=3), "a short one"),
        key="short",
    )
    drift = {"cluster": "danang", "subject": "account chips", "field": "limit", "wanted": "1", "found": "2"}
    seen = {"cluster": "danang", "checked_at": now, "problem": "no answer"}
    transact(services.engine, lambda connection: connection.execute(insert(MirrorState).values(seen)))
    transact(
        services.engine, lambda connection: connection.execute(insert(MirrorDrift).values(**drift, since=now))
    )
    found_now = look(city)
    more = {matter: count - before.get(matter, 0) for matter, count in counts(found_now).items()}
    assert {matter for matter, count in more.items() if count == 1} == {
        Matter.REQUESTS,
        Matter.DISCREPANCIES,
        Matter.ALLOCATIONS,
        Matter.MIRROR,
        Matter.DRIFT,
    }
    ends = next(one.since for one in found_now.waiting if one.matter is Matter.ALLOCATIONS)
    assert ends == now + timedelta(days=3)
    assert [one.matter for one in found_now.waiting] == list(Matter)


def test_nobody_else_is_told(city: City, portal: Portal) -> None:
    with city.services.reading() as session, pytest.raises(NotAllowed):
        needs_attention(city.services, session, city.chips.lead)
    with portal.client(city.chips.lead) as client:
        assert client.get("/api/v1/attention").status_code == 403
    promote = update(User).where(col(User.id) == city.rivals.lead.user_id).values(global_role="auditor")
    transact(city.services.engine, lambda connection: connection.execute(promote))
    with portal.client(city.rivals.lead) as client:
        told = client.get("/api/v1/attention").json()
    assert [one["matter"] for one in told["waiting"]] == list(Matter)


def test_the_overview_tells_what_the_start_page_does(city: City, portal: Portal) -> None:
    with portal.client(city.chips.member) as client:
        job = {"name": "counter", "script": "#!/bin/sh\ntrue"}
        assert client.post("/api/v1/jobs", json={"project": "chips", "spec": job}).status_code == 201
        found = client.get("/api/v1/overview").json()
    with portal.client(city.rivals.member) as client:
        others = client.get("/api/v1/overview").json()
    assert (found["jobs_pending"], [one["name"] for one in found["jobs"]]) == (1, ["counter"])
    assert [one["account"] for one in found["projects"]] == ["chips"]
    assert found["projects"][0]["vnd"]["granted"] == 100_000_000
    assert {one["name"]: one["total"] for one in found["free"]} == {"cpu": 64, "gpu:h100": 8}
    assert found["first_steps"]["has_job"]
    assert (others["jobs_pending"], others["jobs"]) == (0, [])
    assert [one["account"] for one in others["projects"]] == ["rivals"]


def test_all_projects_are_listed_with_their_money_for_the_city_only(city: City, portal: Portal) -> None:
    """And with their people: a service account is none."""
    with portal.client(city.chips.lead) as client:
        account = {"name": "ci", "purpose": "Nightly"}
        assert client.post("/api/v1/projects/chips/service-accounts", json=account).status_code == 201
    promote = update(User).where(col(User.id) == city.rivals.lead.user_id).values(global_role="auditor")
    transact(city.services.engine, lambda connection: connection.execute(promote))
    with portal.client(city.rivals.lead) as client:
        found = client.get("/api/v1/tenants/projects").json()["items"]
    with portal.client(city.chips.lead) as client:
        assert client.get("/api/v1/tenants/projects").status_code == 403
    assert [(one["account"], one["members"], one["available_vnd"]) for one in found] == [
        ("chips", 2, 100_000_000),
        ("rivals", 2, 100_000_000),
    ]


def test_an_organisation_is_seen_with_the_projects_that_one_may_see(city: City, portal: Portal) -> None:
    with portal.client(city.chips.member) as client:
        found = client.get("/api/v1/organisations/chips-org/overview").json()
        assert client.get("/api/v1/organisations/rivals-org/overview").status_code == 404
    assert [(one["account"], one["available_vnd"]) for one in found["projects"]] == [("chips", 100_000_000)]
    assert (found["charged_vnd"], found["charged_by_project"]) == (0, {})
