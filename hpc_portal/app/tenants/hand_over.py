"""Hand a project or an organisation over: one person leads it from now on, another no longer, in one step."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.find import find_organisation, find_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NotFound, Problem, ProjectNotFound
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.permissions import Action
from hpc_portal.app.service_accounts.in_force import is_person
from hpc_portal.app.services import Services
from hpc_portal.app.tables import (
    OrganisationMember,
    OrganisationRole,
    ProjectMember,
    ProjectRole,
    User,
)
from hpc_portal.app.tenants.keep_a_lead import lock_organisation
from hpc_portal.app.tenants.tables import ClassPool, ClassSeat


@dataclass(frozen=True, slots=True)
class HandOver:
    """From whom to whom."""

    successor: str
    """A member already, by user name."""
    former: str = ""
    """Who becomes a member; "" for the actor, or for the only one who leads."""


def hand_over_project(services: Services, actor: Actor, account: str, wanted: HandOver) -> bool:
    """Make a member the lead and the former lead a member; the projects of its classes follow.

    False when the successor leads it already and the former no longer: a repeat.

    Raises:
        ProjectNotFound: there is none, or none that the actor may see.
        NotAllowed: the actor is neither its lead, nor the organisation's manager, nor an administrator.
        InvalidEntry: the successor is no member, or it is not clear whom they succeed.
    """
    now = services.clock.now()

    def work(connection: Connection) -> bool:
        project = find_project(connection, account)
        permissions.require(
            actor,
            Action.MANAGE_MEMBERS,
            organisation_id=project.organisation_id,
            project_id=project.id,
            hidden_as=ProjectNotFound(account),
        )
        lock_organisation(connection, project.organisation_id)
        people = _people(connection, project.id)
        leads = {name for name, person in people.items() if person.leads}
        successor, former = _choose(actor, wanted, people, leads)
        if successor.leads and not former.leads:
            return False
        for one in (project.id, *_class_projects(connection, project.id)):
            _make_lead(connection, one, successor.user_id)
            _step_down(connection, one, former.user_id, stays=one == project.id)
        _finish(connection, actor, "project", account, successor, former, now)
        return True

    return transact(services.engine, work)


def hand_over_organisation(services: Services, actor: Actor, slug: str, wanted: HandOver) -> bool:
    """Make a member the manager and the former manager a member; False when it is so already.

    Raises:
        NotFound: there is none, or none that the actor may see.
        NotAllowed: the actor is neither its manager nor an administrator.
        InvalidEntry: the successor is no member, or it is not clear whom they succeed.
    """
    now = services.clock.now()

    def work(connection: Connection) -> bool:
        organisation_id = find_organisation(connection, slug)
        permissions.require(
            actor,
            Action.MANAGE_MEMBERS,
            organisation_id=organisation_id,
            hidden_as=NotFound("organisation", slug),
        )
        lock_organisation(connection, organisation_id)
        rows = connection.execute(
            select(col(User.username), col(User.id), col(User.display_name), col(OrganisationMember.role))
            .join(OrganisationMember, col(OrganisationMember.user_id) == col(User.id))
            .where(col(OrganisationMember.organisation_id) == organisation_id, col(User.is_active))
        )
        people = {
            row.username: _Person(row.id, row.display_name, row.role is OrganisationRole.MANAGER)
            for row in rows
        }
        managers = {name for name, person in people.items() if person.leads}
        successor, former = _choose(actor, wanted, people, managers)
        if successor.leads and not former.leads:
            return False
        for person, role in (
            (successor, OrganisationRole.MANAGER),
            (former, OrganisationRole.MEMBER),
        ):
            connection.execute(
                update(OrganisationMember)
                .where(
                    col(OrganisationMember.organisation_id) == organisation_id,
                    col(OrganisationMember.user_id) == person.user_id,
                )
                .values(role=role)
            )
        _finish(connection, actor, "organisation", slug, successor, former, now)
        return True

    return transact(services.engine, work)


@dataclass(frozen=True, slots=True)
class _Person:
    user_id: UUID
    display_name: str
    leads: bool


def _people(connection: Connection, project_id: UUID) -> dict[str, _Person]:
    rows = connection.execute(
        select(col(User.username), col(User.id), col(User.display_name), col(ProjectMember.role))
        .join(ProjectMember, col(ProjectMember.user_id) == col(User.id))
        .where(col(ProjectMember.project_id) == project_id, col(User.is_active), is_person(col(User.id)))
    )
    return {row.username: _Person(row.id, row.display_name, row.role is ProjectRole.LEAD) for row in rows}


def _choose(
    actor: Actor, wanted: HandOver, people: dict[str, _Person], leads: set[str]
) -> tuple[_Person, _Person]:
    """The successor and whom they succeed.

    Raises:
        InvalidEntry: one of them is not clear.
    """
    successor = people.get(wanted.successor)
    if successor is None:
        raise InvalidEntry([Problem("successor", "Choose an active member of it; invite them first.")])
    name = wanted.former or (actor.username if actor.username in leads else "")
    if not name and len(leads) == 1:
        (name,) = leads
    former = people.get(name)
    if former is None or former is successor:
        raise InvalidEntry(
            [Problem("former", "Say who hands it over: one of those who lead it now, and not the successor.")]
        )
    if not former.leads and not successor.leads:
        raise InvalidEntry([Problem("former", "%(name)s does not lead it.", {"name": name})])
    return successor, former


def _class_projects(connection: Connection, course_id: UUID) -> list[UUID]:
    """The students' projects of classes that go on."""
    return list(
        connection.scalars(
            select(col(ClassSeat.project_id))
            .join(ClassPool, col(ClassPool.id) == col(ClassSeat.pool_id))
            .where(col(ClassPool.project_id) == course_id, col(ClassPool.ended_at).is_(None))
            .order_by(col(ClassSeat.project_id))
        )
    )


def _make_lead(connection: Connection, project_id: UUID, user_id: UUID) -> None:
    place = (col(ProjectMember.project_id) == project_id, col(ProjectMember.user_id) == user_id)
    connection.execute(delete(ProjectMember).where(*place))
    connection.execute(
        insert(ProjectMember).values(project_id=project_id, user_id=user_id, role=ProjectRole.LEAD)
    )


def _step_down(connection: Connection, project_id: UUID, user_id: UUID, *, stays: bool) -> None:
    place = (col(ProjectMember.project_id) == project_id, col(ProjectMember.user_id) == user_id)
    if stays:
        connection.execute(update(ProjectMember).where(*place).values(role=ProjectRole.MEMBER))
    else:
        connection.execute(delete(ProjectMember).where(*place))


def _finish(  # noqa: PLR0913, PLR0917 - the facts of one deed
    connection: Connection,
    actor: Actor,
    kind: str,
    name: str,
    successor: _Person,
    former: _Person,
    now: datetime,
) -> None:
    notify(
        connection,
        to={successor.user_id, former.user_id} - {actor.user_id},
        kind=NoticeKind.LEADERSHIP_HANDED_OVER,
        facts={
            "tenant": name,
            "by": actor.display_name,
            "former": former.display_name,
            "successor": successor.display_name,
        },
        at=now,
        key=f"hand-over:{name}:{now.isoformat()}",
    )
    audit.record(
        connection,
        at=now,
        actor=actor,
        action=f"{kind}.handed_over",
        subject=name,
        leads=successor.display_name,
        was=former.display_name,
    )
