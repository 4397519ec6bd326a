"""Requests for quota and notices over HTTP."""

from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import update
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.tables import GlobalRole, User
from tests.integration.api.conftest import Portal
from tests.integration.api.test_tenancy import actor_of

HOUR = 3600


def chief_of(portal: Portal) -> Actor:
    """The rivals' member turned administrator."""
    person = portal.city.rivals.member
    transact(
        portal.city.services.engine,
        lambda connection: connection.execute(
            update(User)
            .where(col(User.id) == person.user_id)
            .values(global_role=GlobalRole.ADMINISTRATOR, display_name="Chief")
        ),
    )
    return actor_of(portal, person.user_id)


def body(**changes: object) -> dict[str, object]:
    begin = datetime.now(UTC)
    return {
        "project": "chips",
        "lines": {"gres/gpu:h100": 100 * HOUR},
        "valid_from": begin.isoformat(),
        "valid_to": (begin + timedelta(days=30)).isoformat(),
        "purpose": "the regression before the tape-out",
        **changes,
    }


def test_a_request_goes_from_draft_to_grant(portal: Portal) -> None:
    chief = chief_of(portal)
    with portal.client(portal.city.chips.lead) as lead, portal.client(chief) as admin:
        key = {"Idempotency-Key": "first"}
        made = lead.post("/api/v1/requests", json=body(), headers=key)
        assert made.status_code == 201, made.text
        assert lead.post("/api/v1/requests", json=body(), headers=key).json()["id"] == made.json()["id"]
        assert "submit" in made.json()["may"]
        path = f"/api/v1/requests/{made.json()['id']}"

        attached = lead.post(f"{path}/attachments", params={"name": "kế hoạch.pdf"}, content=b"%PDF-1.7 x")
        assert attached.status_code == 201, attached.text
        file = admin.get(f"{path}/attachments/{attached.json()['id']}")
        assert file.content == b"%PDF-1.7 x"
        assert file.headers["content-type"] == "application/octet-stream"
        assert file.headers["content-disposition"].startswith("attachment; filename*=UTF-8''k")
        assert file.headers["x-content-type-options"] == "nosniff"

        assert lead.post(f"{path}/submit", json={}).json()["state"] == "submitted"
        assert admin.get("/api/v1/notices/unread").json()["count"] == 1
        assert [item["id"] for item in admin.get("/api/v1/requests/inbox").json()["items"]] == [
            made.json()["id"]
        ]
        outlook = admin.get(f"{path}/outlook").json()
        assert outlook["lines"][0]["left"] > 0
        assert outlook["list_price_vnd"] == 3_600_000
        assert len(outlook["months"]) == 6
        assert lead.get(f"{path}/outlook").status_code == 403

        done = admin.post(f"{path}/approve", json={"version": admin.get(path).json()["version"]})
        assert (done.status_code, done.json()["state"]) == (200, "approved")
        again = admin.post(f"{path}/deny", json={"message": "too late"})
        assert (again.status_code, again.json()["type"]) == (409, "/problems/request-not-open")
        balance = lead.get("/api/v1/projects/chips/balance").json()
        assert balance["by_asset"]["gres/gpu:h100"]["available"] == 100 * HOUR

        [told] = lead.get("/api/v1/notices", params={"lang": "en"}).json()["items"]
        assert told["title"] == "The request of chips was approved"
        assert lead.post("/api/v1/notices/read", json={"ids": [told["id"]]}).json()["count"] == 1
        assert lead.get("/api/v1/notices/unread").json()["count"] == 0


def test_a_refused_submission_carries_the_request_that_it_lacks(portal: Portal) -> None:
    spec = {
        "name": "huge",
        "argv": ["true"],
        "resources": {"cpus_per_task": 64, "walltime_seconds": 7 * 86_400},
        "array": {"expression": "0-9999"},
    }
    with portal.client(portal.city.chips.lead) as lead:
        refused = lead.post("/api/v1/jobs", json={"project": "chips", "spec": spec})
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/budget-exceeded"), (
            refused.text
        )
        offer = refused.json()["change_request"]
        assert offer["page"].startswith("/requests/new?project=chips&missing.VND=")
        made = lead.post(offer["href"], json=offer["body"])
        assert made.status_code == 201, made.text
        assert (made.json()["kind"], made.json()["state"]) == ("increase", "draft")
        [line] = made.json()["lines"]
        missing = offer["body"]["missing"]["VND"]
        assert missing <= line["asked"] < missing + 1000
        estimate = lead.post("/api/v1/jobs/estimate", json={"project": "chips", "spec": spec}).json()
        assert estimate["shortages"] == [offer["body"]]


def test_bad_bodies_name_their_fields(portal: Portal) -> None:
    with portal.client(portal.city.chips.lead) as lead:
        wrong: list[tuple[dict[str, object], str]] = [
            ({"lines": {"gres/gpu:h100": 0}}, "lines.gres/gpu:h100"),
            ({"lines": {"gres/gpu:h100": 1.5}}, "lines.gres/gpu:h100"),
            ({"lines": {"gres/gpu:h100": 10**18}}, "lines.gres/gpu:h100"),
            ({"lines": {"moon": 1}}, "lines.moon"),
            ({"valid_to": "2020-01-01T00:00:00Z"}, "valid_to"),
            ({"valid_to": "soon"}, "valid_to"),
            ({"kind": "gift"}, "kind"),
            ({"purpose": "x" * 5000}, "purpose"),
            ({"colour": "red"}, "colour"),
        ]
        for changes, field in wrong:
            reply = lead.post("/api/v1/requests", json=body(**changes))
            assert reply.status_code == 422, reply.text
            assert field in {problem["field"] for problem in reply.json()["problems"]}
        assert lead.get("/api/v1/requests").json()["items"] == []


def test_a_file_larger_than_allowed_is_not_read_to_its_end(portal: Portal) -> None:
    with portal.client(portal.city.chips.lead) as lead:
        made = lead.post("/api/v1/requests", json=body()).json()
        try:
            reply = lead.post(
                f"/api/v1/requests/{made['id']}/attachments",
                params={"name": "big.txt"},
                content=b"x" * (11 * 1024**2),
            )
        except httpx.WriteError:  # the server answered and closed while we still sent
            return
        assert reply.status_code == 422
        assert reply.json()["problems"][0]["field"] == "file"
