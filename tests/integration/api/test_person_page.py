"""The page of a person: what a change of their place says, and what it asks the database for."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, event, insert

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.queries import list_places
from hpc_portal.app.db import transact
from hpc_portal.app.ids import new_id
from hpc_portal.app.tables import GlobalRole, User
from quotas.tables import Project, TenantState
from tests.integration.api.conftest import Portal
from tests.integration.api.test_change_email import post
from tests.integration.api.test_entry_pages import said_at, signed_in

LEAD = "/admin/people/chips-lead"
MEANWHILE = (
    ("en", "Their role there was changed meanwhile. Look at the list, and change it there."),
    ("vi", "Vai trò của người này ở đó đã được đổi trong lúc đó. Hãy xem danh sách và đổi tại đó."),
)


@pytest.fixture
def admin(portal: Portal) -> Iterator[httpx.Client]:
    with signed_in(portal, GlobalRole.ADMINISTRATOR) as client:
        yield client


def places(portal: Portal, username: str) -> dict[str, str]:
    """The role by project; by organisation where there is none."""
    with portal.city.services.reading() as session:
        return {
            place.account or place.organisation: place.role
            for place in list_places(session, OPERATOR, username)
        }


def chosen_roles(page: str) -> dict[str, str]:
    """What each place's own form would make of it."""
    rows = re.findall(
        r'<select class="form-select" name="\w+_role" aria-label="([^"]*)">(.*?)</select>', page
    )
    return {label: re.findall(r'value="(\w+)" selected', options)[0] for label, options in rows}


def test_a_place_that_somebody_has_offers_their_role(portal: Portal, admin: httpx.Client) -> None:
    page = admin.get(f"{LEAD}/access").text
    assert chosen_roles(page) == {"Role in Chips JSC": "member", "Role in chips": "lead"}
    offered = re.findall(r'<select class="form-select" id="f-(\w+)" name="(?:organisation|project)"', page)
    assert offered == ["organisation"], "all projects of theirs are in the list"
    assert said_in(page, "f-project").startswith("Their organisations have no other project")

    change = {"organisation": "chips-org", "organisation_role": "manager", "organisation_seen": "member"}
    assert post(admin, f"{LEAD}/organisations", **change).status_code == 303
    assert places(portal, "chips-lead") == {"chips-org": "manager", "chips": "lead"}
    assert chosen_roles(admin.get(f"{LEAD}/access").text)["Role in Chips JSC"] == "manager"


def said_in(page: str, identifier: str) -> str:
    """What stands in an element without controls."""
    found = re.search(rf'id="{identifier}">([^<]*)<', page)
    assert found, f"there is no {identifier}"
    return found[1].strip()


@pytest.mark.parametrize("seen", ["", "member"])
def test_nobody_loses_a_role_that_whoever_decides_did_not_see(
    portal: Portal, admin: httpx.Client, seen: str
) -> None:
    """The page was opened before they became the lead; or the form is the one that gives a new place."""
    change = {"project": "chips", "project_role": "member", "project_seen": seen}
    for language, said in MEANWHILE:
        admin.cookies.set("locale", language)
        answer = post(admin, f"{LEAD}/projects", **change)
        assert (answer.status_code, said in answer.text) == (422, True)
    answer = post(admin, f"{LEAD}/organisations", organisation="chips-org", organisation_role="manager")
    assert (answer.status_code, MEANWHILE[1][1] in answer.text) == (422, True)
    assert places(portal, "chips-lead") == {"chips-org": "member", "chips": "lead"}


def test_what_is_wrong_has_a_place_where_nothing_is_left_to_give(portal: Portal, admin: httpx.Client) -> None:
    post(admin, f"{LEAD}/organisations", organisation="rivals-org", organisation_role="member")
    post(admin, f"{LEAD}/projects", project="rivals", project_role="member")
    page = admin.get(f"{LEAD}/access").text
    assert said_in(page, "f-organisation") == "There is no other organisation to give them a place in."
    for field in ("organisation", "project"):
        answer = post(admin, f"{LEAD}/{field}s", **{f"{field}_role": "member"})
        assert said_at(answer.text, field) == "Choose one of the offered values."
        assert f'href="#f-{field}"' in answer.text
        assert f'id="f-{field}"' in answer.text


def test_the_page_reads_one_person_however_many_there_are(portal: Portal, admin: httpx.Client) -> None:
    few = rows_read(portal, admin)  # with those that tell who asks, which are then remembered
    transact(portal.city.services.engine, lambda connection: grow(portal, connection))
    assert 0 < rows_read(portal, admin) <= few < 30


def rows_read(portal: Portal, admin: httpx.Client) -> int:
    """How many rows the statements of the page have, which are asked once more here."""
    engine = portal.city.services.engine
    asked: list[tuple[str, Any]] = []

    def note(*facts: object) -> None:
        if str(facts[2]).startswith("SELECT"):
            asked.append((str(facts[2]), facts[3]))

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert admin.get(f"{LEAD}/access").status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        return sum(len(connection.exec_driver_sql(*statement).fetchall()) for statement in asked)


def grow(portal: Portal, connection: Connection) -> None:
    """Thirty more people, and projects of another organisation."""
    at = portal.city.services.clock.now()
    for number in range(30):
        person = f"somebody-{number}"
        connection.execute(
            insert(User).values(
                id=new_id(),
                username=person,
                display_name=person,
                cluster_user=person,
                email="",
                password_hash="",
                locale="en",
                theme="auto",
                cluster_number=100 + number,
                is_active=True,
                created_at=at,
            )
        )
        connection.execute(
            insert(Project).values(
                id=new_id(),
                account=f"rivals-{number}",
                name="More",
                created_at=at,
                organisation_id=portal.city.rivals.organisation_id,
                state=TenantState.ACTIVE,
            )
        )
