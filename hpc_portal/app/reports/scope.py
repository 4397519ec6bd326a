"""Whose usage a person may see: their projects, their organisation as its manager, or all of the city."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotFound, ProjectNotFound
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import User
from quotas.tables import Organisation, Project
from quotas.usage_report import Dimension


@dataclass(frozen=True, slots=True)
class Tenants:
    """The organisations and projects that a report covers, and what they are called."""

    sees_all: bool
    """Nothing is left out, tenants of which nothing is known any more included."""
    projects: Mapping[UUID, str]
    """Account names by id."""
    organisations: Mapping[UUID, str]
    """Slugs by id."""
    project_organisations: Mapping[UUID, UUID]

    @property
    def where(self) -> dict[Dimension, object]:
        """What narrows a question about usage to these."""
        return {} if self.sees_all else {Dimension.PROJECT: list(self.projects)}


def visible_tenants(connection: Connection, actor: Actor) -> Tenants:
    """Everything that the actor may see."""
    rows = connection.execute(
        select(col(Project.id), col(Project.account), col(Project.organisation_id), col(Organisation.slug))
        .join(Organisation, col(Organisation.id) == col(Project.organisation_id))
        .where(permissions.visible_projects(actor))
        .order_by(col(Project.account))
    ).all()
    return Tenants(
        sees_all=permissions.may(actor, Action.VIEW),
        projects={row.id: row.account for row in rows},
        organisations={row.organisation_id: row.slug for row in rows},
        project_organisations={row.id: row.organisation_id for row in rows},
    )


def find_project(tenants: Tenants, account: str) -> UUID:
    """The id of a visible project.

    Raises:
        ProjectNotFound: there is none, or the person may not see it.
    """
    found = next((key for key, name in tenants.projects.items() if name == account), None)
    if found is None:
        raise ProjectNotFound(account)
    return found


def find_organisation(tenants: Tenants, slug: str) -> UUID:
    """The id of an organisation of which at least one project is visible.

    Raises:
        NotFound: there is none.
    """
    found = next((key for key, name in tenants.organisations.items() if name == slug), None)
    if found is None:
        raise NotFound("organisation", slug)
    return found


def find_people(connection: Connection, tenants: Tenants, username: str) -> list[UUID]:
    """The id of a person, if there is one: whose names exist is nothing that other tenants are told.

    Raises:
        NotFound: there is none, and whoever asks sees everybody.
    """
    found: UUID | None = connection.execute(
        select(col(User.id)).where(col(User.username) == username)
    ).scalar()
    if found is None and tenants.sees_all:
        raise NotFound("user", username)
    return [] if found is None else [found]


def names_of_people(connection: Connection, ids: set[UUID]) -> dict[UUID, str]:
    """User names by id."""
    if not ids:
        return {}
    rows: Any = connection.execute(
        select(col(User.id), col(User.username)).where(col(User.id).in_(list(ids)))
    )
    return {row.id: row.username for row in rows}
