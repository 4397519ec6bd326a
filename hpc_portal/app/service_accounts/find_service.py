"""From a project and a name to a service account that one may look after."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.accounts.find import FoundProject, find_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, NotAllowed, NotFound, Problem, ProjectNotFound
from hpc_portal.app.permissions import Action
from hpc_portal.app.service_accounts.in_force import is_person, why_over
from hpc_portal.app.service_accounts.tables import ServiceAccount, ServiceEnd, ServiceOwner
from hpc_portal.app.tables import ProjectMember, User


@dataclass(frozen=True, slots=True)
class FoundService:
    """A service account, whatever has become of it."""

    user_id: UUID
    username: str
    project_id: UUID
    expires_at: datetime
    over: ServiceEnd | None


def require_looking_after(connection: Connection, actor: Actor, account: str) -> FoundProject:
    """The project, when the actor manages its members and did not come with a token of it.

    Raises:
        ProjectNotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees it, but does not manage its members.
    """
    project = find_project(connection, account)
    permissions.require(
        actor,
        Action.MANAGE_MEMBERS,
        organisation_id=project.organisation_id,
        project_id=project.id,
        hidden_as=ProjectNotFound(account),
    )
    return project


def find_service(
    connection: Connection, actor: Actor, account: str, username: str, *, at: datetime
) -> FoundService:
    """The service account, locked, for whoever manages the project's members or answers for it.

    Raises:
        ProjectNotFound: there is no such project, or none that the actor may see.
        NotFound: it has no such service account.
        NotAllowed: the actor sees it, but neither manages the members nor is an owner.
    """
    project = find_project(connection, account)
    where = {"organisation_id": project.organisation_id, "project_id": project.id}
    if not permissions.may(actor, Action.VIEW, **where):
        raise ProjectNotFound(account)
    row = connection.execute(
        select(
            col(ServiceAccount.user_id),
            col(User.username),
            col(ServiceAccount.project_id),
            col(ServiceAccount.expires_at),
            why_over(at),
        )
        .join(User, col(User.id) == col(ServiceAccount.user_id))
        .where(col(User.username) == username, col(ServiceAccount.project_id) == project.id)
        .with_for_update(of=ServiceAccount)
    ).first()
    if row is None:
        raise NotFound("service account", username)
    if not permissions.may(actor, Action.MANAGE_MEMBERS, **where) and not _answers(connection, actor, row):
        raise NotAllowed(Action.MANAGE_MEMBERS, permissions.WHO_MAY[Action.MANAGE_MEMBERS])
    return FoundService(*row[:4], over=ServiceEnd(row.over) if row.over else None)


def require_in_force(service: FoundService) -> None:
    """Let pass one that is not over.

    Raises:
        InvalidEntry: it is.
    """
    if service.over is not None:
        raise InvalidEntry(
            [Problem("service_account", "%(name)s is over. Create a new one.", {"name": service.username})]
        )


def find_owners(connection: Connection, project_id: UUID, usernames: list[str]) -> dict[str, UUID]:
    """Ids of those who are to answer for one: active people of the project.

    Raises:
        InvalidEntry: there is none, or one is not in the project; also when there is no such person at all.
    """
    wanted = list(dict.fromkeys(name.strip() for name in usernames if name.strip()))
    if not wanted:
        raise InvalidEntry([Problem("owners", "Name at least one person who answers for it.")])
    rows = connection.execute(
        select(col(User.username), col(User.id))
        .join(ProjectMember, col(ProjectMember.user_id) == col(User.id))
        .where(
            col(User.username).in_(wanted),
            col(User.is_active),
            col(ProjectMember.project_id) == project_id,
            is_person(col(User.id)),
        )
    )
    found: dict[str, UUID] = {row.username: row.id for row in rows}
    for name in wanted:
        if name not in found:
            raise InvalidEntry(
                [Problem("owners", "%(username)s does not work in this project.", {"username": name})]
            )
    return {name: found[name] for name in wanted}


def _answers(connection: Connection, actor: Actor, service: object) -> bool:
    mine = select(col(ServiceOwner.owner_id)).where(
        col(ServiceOwner.service_id) == service.user_id,  # type: ignore[attr-defined]  # a row
        col(ServiceOwner.owner_id) == actor.user_id,
    )
    is_in_it = service.project_id in actor.projects  # type: ignore[attr-defined]  # a row
    return is_in_it and connection.execute(mine).first() is not None
