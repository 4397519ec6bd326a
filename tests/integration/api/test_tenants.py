"""Tenants over HTTP: what an administrator, a lead and a teacher do from a script."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from hpc_portal.app.actor import load_actor
from hpc_portal.app.tables import GlobalRole, User
from tests.integration.api.conftest import Portal

STUDENTS = [{"student": f"sv{number}@example.edu.vn"} for number in range(3)]
SPEC = {"name": "a", "argv": ["true"]}


@pytest.fixture
def admin(portal: Portal) -> Iterator[httpx.Client]:
    services, person = portal.city.services, portal.city.rivals.lead
    with services.engine.begin() as connection:
        connection.execute(
            update(User).where(col(User.id) == person.user_id).values(global_role=GlobalRole.ADMINISTRATOR)
        )
    with services.reading() as session:
        actor = load_actor(session, person.user_id)
    with portal.client(actor) as client:
        yield client


@pytest.fixture
def lead(portal: Portal) -> Iterator[httpx.Client]:
    with portal.client(portal.city.chips.lead) as client:
        yield client


def ok(reply: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    assert reply.is_success, reply.text
    return reply.json() if reply.content else None


def test_a_suspended_project_says_why_to_whoever_submits(admin: httpx.Client, lead: httpx.Client) -> None:
    wanted = {"state": "suspended", "reason": "An invoice is overdue."}
    assert ok(admin.put("/api/v1/projects/chips/state", json=wanted)) == {"is_new": True, "jobs_cancelled": 0}
    refused = lead.post("/api/v1/jobs", json={"project": "chips", "spec": SPEC})
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/tenant-not-active")
    assert "An invoice is overdue" in refused.json()["detail"]
    found = ok(lead.get("/api/v1/projects/chips/details"))
    assert [change["reason"] for change in found["history"]] == ["An invoice is overdue."]
    assert lead.put("/api/v1/projects/chips/state", json={"state": "active"}).status_code == 403
    ok(admin.put("/api/v1/projects/chips/state", json={"state": "closed", "reason": "over"}))
    final = admin.put("/api/v1/projects/chips/state", json={"state": "active"})
    assert (final.status_code, final.json()["type"]) == (409, "/problems/tenant-closed")


def test_invitations_are_sent_listed_replaced_and_revoked(lead: httpx.Client) -> None:
    url = "/api/v1/projects/chips/invitations"
    (invited,) = ok(lead.post(url, json={"emails": ["Lan@Example.edu.vn"], "role": "lead"}))["items"]
    assert invited["link"].startswith("http")
    (listed,) = ok(lead.get(url))["items"]
    assert (listed["email"], listed["role"], listed["accepted_at"]) == ("lan@example.edu.vn", "lead", None)
    assert "link" not in listed
    again = lead.post(f"/api/v1/invitations/{invited['id']}/resend")
    assert again.status_code == 429
    ok(lead.delete(f"/api/v1/invitations/{invited['id']}"))
    assert ok(lead.get(url))["items"] == []
    accept = {"secret": invited["link"].rpartition("/")[2]}
    assert lead.post("/api/v1/invitations/accept", json=accept).status_code == 404


def test_a_teacher_makes_a_class_tops_a_student_up_and_ends_it(lead: httpx.Client) -> None:
    body = {"name": "VLSI 101", "students": STUDENTS, "each": {"VND": 1000}}
    url = "/api/v1/projects/chips/classes"
    assert lead.post(url, json=body).status_code == 422, "without a key a repeat would split twice"
    made = ok(lead.post(url, json=body, headers={"idempotency-key": "k"}))
    again = ok(lead.post(url, json=body, headers={"idempotency-key": "k"}))
    assert (again["id"], again["is_new"]) == (made["id"], False)
    account = made["seats"][0]["account"]
    seat_url = f"/api/v1/classes/{made['id']}/students/{account}"
    give = {"lines": {"VND": 5}}
    assert ok(lead.post(f"{seat_url}/give", json=give, headers={"idempotency-key": "g"}))["lines"] == {
        "VND": 5
    }
    shown = ok(lead.get(f"/api/v1/classes/{made['id']}"))
    assert shown["seats"][0]["by_asset"]["VND"]["available"] == 1005
    assert shown["by_asset"]["VND"]["granted"] == 3005
    over = ok(lead.post(f"/api/v1/classes/{made['id']}/end", json={}))
    assert (over["is_new"], over["returned"]) == (True, {"VND": 3005})
    gone = lead.post(f"{seat_url}/give", json=give, headers={"idempotency-key": "h"})
    assert (gone.status_code, gone.json()["type"]) == (409, "/problems/class-ended")


@pytest.mark.parametrize("amount", [0, -1, 1.5, "7", 2**62, True])
def test_amounts_that_are_no_whole_numbers_are_refused(lead: httpx.Client, amount: object) -> None:
    body = {"name": "VLSI", "students": STUDENTS, "each": {"VND": amount}}
    refused = lead.post("/api/v1/projects/chips/classes", json=body, headers={"idempotency-key": "k"})
    assert refused.status_code == 422
    assert ok(lead.get("/api/v1/projects/chips/classes"))["items"] == []


def test_leadership_is_handed_over(lead: httpx.Client) -> None:
    url = "/api/v1/projects/chips/hand-over"
    assert ok(lead.post(url, json={"successor": "chips-member"})) == {"is_new": True}
    assert lead.post(url, json={"successor": "chips-lead"}).status_code == 403


def test_the_list_of_tenants_is_for_those_who_answer_for_the_city(
    admin: httpx.Client, lead: httpx.Client
) -> None:
    found = {item["slug"]: item for item in ok(admin.get("/api/v1/tenants"))["items"]}
    assert (found["chips-org"]["projects"], found["chips-org"]["members"]) == (1, 2)
    assert found["chips-org"]["granted_vnd"] == 100_000_000
    assert lead.get("/api/v1/tenants").status_code == 403


def test_a_link_does_not_tell_name_by_name_who_has_an_account(portal: Portal, lead: httpx.Client) -> None:
    url = "/api/v1/projects/chips/invitations"
    (invited,) = ok(lead.post(url, json={"emails": ["lan@x.vn"]}))["items"]
    join = f"/invitations/{invited['link'].rpartition('/')[2]}/join"
    form = {"username": "rivals-lead", "display_name": "Lan", "password": "correct horse battery"}
    with portal.client(accept="text/html") as stranger:
        statuses = [stranger.post(join, data=form).status_code for _ in range(6)]
        over = stranger.post("/invitations/guess/join", data=form).status_code
    assert (statuses, over) == ([422] * 5 + [429], 404)
