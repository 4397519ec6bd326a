"""The place that somebody is given together with what is new: a project, or their own account.

Recorded apart, after everything else: whoever records holds the chain of the audit log until the commit, and
whoever then waits for something else may wait for one that waits for the chain.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.accounts.find import find_person
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, NotFound, Problem
from hpc_portal.app.offered import not_offered
from hpc_portal.app.tables import OrganisationMember, OrganisationRole, ProjectMember, ProjectRole
from quotas.tables import Organisation
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class PlaceInOrganisation:
    """Where a new person belongs."""

    organisation: str
    """Its slug."""
    role: OrganisationRole


def give_place(connection: Connection, place: PlaceInOrganisation, user_id: UUID) -> None:
    """Make somebody who belongs to nothing yet a member or manager of an organisation.

    Raises:
        InvalidEntry: there is no such organisation.
    """
    organisation_id = connection.execute(
        select(col(Organisation.id)).where(col(Organisation.slug) == place.organisation)
    ).scalar()
    if organisation_id is None:
        raise not_offered("organisation")
    _join(connection, organisation_id, user_id, place.role)


def give_lead(connection: Connection, *, project_id: UUID, organisation_id: UUID, username: str) -> bool:
    """Make a person the lead of a new project, and a member of its organisation if they are none.

    Whoever calls it has locked the organisation; returns whether the person joined it.

    Raises:
        InvalidEntry: nobody has this user name.
    """
    try:
        user_id = find_person(connection, username)
    except NotFound as error:
        problem = Problem("lead", N_("Nobody has the user name %(name)s."), {"name": username})
        raise InvalidEntry([problem]) from error
    is_member = connection.execute(
        select(col(OrganisationMember.role)).where(
            col(OrganisationMember.organisation_id) == organisation_id,
            col(OrganisationMember.user_id) == user_id,
        )
    ).first()
    if is_member is None:
        _join(connection, organisation_id, user_id, OrganisationRole.MEMBER)
    connection.execute(
        insert(ProjectMember).values(project_id=project_id, user_id=user_id, role=ProjectRole.LEAD)
    )
    return is_member is None


def record_place(
    connection: Connection, actor: Actor, place: PlaceInOrganisation, *, username: str, at: datetime
) -> None:
    """Record that somebody belongs to an organisation now."""
    audit.record(
        connection,
        at=at,
        actor=actor,
        action="organisation.member_set",
        subject=f"{place.organisation}/{username}",
        role=place.role.value,
        was=None,
    )


def record_lead(connection: Connection, actor: Actor, *, account: str, username: str, at: datetime) -> None:
    """Record that somebody leads a new project."""
    audit.record(
        connection,
        at=at,
        actor=actor,
        action="project.member_set",
        subject=f"{account}/{username}",
        role=ProjectRole.LEAD.value,
        was=None,
    )


def _join(connection: Connection, organisation_id: UUID, user_id: UUID, role: OrganisationRole) -> None:
    connection.execute(
        insert(OrganisationMember).values(organisation_id=organisation_id, user_id=user_id, role=role)
    )
