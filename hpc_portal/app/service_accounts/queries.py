"""Service accounts with their owners and tokens, as pages, endpoints and commands show them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.accounts.queries import get_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action
from hpc_portal.app.service_accounts.in_force import why_over
from hpc_portal.app.service_accounts.tables import ServiceAccount, ServiceEnd, ServiceOwner
from hpc_portal.app.tables import ApiToken, TokenScope, User
from quotas.tables import Project


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """A token of a service account; the token itself is not kept."""

    id: UUID
    name: str
    scope: TokenScope
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    is_good: bool


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One service account."""

    username: str
    project: str
    """The project's account."""
    purpose: str
    owners: tuple[str, ...]
    """User names of those who were named to answer for it."""
    cluster_user: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    """When one of its tokens was last shown."""
    over: ServiceEnd | None
    """None: it is in force."""
    tokens: tuple[ServiceToken, ...]
    """Newest first."""
    may_handle: bool
    """Whether the reader may issue, rotate and revoke its tokens, and end it."""


def list_project_services(
    session: Session, actor: Actor, account: str, *, at: datetime
) -> list[ServiceRecord]:
    """Those of a project, in force ones first, then by name.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    project = get_project(session, actor, account)
    return _list(session, actor, col(ServiceAccount.project_id) == project.id, at)


def list_all_services(session: Session, actor: Actor, *, at: datetime) -> list[ServiceRecord]:
    """Those of the whole city.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    return _list(session, actor, true(), at)


def _list(session: Session, actor: Actor, which: ColumnElement[bool], at: datetime) -> list[ServiceRecord]:
    rows = (
        session.connection()
        .execute(
            select(
                *(col(ServiceAccount.user_id), col(ServiceAccount.project_id), col(Project.organisation_id)),
                *(
                    col(User.username),
                    col(User.cluster_user),
                    col(Project.account),
                    col(ServiceAccount.purpose),
                ),
                *(col(ServiceAccount.created_at), col(ServiceAccount.expires_at), why_over(at)),
            )
            .join(User, col(User.id) == col(ServiceAccount.user_id))
            .join(Project, col(Project.id) == col(ServiceAccount.project_id))
            .where(which)
            .order_by(col(Project.account), col(User.username))
        )
        .all()
    )
    owners = _owners(session, which)
    tokens = _tokens(session, which, at)
    found = []
    for row in rows:
        mine = tuple(tokens[row.user_id])
        may_manage = permissions.may(
            actor,
            Action.MANAGE_MEMBERS,
            organisation_id=row.organisation_id,
            project_id=row.project_id,
        )
        answers = actor.username in owners[row.user_id] and row.project_id in actor.projects
        found.append(
            ServiceRecord(
                username=row.username,
                project=row.account,
                purpose=row.purpose,
                owners=tuple(owners[row.user_id]),
                cluster_user=row.cluster_user,
                created_at=row.created_at,
                expires_at=row.expires_at,
                last_used_at=max((one.last_used_at for one in mine if one.last_used_at), default=None),
                over=ServiceEnd(row.over) if row.over else None,
                tokens=mine,
                may_handle=may_manage or answers,
            )
        )
    return sorted(found, key=lambda one: one.over is not None)


def _owners(session: Session, which: ColumnElement[bool]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    for service_id, username in session.connection().execute(
        select(col(ServiceOwner.service_id), col(User.username))
        .join(ServiceAccount, col(ServiceAccount.user_id) == col(ServiceOwner.service_id))
        .join(User, col(User.id) == col(ServiceOwner.owner_id))
        .where(which)
        .order_by(col(User.username))
    ):
        found[service_id].append(username)
    return found


def _tokens(session: Session, which: ColumnElement[bool], at: datetime) -> dict[UUID, list[ServiceToken]]:
    found: dict[UUID, list[ServiceToken]] = defaultdict(list)
    rows: Sequence[ApiToken] = (
        session.execute(
            select(ApiToken)
            .join(ServiceAccount, col(ServiceAccount.user_id) == col(ApiToken.user_id))
            .where(which)
            .order_by(col(ApiToken.id).desc())
        )
        .scalars()
        .all()
    )
    for row in rows:
        assert row.expires_at  # noqa: S101 - those of service accounts all have an end
        found[row.user_id].append(
            ServiceToken(
                id=row.id,
                name=row.name,
                scope=row.scope,
                created_at=row.created_at,
                expires_at=row.expires_at,
                last_used_at=row.last_used_at,
                revoked_at=row.revoked_at,
                is_good=row.revoked_at is None and row.expires_at > at,
            )
        )
    return found
