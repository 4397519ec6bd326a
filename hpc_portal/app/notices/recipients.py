"""Who is to be told: the people of a role, read when it happens."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, exists, or_, select
from sqlmodel import col

from hpc_portal.app.tables import (
    GlobalRole,
    OrganisationMember,
    OrganisationRole,
    ProjectMember,
    ProjectRole,
    User,
)
from quotas.tables import Project


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


def who_still_sees(connection: Connection, people: Collection[UUID], project_id: UUID) -> set[UUID]:
    """Those of these people who may see the project now: who left may work for a competitor by then."""
    sees = or_(
        col(User.global_role).is_not(None),
        exists().where(
            col(ProjectMember.user_id) == col(User.id), col(ProjectMember.project_id) == project_id
        ),
        exists().where(
            col(OrganisationMember.user_id) == col(User.id),
            col(OrganisationMember.role) == OrganisationRole.MANAGER,
            col(OrganisationMember.organisation_id) == col(Project.organisation_id),
            col(Project.id) == project_id,
        ),
    )
    return set(connection.scalars(select(col(User.id)).where(col(User.id).in_(people), sees)))
