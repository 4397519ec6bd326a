"""Brings the cast of the matrix into the small city, each with what they are known by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import Connection, insert, update
from sqlmodel import Session, col

from hpc_portal.app.accounts.authenticate import hash_password
from hpc_portal.app.accounts.issue_token import issue_token
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.db import transact
from hpc_portal.app.ids import new_id
from hpc_portal.app.service_accounts.create import NewService, create_service
from hpc_portal.app.service_accounts.tokens import issue_service_token
from hpc_portal.app.tables import (
    ApiToken,
    GlobalRole,
    OrganisationMember,
    OrganisationRole,
    ProjectMember,
    ProjectRole,
    TokenScope,
    User,
)
from hpc_portal.auth.sessions import open_session
from quotas.tables import Project, TenantState
from tests.in_process import signed_in
from tests.integration.authorisation.cast import ROLES, Person
from tests.small_city import GRANTED_AT, City

PASSWORD = "bay trên sông Hàn"
"""The owner's."""
OTHER_PROJECT = "analog"
"""Of the same organisation as `chips`."""


@dataclass(frozen=True)
class Place:
    """Where somebody who is not in the small city yet belongs."""

    number: int
    global_role: GlobalRole | None = None
    organisation: OrganisationRole | None = None
    project: ProjectRole | None = None
    other_project: ProjectRole | None = None


PLACES = {
    Person.DISABLED: Place(91, global_role=GlobalRole.ADMINISTRATOR),
    Person.NEWCOMER: Place(92),
    Person.NEIGHBOUR: Place(93, organisation=OrganisationRole.MEMBER, other_project=ProjectRole.LEAD),
    Person.COLLEAGUE: Place(94, organisation=OrganisationRole.MEMBER, project=ProjectRole.MEMBER),
    Person.MANAGER: Place(95, organisation=OrganisationRole.MANAGER),
    Person.AUDITOR: Place(96, global_role=GlobalRole.AUDITOR),
    Person.ADMINISTRATOR: Place(97, global_role=GlobalRole.ADMINISTRATOR),
    Person.ELSEWHERE_TOKEN: Place(98, organisation=OrganisationRole.MANAGER, other_project=ProjectRole.LEAD),
}


def bring_people(city: City) -> Mapping[Person, Actor]:
    """Write everybody down; the small city has the owner, the lead and the rival already."""
    services = city.services
    other = transact(services.engine, lambda connection: _other_project(connection, city))
    known = transact(
        services.engine,
        lambda connection: {
            person: _add(connection, city, other, person, place) for person, place in PLACES.items()
        },
    )
    known[Person.OWNER] = city.chips.member.user_id
    known[Person.LEAD] = city.chips.lead.user_id
    known[Person.RIVAL] = city.rivals.lead.user_id
    transact(
        services.engine,
        lambda connection: connection.execute(
            update(OrganisationMember)
            .where(col(OrganisationMember.user_id) == city.rivals.lead.user_id)
            .values(role=OrganisationRole.MANAGER)
        ),
    )
    transact(
        services.engine,
        lambda connection: connection.execute(
            update(User)
            .where(col(User.id) == city.chips.member.user_id)
            .values(password_hash=hash_password(PASSWORD))
        ),
    )
    with Session(services.engine) as session:
        found = {person: load_actor(session, user_id) for person, user_id in known.items()}
    return {person: actor for person, actor in found.items() if actor}


def identities(city: City, app: FastAPI, actors: Mapping[Person, Actor]) -> dict[Person, dict[str, str]]:
    """Sessions of people, and tokens."""
    services = city.services
    found = {
        person: signed_in(app, open_session(services, actors[person].user_id))
        for person in (*ROLES, Person.DISABLED)
    }

    def token(person: Person, scope: TokenScope = TokenScope.EVERYTHING, project: str = "") -> dict[str, str]:
        issued = issue_token(
            services, actors[person], name="matrix", valid_days=1, scope=scope, project=project
        )
        return {"authorization": f"Bearer {issued.secret}", "id": str(issued.id)}

    found[Person.READ_TOKEN] = token(Person.ADMINISTRATOR, TokenScope.READ)
    found[Person.JOBS_TOKEN] = token(Person.ADMINISTRATOR, TokenScope.JOBS)
    found[Person.PROJECT_TOKEN] = token(Person.LEAD, project=city.chips.account)
    found[Person.ELSEWHERE_TOKEN] = token(Person.ELSEWHERE_TOKEN, project=OTHER_PROJECT)
    found |= _service_tokens(city, actors)
    found[Person.EXPIRED] = token(Person.ADMINISTRATOR)
    found[Person.NOBODY] = {}

    def end(connection: Connection) -> None:
        over = col(ApiToken.id) == UUID(found[Person.EXPIRED]["id"])
        connection.execute(
            update(ApiToken).where(over).values(expires_at=services.clock.now() - timedelta(days=1))
        )
        disabled = col(User.id) == actors[Person.DISABLED].user_id
        connection.execute(update(User).where(disabled).values(is_active=False))

    transact(services.engine, end)
    return found


def _service_tokens(city: City, actors: Mapping[Person, Actor]) -> dict[Person, dict[str, str]]:
    found = {}
    for lead, account, scopes in (
        (
            Person.LEAD,
            city.chips.account,
            {Person.SERVICE_TOKEN: TokenScope.JOBS, Person.SERVICE_READ_TOKEN: TokenScope.READ},
        ),
        (Person.RIVAL, city.rivals.account, {Person.SERVICE_ELSEWHERE_TOKEN: TokenScope.JOBS}),
    ):
        actor, services = actors[lead], city.services
        service = create_service(services, actor, account, NewService("matrix", "Holds the table"))
        for person, scope in scopes.items():
            issued = issue_service_token(services, actor, account, service, name=scope.value, scope=scope)
            found[person] = {"authorization": f"Bearer {issued.secret}"}
    return found


def _other_project(connection: Connection, city: City) -> UUID:
    found = new_id()
    connection.execute(
        insert(Project).values(
            id=found,
            organisation_id=city.chips.organisation_id,
            account=OTHER_PROJECT,
            name="Analog front end",
            state=TenantState.ACTIVE,
            created_at=GRANTED_AT,
        )
    )
    return found


def _add(connection: Connection, city: City, other: UUID, person: Person, place: Place) -> UUID:
    user_id, username = new_id(), person.value.replace(" ", "-")
    values: dict[str, Any] = {
        "cluster_user": username,
        "cluster_number": place.number,
        "created_at": GRANTED_AT,
    }
    values |= {"locale": "en", "theme": "auto", "is_active": True, "email": "", "password_hash": ""}
    connection.execute(
        insert(User).values(
            id=user_id,
            username=username,
            display_name=username.title(),
            global_role=place.global_role,
            **values,
        )
    )
    if place.organisation:
        connection.execute(
            insert(OrganisationMember).values(
                organisation_id=city.chips.organisation_id, user_id=user_id, role=place.organisation
            )
        )
    for project_id, role in ((city.chips.project_id, place.project), (other, place.other_project)):
        if role:
            connection.execute(
                insert(ProjectMember).values(project_id=project_id, user_id=user_id, role=role)
            )
    return user_id
