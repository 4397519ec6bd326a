"""Months are closed and discrepancies decided over HTTP, by administrators; auditors read."""

from dataclasses import replace
from datetime import date

import pytest
from sqlmodel import col, update

from hpc_portal.app.db import transact
from hpc_portal.app.tables import GlobalRole, User
from quotas.discrepancies import Finding, report
from quotas.usage_tables import DiscrepancyKind
from tests.integration.api.conftest import Portal

LOST = Finding(DiscrepancyKind.NO_RECORD, "no_record:lost", {"cluster": "dask", "task_index": 0})


@pytest.fixture
def role(portal: Portal, request: pytest.FixtureRequest) -> GlobalRole:
    """The lead of chips, with a role in the city."""
    chosen: GlobalRole = request.param
    lead = portal.city.chips.lead
    transact(
        portal.city.services.engine,
        lambda connection: connection.execute(
            update(User).where(col(User.id) == lead.user_id).values(global_role=chosen)
        ),
    )
    return chosen


@pytest.mark.parametrize("role", [GlobalRole.ADMINISTRATOR], indirect=True)
def test_an_administrator_closes_the_month_and_reads_that_it_is(portal: Portal, role: GlobalRole) -> None:
    with portal.client(replace(portal.city.chips.lead, global_role=role)) as client:
        listed = client.get("/api/v1/accounting/months").json()["items"]
        oldest = listed[-1]
        assert (oldest["is_next"], oldest["is_closed"]) == (True, False)
        closed = client.post("/api/v1/accounting/months", json={"month": oldest["month"][:7]})
        assert closed.status_code == 201, closed.text
        again = client.post("/api/v1/accounting/months", json={"month": oldest["month"][:7]})
        assert (again.status_code, again.json()["type"]) == (409, "/problems/month-not-closable")
        after = client.get("/api/v1/accounting/months").json()["items"][-1]
        assert (after["is_closed"], after["sha256"]) == (True, closed.json()["sha256"])
        this = f"{date.today():%Y-%m}"  # noqa: DTZ011 - any month that is not over
        assert client.post("/api/v1/accounting/months", json={"month": this}).status_code == 409
        assert client.post("/api/v1/accounting/months", json={"month": "2026-13"}).status_code == 422


@pytest.mark.parametrize("role", [GlobalRole.ADMINISTRATOR], indirect=True)
def test_a_discrepancy_is_decided_once(portal: Portal, role: GlobalRole) -> None:
    services = portal.city.services
    transact(services.engine, lambda connection: report(connection, [LOST], at=services.clock.now()))
    with portal.client(replace(portal.city.chips.lead, global_role=role)) as client:
        [item] = client.get("/api/v1/accounting/discrepancies?state=open").json()["items"]
        url = f"/api/v1/accounting/discrepancies/{item['id']}/decision"
        decision = {"state": "explained", "reason": "The node burnt."}
        assert client.post(url, json={**decision, "reason": " "}).status_code == 422
        assert client.post(url, json=decision).status_code == 204
        assert client.post(url, json=decision).status_code == 409
        assert client.get("/api/v1/accounting/discrepancies?state=open").json()["items"] == []
        [decided] = client.get("/api/v1/accounting/discrepancies").json()["items"]
        assert (decided["decided_by"], decided["reason"]) == ("chips-lead", "The node burnt.")


@pytest.mark.parametrize("role", [GlobalRole.AUDITOR], indirect=True)
def test_an_auditor_reads_and_changes_nothing(portal: Portal, role: GlobalRole) -> None:
    with portal.client(replace(portal.city.chips.lead, global_role=role)) as client:
        for part in ("months", "checks", "discrepancies"):
            assert client.get(f"/api/v1/accounting/{part}").status_code == 200
        assert client.post("/api/v1/accounting/months", json={"month": "2026-01"}).status_code == 403
        decision = {"state": "explained", "reason": "mine"}
        reply = client.post("/api/v1/accounting/discrepancies/1/decision", json=decision)
        assert reply.status_code == 403
