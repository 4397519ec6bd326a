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
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.ids import new_id
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ApiToken, TokenScope, User
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
    seed: bytes = b"",
) -> IssuedToken:
    """A token with the rights of its owner, or less; without `valid_days` it is good until it is revoked.

    With `project` (its account) it is good there only, and its owner is nothing else when they show it. Who
    comes with the seed of a form again is shown the same token.

    Raises:
        InvalidEntry: the name, the number of days or the project is wrong; nobody gives out a token for a
            project in which they have no place of their own. Or the form's token is over.
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
        secret=new_secret(TOKEN_PREFIX, seed),
        created_at=now,
        expires_at=now + timedelta(days=valid_days) if valid_days else None,
    )

    def work(connection: Connection) -> IssuedToken:
        mine = select(col(User.id)).where(col(User.id) == actor.user_id)
        connection.execute(mine.with_for_update(key_share=True))
        if before := issued_before(connection, token.secret, at=now):
            return before
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
        return token

    return transact(services.engine, work)


def issued_before(connection: Connection, secret: str, *, at: datetime) -> IssuedToken | None:
    """The token that the same form made; whoever asks has locked whose it is.

    Raises:
        InvalidEntry: it is over.
    """
    row = connection.execute(
        select(
            *(col(ApiToken.id), col(ApiToken.name), col(ApiToken.created_at)),
            *(col(ApiToken.expires_at), col(ApiToken.revoked_at)),
        ).where(col(ApiToken.token_hash) == hash_secret(secret))
    ).first()
    if row is None:
        return None
    require_good(row, at=at)
    return IssuedToken(row.id, row.name, secret, row.created_at, row.expires_at)


def require_good(token: AnyRow, *, at: datetime) -> None:
    """Let pass one that is not over.

    Raises:
        InvalidEntry: it is.
    """
    if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= at):
        raise InvalidEntry([Problem("token", "This token is over. Issue a new one.")])


def _place(connection: Connection, actor: Actor, account: str) -> UUID:
    found: UUID | None = connection.execute(
        select(col(Project.id)).where(col(Project.account) == account)
    ).scalar()
    if found is None or found not in actor.projects:
        raise InvalidEntry([Problem("project", "Choose a project in which you work.")])
    return found
