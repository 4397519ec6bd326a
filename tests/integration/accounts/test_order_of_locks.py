"""Whoever gives places locks the organisation first and the audit log's chain last; else they deadlock.

The database ends one of two that do, but only after a second in which every other record waits.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from hpc_portal.app.accounts.create_project import create_project
from hpc_portal.app.accounts.create_user import NewUser, create_user
from hpc_portal.app.accounts.first_place import PlaceInOrganisation
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.set_membership import set_organisation_membership, set_project_membership
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationRole, ProjectRole
from tests.small_city import City, build_city

CHAIN = "UPDATE audit_head"
LOCK = "FOR NO KEY UPDATE"


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    city = build_city(database_url, tmp_path, clock=SystemClock())
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


def open_with_a_member(services: Services) -> None:
    create_project(
        services, OPERATOR, organisation="chips-org", account="new", name="New", lead="chips-member"
    )


def open_with_somebody_else(services: Services) -> None:
    create_project(
        services, OPERATOR, organisation="chips-org", account="new", name="New", lead="rivals-member"
    )


def take_on(services: Services) -> None:
    place = PlaceInOrganisation("chips-org", OrganisationRole.MANAGER)
    create_user(services, OPERATOR, NewUser("lan", "Lan", "correct horse battery"), place=place)


def give_place(services: Services) -> None:
    manager = OrganisationRole.MANAGER
    set_organisation_membership(
        services, OPERATOR, organisation="chips-org", username="rivals-member", role=manager
    )


def give_place_in_project(services: Services) -> None:
    set_project_membership(
        services, OPERATOR, account="chips", username="chips-member", role=ProjectRole.LEAD
    )


LOCKS = (open_with_a_member, open_with_somebody_else, give_place, give_place_in_project)


def statements_of(services: Services, verb: Callable[[Services], None]) -> list[str]:
    sent: list[str] = []

    def note(*facts: Any) -> None:  # noqa: ANN401 - a hook of SQLAlchemy
        sent.append(facts[2])

    event.listen(services.engine, "before_cursor_execute", note)
    verb(services)
    event.remove(services.engine, "before_cursor_execute", note)
    return sent


def first(sent: list[str], text: str) -> int:
    return next(index for index, statement in enumerate(sent) if text in statement)


@pytest.mark.parametrize("verb", [*LOCKS, take_on])
def test_after_the_first_record_there_are_but_records(city: City, verb: Callable[[Services], None]) -> None:
    sent = statements_of(city.services, verb)
    assert [statement for statement in sent[first(sent, CHAIN) :] if " audit_" not in statement] == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("verb", LOCKS)
def test_the_organisation_is_locked_before_anything_is_written(
    city: City, verb: Callable[[Services], None]
) -> None:
    sent = statements_of(city.services, verb)
    written = next(index for index, one in enumerate(sent) if one.startswith(("INSERT", "UPDATE", "DELETE")))
    assert first(sent, LOCK) < written
