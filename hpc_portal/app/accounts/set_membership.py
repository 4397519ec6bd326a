"""Give a person a place in an organisation or project, change it, or take it away."""

from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.find import find_organisation, find_person, find_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NotFound, Problem, ProjectNotFound
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationMember, OrganisationRole, ProjectMember, ProjectRole
from hpc_portal.app.tenants.keep_a_lead import (
    lock_organisation,
    require_a_lead,
    require_a_manager,
    require_leads_in,
)
from quotas.tables import Project
from workloads.template import N_

_CHANGED_MEANWHILE = N_("Their role there was changed meanwhile. Look at the list, and change it there.")


def set_organisation_membership(  # noqa: PLR0913 - who becomes what, and what they were
    services: Services,
    actor: Actor,
    *,
    organisation: str,
    username: str,
    role: OrganisationRole | None,
    seen: str | None = None,
) -> None:
    """Make a person a member or manager; None ends it, and their places in its projects with it.

    Managers may change and end memberships of their own organisation; they bring people in by invitation,
    since otherwise they could find out who else has an account. `seen` is the role that the person had when
    whoever decides looked, "" for none; None: whatever it is.

    Raises:
        NotFound: no such organisation or person, or none that the actor may see.
        NotAllowed: the actor sees it, but may not.
        InvalidEntry: the person has another role by now than the one that was seen.
        NobodyLeads: it would have no manager left, or one of its projects no lead; see `hand_over`.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        organisation_id = find_organisation(connection, organisation)
        permissions.require(
            actor,
            Action.MANAGE_MEMBERS,
            organisation_id=organisation_id,
            hidden_as=NotFound("organisation", organisation),
        )
        lock_organisation(connection, organisation_id)
        user_id = find_person(connection, username)
        place = (
            col(OrganisationMember.organisation_id) == organisation_id,
            col(OrganisationMember.user_id) == user_id,
        )
        was = connection.execute(select(col(OrganisationMember.role)).where(*place)).scalar()
        if was is None and not permissions.may(actor, Action.GRANT):
            raise NotFound("user", username)
        _require_seen(was, seen)
        connection.execute(delete(OrganisationMember).where(*place))
        if role is None:
            require_leads_in(connection, actor, organisation_id, user_id)
            projects = select(col(Project.id)).where(col(Project.organisation_id) == organisation_id)
            connection.execute(
                delete(ProjectMember).where(
                    col(ProjectMember.user_id) == user_id, col(ProjectMember.project_id).in_(projects)
                )
            )
        else:
            connection.execute(
                insert(OrganisationMember).values(organisation_id=organisation_id, user_id=user_id, role=role)
            )
        if was is OrganisationRole.MANAGER and role is not OrganisationRole.MANAGER:
            require_a_manager(connection, actor, organisation_id, organisation)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="organisation.member_set",
            subject=f"{organisation}/{username}",
            role=role and role.value,
            was=was and was.value,
        )

    transact(services.engine, work)


def set_project_membership(  # noqa: PLR0913 - who becomes what, and what they were
    services: Services,
    actor: Actor,
    *,
    account: str,
    username: str,
    role: ProjectRole | None,
    seen: str | None = None,
) -> None:
    """Make a member of the organisation a member or lead of its project; None ends it.

    `seen` is the role that the person had when whoever decides looked, "" for none; None: whatever it is.

    Raises:
        ProjectNotFound: no such project, or none that the actor may see.
        NotAllowed: the actor sees it, but may not.
        InvalidEntry: the person is not in the organisation; also when there is no such person, so that a lead
            cannot find out who else has an account. Or they have another role by now than was seen.
        NobodyLeads: it would have no lead left; see `hand_over`.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        project = find_project(connection, account)
        permissions.require(
            actor,
            Action.MANAGE_MEMBERS,
            organisation_id=project.organisation_id,
            project_id=project.id,
            hidden_as=ProjectNotFound(account),
        )
        lock_organisation(connection, project.organisation_id)
        stranger = InvalidEntry(
            [
                Problem(
                    "username",
                    "%(username)s is not in the project's organisation. Invite them by e-mail.",
                    {"username": username},
                )
            ]
        )
        try:
            user_id = find_person(connection, username)
        except NotFound as error:
            raise stranger from error
        in_organisation = connection.execute(
            select(col(OrganisationMember.role)).where(
                col(OrganisationMember.organisation_id) == project.organisation_id,
                col(OrganisationMember.user_id) == user_id,
            )
        ).scalar()
        if in_organisation is None and role is not None:
            raise stranger
        place = (col(ProjectMember.project_id) == project.id, col(ProjectMember.user_id) == user_id)
        was = connection.execute(select(col(ProjectMember.role)).where(*place)).scalar()
        if was is None and in_organisation is None:
            raise stranger
        _require_seen(was, seen)
        connection.execute(delete(ProjectMember).where(*place))
        if role is not None:
            connection.execute(
                insert(ProjectMember).values(project_id=project.id, user_id=user_id, role=role)
            )
        if was is ProjectRole.LEAD and role is not ProjectRole.LEAD:
            require_a_lead(connection, actor, project.id, account)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="project.member_set",
            subject=f"{account}/{username}",
            role=role and role.value,
            was=was and was.value,
        )

    transact(services.engine, work)


def _require_seen(was: StrEnum | None, seen: str | None) -> None:
    if seen not in {None, was or ""}:
        raise InvalidEntry([Problem("", _CHANGED_MEANWHILE)])
