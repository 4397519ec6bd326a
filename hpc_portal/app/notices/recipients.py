"""Who is to be told: the people of a role, read when it happens."""

from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.tables import (
    GlobalRole,
    OrganisationMember,
    OrganisationRole,
    ProjectMember,
    ProjectRole,
    User,
)


def administrators(connection: Connection) -> set[UUID]:
    """Everybody who decides for the city."""
    return set(
        connection.scalars(
            select(col(User.id)).where(col(User.global_role) == GlobalRole.ADMINISTRATOR, col(User.is_active))
        )
    )


def managers(connection: Connection, organisation_id: UUID) -> set[UUID]:
    """The managers of an organisation."""
    return set(
        connection.scalars(
            select(col(OrganisationMember.user_id)).where(
                col(OrganisationMember.organisation_id) == organisation_id,
                col(OrganisationMember.role) == OrganisationRole.MANAGER,
            )
        )
    )


def leads(connection: Connection, project_id: UUID) -> set[UUID]:
    """The leads of a project."""
    return set(
        connection.scalars(
            select(col(ProjectMember.user_id)).where(
                col(ProjectMember.project_id) == project_id, col(ProjectMember.role) == ProjectRole.LEAD
            )
        )
    )
