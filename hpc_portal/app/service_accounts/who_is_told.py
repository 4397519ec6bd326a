"""Who is told of what service accounts do: their owners and, where none is left, the leads of the project."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.notices.recipients import leads
from hpc_portal.app.service_accounts.tables import ServiceAccount, ServiceOwner
from hpc_portal.app.tables import ProjectMember, User


@dataclass(frozen=True, slots=True)
class ToldOfService:
    """A service account, and whom its news concern."""

    username: str
    people: frozenset[UUID]


def who_is_told(connection: Connection, user_ids: Collection[UUID]) -> dict[UUID, ToldOfService]:
    """Of those of these accounts that are service accounts; accounts of people are not in it.

    An owner who was deactivated or left the project is told no more. Jobs outlive their service account:
    when its last owner is gone, the project's leads are told how those end.
    """
    services = connection.execute(
        select(col(ServiceAccount.user_id), col(ServiceAccount.project_id), col(User.username))
        .join(User, col(User.id) == col(ServiceAccount.user_id))
        .where(col(ServiceAccount.user_id).in_(user_ids))
    ).all()
    if not services:
        return {}
    owners = _owners(connection, {row.user_id for row in services})
    return {
        row.user_id: ToldOfService(
            row.username, frozenset(owners.get(row.user_id) or leads(connection, row.project_id))
        )
        for row in services
    }


def _owners(connection: Connection, service_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Those who are still there: the same rule as in `in_force`."""
    rows = connection.execute(
        select(col(ServiceOwner.service_id), col(ServiceOwner.owner_id))
        .join(ServiceAccount, col(ServiceAccount.user_id) == col(ServiceOwner.service_id))
        .join(User, col(User.id) == col(ServiceOwner.owner_id))
        .join(
            ProjectMember,
            (col(ProjectMember.user_id) == col(ServiceOwner.owner_id))
            & (col(ProjectMember.project_id) == col(ServiceAccount.project_id)),
        )
        .where(col(ServiceOwner.service_id).in_(service_ids), col(User.is_active))
    )
    found: dict[UUID, set[UUID]] = {}
    for service_id, owner_id in rows:
        found.setdefault(service_id, set()).add(owner_id)
    return found
