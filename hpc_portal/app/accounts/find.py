"""From names that people type to ids."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.errors import NotFound, ProjectNotFound
from hpc_portal.app.service_accounts.in_force import is_person
from hpc_portal.app.tables import User
from quotas.tables import Organisation, Project


@dataclass(frozen=True, slots=True)
class FoundProject:
    """A project and whose it is."""

    id: UUID
    organisation_id: UUID


def find_organisation(connection: Connection, slug: str) -> UUID:
    """The organisation's id.

    Raises:
        NotFound: there is none.
    """
    found: UUID | None = connection.execute(
        select(col(Organisation.id)).where(col(Organisation.slug) == slug)
    ).scalar()
    if found is None:
        raise NotFound("organisation", slug)
    return found


def find_project(connection: Connection, account: str) -> FoundProject:
    """The project's and its organisation's id.

    Raises:
        ProjectNotFound: there is none.
    """
    found = connection.execute(
        select(col(Project.id), col(Project.organisation_id)).where(col(Project.account) == account)
    ).first()
    if found is None:
        raise ProjectNotFound(account)
    return FoundProject(found.id, found.organisation_id)


def find_person(connection: Connection, username: str) -> UUID:
    """The person's id; service accounts have their one place, and no password.

    Raises:
        NotFound: there is none.
    """
    user_id = find_user(connection, username)
    if not connection.execute(
        select(col(User.id)).where(col(User.id) == user_id, is_person(col(User.id)))
    ).first():
        raise NotFound("user", username)
    return user_id


def find_user(connection: Connection, username: str) -> UUID:
    """The id of a person or a service account.

    Raises:
        NotFound: there is none.
    """
    found: UUID | None = connection.execute(
        select(col(User.id)).where(col(User.username) == username)
    ).scalar()
    if found is None:
        raise NotFound("user", username)
    return found
