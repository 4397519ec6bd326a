"""Create a service account of a project, change it, end it."""

import pwd
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.create_user import NewUser, insert_user
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NameTaken, Problem, TenantNotActive
from hpc_portal.app.service_accounts.end import end_in
from hpc_portal.app.service_accounts.find_service import (
    find_owners,
    find_service,
    require_in_force,
    require_looking_after,
)
from hpc_portal.app.service_accounts.tables import ServiceAccount, ServiceEnd, ServiceOwner
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ProjectMember, ProjectRole, User
from quotas.tables import Project, TenantState

LONGEST_DAYS = 365
MOST_OF_A_PROJECT = 20
_NAME = re.compile(r"^[a-z][a-z0-9-]{0,19}$")
_PREFIX = "svc-"
_LONGEST_CLUSTER_USER = 32


@dataclass(frozen=True, slots=True)
class NewService:
    """A service account to be."""

    name: str
    """Its part of the user name: `ci` of project `npu` is `ci@npu`, which no person can be called."""
    purpose: str
    owners: Sequence[str] = field(default_factory=tuple)
    """User names of people of the project; empty: whoever creates it."""
    valid_days: int = LONGEST_DAYS


def create_service(services: Services, actor: Actor, account: str, new: NewService) -> str:
    """Returns its user name. It has no password and signs in nowhere; issue a token for it.

    Raises:
        ProjectNotFound, NotAllowed: see `require_looking_after`.
        InvalidEntry: with every field that is wrong, an owner who is not in the project, or too many.
        NameTaken: the project has, or had, one of that name.
        TenantNotActive: the project is closed.
    """
    checks.require(
        [
            None
            if _NAME.match(new.name)
            else Problem("name", "Use 1 to 20 lower-case letters, digits and hyphens; begin with a letter."),
            checks.title_problem("purpose", new.purpose),
            _days_problem(new.valid_days),
        ]
    )
    username = f"{new.name}@{account}"
    now = services.clock.now()

    def work(connection: Connection) -> str:
        project = require_looking_after(connection, actor, account)
        owners = find_owners(connection, project.id, list(new.owners) or [actor.username])
        _require_room(connection, project.id, account)
        service_id = _insert_user(connection, username, account, new, at=now)
        connection.execute(
            insert(ProjectMember).values(
                project_id=project.id, user_id=service_id, role=ProjectRole.MEMBER, is_from_identity=False
            )
        )
        expires_at = now + timedelta(days=new.valid_days)
        connection.execute(
            insert(ServiceAccount).values(
                user_id=service_id,
                project_id=project.id,
                purpose=new.purpose.strip(),
                created_by=actor.user_id if actor.user_id.int else None,
                created_at=now,
                expires_at=expires_at,
            )
        )
        _set_owners(connection, service_id, list(owners.values()))
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="service_account.created",
            subject=username,
            project=account,
            purpose=new.purpose.strip(),
            owners=list(owners),
            expires_at=expires_at.isoformat(),
        )
        return username

    return transact(services.engine, work)


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """What is to be different; None leaves as it is."""

    purpose: str | None = None
    owners: Sequence[str] | None = None
    valid_days: int | None = None
    """From now on."""


def change_service(
    services: Services, actor: Actor, account: str, username: str, change: ServiceChange
) -> None:
    """Change who answers for it, what it is for, or how long it is good; its tokens stay as they are.

    Raises:
        ProjectNotFound, NotFound, NotAllowed: see `require_looking_after`; owners may not change it.
        InvalidEntry: a field is wrong, or it is over.
    """
    checks.require(
        [
            None if change.purpose is None else checks.title_problem("purpose", change.purpose),
            None if change.valid_days is None else _days_problem(change.valid_days),
        ]
    )
    now = services.clock.now()

    def work(connection: Connection) -> None:
        project = require_looking_after(connection, actor, account)
        service = find_service(connection, actor, account, username, at=now)
        require_in_force(service)
        stored: dict[str, object] = {}
        facts: dict[str, object] = {}
        if change.owners is not None:
            owners = find_owners(connection, project.id, list(change.owners))
            _set_owners(connection, service.user_id, list(owners.values()))
            facts["owners"] = list(owners)
        if change.purpose is not None:
            facts["purpose"] = stored["purpose"] = change.purpose.strip()
        if change.valid_days is not None:
            stored["expires_at"] = now + timedelta(days=change.valid_days)
            facts["expires_at"] = (now + timedelta(days=change.valid_days)).isoformat()
        if stored:
            is_it = col(ServiceAccount.user_id) == service.user_id
            connection.execute(update(ServiceAccount).where(is_it).values(stored))
        if facts:
            audit.record(
                connection, at=now, actor=actor, action="service_account.changed", subject=username, **facts
            )

    transact(services.engine, work)


def end_service(services: Services, actor: Actor, account: str, username: str) -> None:
    """End it for good, and its tokens with it; one that is over stays as it is. Its jobs go on.

    Raises:
        ProjectNotFound, NotFound, NotAllowed: see `find_service`.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        service = find_service(connection, actor, account, username, at=now)
        end_in(connection, service.user_id, username, ServiceEnd.ENDED, actor=actor, at=now)

    transact(services.engine, work)


def _days_problem(days: int) -> Problem | None:
    if 1 <= days <= LONGEST_DAYS:
        return None
    return Problem("valid_days", "Choose 1 to %(most)s days.", {"most": LONGEST_DAYS})


def _require_room(connection: Connection, project_id: UUID, account: str) -> None:
    state = connection.execute(
        select(col(Project.state)).where(col(Project.id) == project_id).with_for_update(key_share=True)
    ).scalar_one()
    if state is TenantState.CLOSED:
        raise TenantNotActive(account, state.value)
    live = select(func.count()).where(
        col(ServiceAccount.project_id) == project_id, col(ServiceAccount.ended_at).is_(None)
    )
    if connection.execute(live).scalar_one() >= MOST_OF_A_PROJECT:
        raise InvalidEntry(
            [Problem("name", "A project has at most %(most)s of them. End one.", {"most": MOST_OF_A_PROJECT})]
        )


def _insert_user(
    connection: Connection, username: str, account: str, new: NewService, *, at: datetime
) -> UUID:
    if connection.execute(select(col(User.id)).where(col(User.username) == username)).first():
        raise NameTaken("service account", username)
    for cluster_user in _cluster_users(account, new.name):
        person = NewUser(
            username=username,
            display_name=f"{new.name} ({account})",
            password="",
            cluster_user=cluster_user,
        )
        try:
            return insert_user(connection, person, password_hash="", at=at)
        except NameTaken:
            continue
    raise NameTaken("cluster account", username)


def _cluster_users(account: str, name: str) -> Iterator[str]:
    """Accounts for its jobs, the nearest first: never one that this machine knows as somebody's."""
    stem = f"{_PREFIX}{account}-{name}"[:_LONGEST_CLUSTER_USER]
    for number in range(1, 1000):
        suffix = "" if number == 1 else f"-{number}"
        candidate = f"{stem[: _LONGEST_CLUSTER_USER - len(suffix)]}{suffix}"
        if not _is_known(candidate):
            yield candidate


def _is_known(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _set_owners(connection: Connection, service_id: UUID, owners: Sequence[UUID]) -> None:
    connection.execute(delete(ServiceOwner).where(col(ServiceOwner.service_id) == service_id))
    connection.execute(
        insert(ServiceOwner), [{"service_id": service_id, "owner_id": owner} for owner in owners]
    )
