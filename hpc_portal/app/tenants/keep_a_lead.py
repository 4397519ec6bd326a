"""No project goes without a lead, and no organisation without a manager, unless an administrator says so."""

from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NobodyLeads
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import OrganisationMember, OrganisationRole, ProjectMember, ProjectRole, User
from quotas.tables import Organisation, Project


def lock_organisation(connection: Connection, organisation_id: UUID) -> None:
    """Have changes of an organisation's members, and of its projects', wait for each other until the commit.

    Otherwise two leads who leave at once would each still see the other.
    """
    connection.execute(
        select(col(Organisation.id))
        .where(col(Organisation.id) == organisation_id)
        .with_for_update(key_share=True)
    )


def require_a_lead(connection: Connection, actor: Actor, project_id: UUID, account: str) -> None:
    """Let pass when somebody active leads the project, as it is now in this transaction.

    Raises:
        NobodyLeads: nobody does, and the actor is no administrator.
    """
    if permissions.may(actor, Action.GRANT):
        return
    leads = select(col(ProjectMember.user_id)).where(
        col(ProjectMember.project_id) == project_id, col(ProjectMember.role) == ProjectRole.LEAD
    )
    active = select(col(User.id)).where(col(User.id).in_(leads), col(User.is_active))
    if connection.execute(active.limit(1)).first() is None:
        raise NobodyLeads(account, ProjectRole.LEAD.value)


def require_leads_in(connection: Connection, actor: Actor, organisation_id: UUID, user_id: UUID) -> None:
    """Let pass when no project of the organisation is led by this person alone.

    Raises:
        NobodyLeads: the first one that is, and the actor is no administrator.
    """
    led = (
        select(col(Project.id), col(Project.account))
        .join(ProjectMember, col(ProjectMember.project_id) == col(Project.id))
        .where(
            col(Project.organisation_id) == organisation_id,
            col(ProjectMember.user_id) == user_id,
            col(ProjectMember.role) == ProjectRole.LEAD,
        )
        .order_by(col(Project.account))
    )
    for project in connection.execute(led).all():
        others = select(col(ProjectMember.user_id)).where(
            col(ProjectMember.project_id) == project.id,
            col(ProjectMember.user_id) != user_id,
            col(ProjectMember.role) == ProjectRole.LEAD,
        )
        if connection.execute(others.limit(1)).first() is None and not permissions.may(actor, Action.GRANT):
            raise NobodyLeads(project.account, ProjectRole.LEAD.value)


def require_a_manager(connection: Connection, actor: Actor, organisation_id: UUID, slug: str) -> None:
    """Let pass when somebody active manages the organisation, as it is now in this transaction.

    Raises:
        NobodyLeads: nobody does, and the actor is no administrator.
    """
    if permissions.may(actor, Action.GRANT):
        return
    managers = select(col(OrganisationMember.user_id)).where(
        col(OrganisationMember.organisation_id) == organisation_id,
        col(OrganisationMember.role) == OrganisationRole.MANAGER,
    )
    active = select(col(User.id)).where(col(User.id).in_(managers), col(User.is_active))
    if connection.execute(active.limit(1)).first() is None:
        raise NobodyLeads(slug, OrganisationRole.MANAGER.value)
