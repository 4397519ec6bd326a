"""Issue an API token: shown once, kept as its hash."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.accounts.secret import TOKEN_PREFIX, hash_secret, new_secret
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.ids import new_id
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ApiToken, TokenScope
from quotas.tables import Project

_MAX_DAYS = 3650
_MAX_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token; `secret` exists nowhere else."""

    id: UUID
    name: str
    secret: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None


def issue_token(  # noqa: PLR0913 - what a token is
    services: Services,
    actor: Actor,
    *,
    name: str,
    valid_days: int | None = None,
    scope: TokenScope = TokenScope.EVERYTHING,
    project: str = "",
) -> IssuedToken:
    """A token with the rights of its owner, or less; without `valid_days` it is good until it is revoked.

    With `project` (its account) it is good there only, and its owner is nothing else when they show it.

    Raises:
        InvalidEntry: the name, the number of days or the project is wrong; nobody gives out a token for a
            project in which they have no place of their own.
    """
    require(
        [
            None
            if name.strip() and len(name) <= _MAX_NAME_LENGTH and name.isprintable()
            else Problem("name", "Enter 1 to %(most)s characters in one line.", {"most": _MAX_NAME_LENGTH}),
            None
            if valid_days is None or 1 <= valid_days <= _MAX_DAYS
            else Problem("valid_days", "Choose 1 to %(most)s days, or no end.", {"most": _MAX_DAYS}),
        ]
    )
    now = services.clock.now()
    token = IssuedToken(
        id=new_id(),
        name=name.strip(),
        secret=new_secret(TOKEN_PREFIX),
        created_at=now,
        expires_at=now + timedelta(days=valid_days) if valid_days else None,
    )

    def work(connection: Connection) -> None:
        connection.execute(
            insert(ApiToken).values(
                scope=scope,
                project_id=_place(connection, actor, project) if project else None,
                id=token.id,
                user_id=actor.user_id,
                name=token.name,
                token_hash=hash_secret(token.secret),
                created_at=now,
                expires_at=token.expires_at,
            )
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="token.issued",
            subject=token.name,
            scope=scope.value,
            project=project or None,
        )

    transact(services.engine, work)
    return token


def _place(connection: Connection, actor: Actor, account: str) -> UUID:
    found: UUID | None = connection.execute(
        select(col(Project.id)).where(col(Project.account) == account)
    ).scalar()
    if found is None or found not in actor.projects:
        raise InvalidEntry([Problem("project", "Choose a project in which you work.")])
    return found
