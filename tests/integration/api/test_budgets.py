"""Allocations and refund cases over HTTP: what people see, and what administrators do, once."""

from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from quotas.tables import Allocation
from tests.integration.api.conftest import Portal
from tests.integration.api.test_tenancy import administrator


@pytest.fixture
def allocation_id(portal: Portal) -> str:
    with portal.city.services.engine.connect() as connection:
        mine = select(col(Allocation.id)).where(col(Allocation.project_id) == portal.city.chips.project_id)
        return str(connection.execute(mine).scalar_one())


def post(client: httpx.Client, path: str, *, key: str = "", **body: object) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/v1{path}", json={"reason": "the tape-out was moved", **body}, headers=headers)


def test_an_administrator_changes_an_allocation_once(portal: Portal, allocation_id: str) -> None:
    place = f"/allocations/{allocation_id}"
    until = (portal.city.services.clock.now() + timedelta(days=9000)).isoformat()
    with portal.client(administrator(portal)) as client:
        for _ in range(2):
            assert post(client, f"{place}/increase", key="a", lines={"VND": 500}).status_code == 200
            assert post(client, f"{place}/reduce", key="b", lines={"VND": 200}).status_code == 200
            assert post(client, f"{place}/extend", valid_to=until).status_code == 200
            assert post(client, f"{place}/hold-policy", hold_policy="rolling").status_code == 200
            assert post(client, f"{place}/suspend").status_code == 200
        found = client.get(f"/api/v1{place}").json()
        assert (found["state"], found["hold_policy"]) == ("suspended", "rolling")
        assert found["lines"][0] | {"used_percent": 0} == {
            "asset": "VND",
            "available": 100_000_300,
            "held": 0,
            "consumed": 0,
            "expired": 0,
            "overdraft": 0,
            "used_percent": 0,
        }
        assert [event["kind"] for event in found["events"]] == ["extended", "policy", "suspended"]
        assert post(client, f"{place}/resume").json() == {"is_new": True}
        assert post(client, f"{place}/resume").json() == {"is_new": False}
        assert post(client, f"{place}/close").json() == {"is_new": True}
        refused = post(client, f"{place}/resume")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/allocation-state")


def test_what_makes_no_sense_is_refused_and_changes_nothing(portal: Portal, allocation_id: str) -> None:
    place = f"/allocations/{allocation_id}"
    with portal.client(administrator(portal)) as client:
        before = client.get(f"/api/v1{place}").json()
        for path, body, status in (
            ("increase", {"lines": {}}, 422),
            ("increase", {"lines": {"VND": 0}}, 422),
            ("increase", {"lines": {"VND": -5}}, 422),
            ("increase", {"lines": {"VND": 1.5}}, 422),
            ("increase", {"lines": {"gpus": 5}}, 422),
            ("increase", {"lines": {"VND": 2**61}}, 422),
            ("reduce", {"lines": {"VND": 100_000_001}}, 409),
            ("reduce", {"lines": {"license/vcs": 1}}, 422),
            ("extend", {"valid_to": "2001-01-01T00:00:00Z"}, 422),
            ("extend", {"valid_to": "2099-01-01T00:00:00"}, 422),
            ("hold-policy", {"hold_policy": "sometimes"}, 422),
            ("carry-over", {"target": allocation_id}, 422),
            ("carry-over", {"target": str(uuid4())}, 404),
            ("suspend", {"reason": ""}, 422),
        ):
            reply = post(client, f"{place}/{path}", key="nonsense", **body)
            assert reply.status_code == status, (path, body, reply.text)
        assert post(client, f"/allocations/{uuid4()}/close").status_code == 404
        assert client.get(f"/api/v1{place}").json() == before


def test_only_administrators_change_allocations(portal: Portal, allocation_id: str) -> None:
    with portal.client(portal.city.chips.lead) as client:
        assert client.get("/api/v1/allocations").json()["items"][0]["id"] == allocation_id
        assert post(client, f"/allocations/{allocation_id}/suspend").status_code == 403
    with portal.client(portal.city.rivals.lead) as client:
        assert client.get(f"/api/v1/allocations/{allocation_id}").status_code == 404
