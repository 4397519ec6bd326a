"""Tokens of service accounts: issued, rotated with an overlap, revoked; of one project, a year at most."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, func, insert, or_, select, update
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.issue_token import IssuedToken, issued_before, require_good
from hpc_portal.app.accounts.secret import TOKEN_PREFIX, hash_secret, new_secret
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.errors import InvalidEntry, NotFound, Problem
from hpc_portal.app.ids import new_id
from hpc_portal.app.service_accounts.create import LONGEST_DAYS
from hpc_portal.app.service_accounts.find_service import FoundService, find_service, require_in_force
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ApiToken, TokenScope

LONGEST_OVERLAP_HOURS = 7 * 24
MOST_TOKENS = 10
TOKEN_SCOPES = (TokenScope.JOBS, TokenScope.READ)


def issue_service_token(  # noqa: PLR0913 - what a token is
    services: Services,
    actor: Actor,
    account: str,
    username: str,
    *,
    name: str,
    scope: TokenScope = TokenScope.JOBS,
    valid_days: int = 90,
    seed: bytes = b"",
) -> IssuedToken:
    """A token of the service account, shown once; never good for longer than the account itself.

    Who comes with the seed of a form again is shown the same token.

    Raises:
        ProjectNotFound, NotFound, NotAllowed: see `find_service`.
        InvalidEntry: a field is wrong, the account is over, or it has too many tokens.
    """
    is_named = name.strip() and len(name) <= 100 and name.isprintable()  # noqa: PLR2004 - the column's length
    checks.require(
        [
            None
            if is_named
            else Problem("name", "Enter 1 to %(most)s characters in one line.", {"most": 100}),
            None
            if scope in TOKEN_SCOPES
            else Problem("scope", "A service account's token is for jobs, or to look only."),
            None
            if 1 <= valid_days <= LONGEST_DAYS
            else Problem("valid_days", "Choose 1 to %(most)s days.", {"most": LONGEST_DAYS}),
        ]
    )
    secret, now = new_secret(TOKEN_PREFIX, seed), services.clock.now()

    def work(connection: Connection) -> IssuedToken:
        service = find_service(connection, actor, account, username, at=now)
        require_in_force(service)
        if before := issued_before(connection, secret, at=now):
            return before
        _require_room(connection, service, now)
        ends_at = now + timedelta(days=valid_days)
        token = _insert(connection, service, name.strip(), secret, scope, now, ends_at)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="token.issued",
            subject=f"{username}/{token.name}",
            scope=scope.value,
            project=account,
        )
        return token

    return transact(services.engine, work)


def rotate_service_token(  # noqa: PLR0913 - what a token is
    services: Services,
    actor: Actor,
    account: str,
    username: str,
    token_id: UUID,
    *,
    overlap_hours: int = 24,
    seed: bytes = b"",
) -> IssuedToken:
    """A new token like an old one, for as long as that was; the old one ends after the overlap at the latest.

    Who comes with the seed of a form again is shown the same token.

    Raises:
        ProjectNotFound, NotFound, NotAllowed: see `find_service`; or it has no such token.
        InvalidEntry: the overlap is wrong, or the token or the account is over.
    """
    checks.require(
        [
            None
            if 0 <= overlap_hours <= LONGEST_OVERLAP_HOURS
            else Problem("overlap_hours", "Choose 0 to %(most)s hours.", {"most": LONGEST_OVERLAP_HOURS})
        ]
    )
    secret, now = new_secret(TOKEN_PREFIX, seed), services.clock.now()

    def work(connection: Connection) -> IssuedToken:
        service = find_service(connection, actor, account, username, at=now)
        require_in_force(service)
        if before := issued_before(connection, secret, at=now):
            return before
        old = _token_of(connection, service, token_id)
        require_good(old, at=now)
        _require_room(connection, service, now)
        until = now + (old.expires_at - old.created_at)
        token = _insert(connection, service, old.name, secret, old.scope, now, until)
        ends_at = min(old.expires_at, now + timedelta(hours=overlap_hours))
        connection.execute(update(ApiToken).where(col(ApiToken.id) == old.id).values(expires_at=ends_at))
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="token.rotated",
            subject=f"{username}/{token.name}",
            ends_at=ends_at.isoformat(),
        )
        return token

    return transact(services.engine, work)


def revoke_service_token(
    services: Services, actor: Actor, account: str, username: str, token_id: UUID
) -> None:
    """End a token for good; one that was revoked before stays as it is.

    Raises:
        ProjectNotFound, NotFound, NotAllowed: see `find_service`; or it has no such token.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        service = find_service(connection, actor, account, username, at=now)
        token = _token_of(connection, service, token_id)
        if token.revoked_at is not None:
            return
        connection.execute(update(ApiToken).where(col(ApiToken.id) == token.id).values(revoked_at=now))
        audit.record(
            connection, at=now, actor=actor, action="token.revoked", subject=f"{username}/{token.name}"
        )

    transact(services.engine, work)


def _token_of(connection: Connection, service: FoundService, token_id: UUID) -> AnyRow:
    found = connection.execute(
        select(
            *(col(ApiToken.id), col(ApiToken.name), col(ApiToken.scope), col(ApiToken.created_at)),
            *(col(ApiToken.expires_at), col(ApiToken.revoked_at)),
        ).where(col(ApiToken.id) == token_id, col(ApiToken.user_id) == service.user_id)
    ).first()
    if found is None:
        raise NotFound("token", token_id)
    return found


def _require_room(connection: Connection, service: FoundService, now: datetime) -> None:
    live = select(func.count()).where(
        col(ApiToken.user_id) == service.user_id,
        col(ApiToken.revoked_at).is_(None),
        or_(col(ApiToken.expires_at).is_(None), col(ApiToken.expires_at) > now),
    )
    if connection.execute(live).scalar_one() >= MOST_TOKENS:
        raise InvalidEntry(
            [Problem("name", "It has at most %(most)s tokens. Revoke one.", {"most": MOST_TOKENS})]
        )


def _insert(  # noqa: PLR0913, PLR0917 - what a token is
    connection: Connection,
    service: FoundService,
    name: str,
    secret: str,
    scope: TokenScope,
    now: datetime,
    expires_at: datetime,
) -> IssuedToken:
    token = IssuedToken(
        id=new_id(),
        name=name,
        secret=secret,
        created_at=now,
        expires_at=min(expires_at, service.expires_at),
    )
    connection.execute(
        insert(ApiToken).values(
            id=token.id,
            user_id=service.user_id,
            name=name,
            token_hash=hash_secret(token.secret),
            scope=scope,
            project_id=service.project_id,
            created_at=now,
            expires_at=token.expires_at,
        )
    )
    return token
