"""Each role does over HTTP what the table of roles says, and nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Connection, insert

from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.db import transact
from hpc_portal.app.ids import new_id
from hpc_portal.app.tables import GlobalRole, OrganisationMember, OrganisationRole, User
from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import submit

GRANT = {
    "lines": {"VND": 1000},
    "valid_from": "2026-01-01T00:00:00Z",
    "valid_to": "2027-01-01T00:00:00Z",
    "reason": "tape-out",
}

Deed = Callable[[httpx.Client, str], httpx.Response]

DEEDS: dict[str, Deed] = {
    "see a job": lambda client, job: client.get(f"/api/v1/jobs/{job}"),
    "read a log": lambda client, job: client.get(f"/api/v1/jobs/{job}/log"),
    "see a balance": lambda client, _: client.get("/api/v1/projects/chips/balance"),
    "see storage": lambda client, _: client.get("/api/v1/projects/chips/storage"),
    "have storage measured": lambda client, _: client.post("/api/v1/projects/chips/storage/measurements"),
    "submit": lambda client, _: submit(client),
    "cancel another's job": lambda client, job: client.post(f"/api/v1/jobs/{job}/cancel"),
    "hold another's job": lambda client, job: client.post(
        f"/api/v1/jobs/{job}/changes", json={"change": "hold"}
    ),
    "let a job overtake others": lambda client, job: client.post(
        f"/api/v1/jobs/{job}/changes", json={"change": "nice", "nice": -5}
    ),
    "add a member": lambda client, _: client.put(
        "/api/v1/projects/chips/members/chips-lead", json={"role": "lead"}
    ),
    "see the organisation's members": lambda client, _: client.get("/api/v1/organisations/chips-org/members"),
    "grant": lambda client, _: client.post(
        "/api/v1/projects/chips/grants", json=GRANT, headers={"Idempotency-Key": "g1"}
    ),
    "create a person": lambda client, _: client.post(
        "/api/v1/users",
        json={"username": "new", "display_name": "New", "password": "long enough for this"},
    ),
    "publish prices": lambda client, _: client.post(
        "/api/v1/prices",
        json={"items": [{"tres": "cpu", "rate_vnd_per_hour": 1}], "valid_from": "2090-01-01T00:00:00Z"},
    ),
    "read the audit log": lambda client, _: client.get("/api/v1/audit"),
    "list people": lambda client, _: client.get("/api/v1/users"),
}

EXPECTED = {
    # deed:                          admin  audit  manag  lead   member outsider
    "see a job":                      (200,  200,   200,   200,   200,   404),
    "read a log":                     (200,  200,   200,   200,   200,   404),
    "see a balance":                  (200,  200,   200,   200,   200,   404),
    "see storage":                    (200,  200,   200,   200,   200,   404),
    "have storage measured":          (202,  403,   202,   202,   202,   404),
    "submit":                         (201,  403,   403,   201,   201,   404),
    "cancel another's job":           (200,  403,   200,   200,   403,   404),
    "hold another's job":             (202,  403,   202,   202,   403,   404),
    "let a job overtake others":      (202,  403,   403,   403,   403,   404),
    "add a member":                   (204,  403,   204,   204,   403,   404),
    "see the organisation's members": (200,  200,   200,   403,   403,   404),
    "grant":                          (201,  403,   403,   403,   403,   403),
    "create a person":                (201,  403,   403,   403,   403,   403),
    "publish prices":                 (201,  403,   403,   403,   403,   403),
    "read the audit log":             (200,  200,   403,   403,   403,   403),
    "list people":                    (200,  200,   403,   403,   403,   403),
}  # fmt: skip
"""The status of each deed by role."""


def add_person(portal: Portal, name: str, role: GlobalRole | None, number: int) -> UUID:
    user_id = new_id()

    def work(connection: Connection) -> None:
        connection.execute(
            insert(User).values(
                id=user_id,
                username=name,
                display_name=name,
                email="",
                password_hash="",
                global_role=role,
                cluster_user=name,
                cluster_number=number,
                locale="en",
                theme="auto",
                is_active=True,
                created_at=datetime.now(UTC),
            )
        )
        if role is None:
            connection.execute(
                insert(OrganisationMember).values(
                    organisation_id=portal.city.chips.organisation_id,
                    user_id=user_id,
                    role=OrganisationRole.MANAGER,
                )
            )

    transact(portal.city.services.engine, work)
    return user_id


@pytest.fixture
def people(portal: Portal) -> tuple[Actor, ...]:
    """One of each role towards the project `chips`, in the order of EXPECTED's columns."""
    ids = [
        add_person(portal, "admin", GlobalRole.ADMINISTRATOR, 90),
        add_person(portal, "auditor", GlobalRole.AUDITOR, 91),
        add_person(portal, "manager", None, 92),
        portal.city.chips.lead.user_id,
        portal.city.chips.member.user_id,
        portal.city.rivals.lead.user_id,
    ]
    with portal.city.services.reading() as session:
        found = [load_actor(session, user_id) for user_id in ids]
    return tuple(actor for actor in found if actor)


def test_each_role_may_do_what_its_row_says(portal: Portal, people: tuple[Actor, ...]) -> None:
    assert DEEDS.keys() == EXPECTED.keys()
    found = {deed: [0] * len(people) for deed in DEEDS}
    with portal.client(portal.city.chips.lead) as owner:
        for column, actor in enumerate(people):
            with portal.client(actor) as client:
                for deed, act in DEEDS.items():
                    job = submit(owner).json()["id"]
                    found[deed][column] = act(client, job).status_code
    assert {deed: tuple(statuses) for deed, statuses in found.items()} == EXPECTED
