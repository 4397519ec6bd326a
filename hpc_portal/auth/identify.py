"""From a credential to an Actor: one indexed look-up, remembered for two seconds."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import anyio.to_thread
from sqlalchemy import Connection, or_, select, update
from sqlmodel import Session, col

from hpc_portal.app.accounts.secret import hash_secret
from hpc_portal.app.actor import Actor, load_actor, narrowed
from hpc_portal.app.db import transact
from hpc_portal.app.service_accounts.in_force import is_person_or_in_force
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ApiToken
from hpc_portal.auth.sessions import user_of_session

_KEPT_SECONDS = 2.0
"""How long another process may still accept what this moment revoked."""
_MOST_KEPT = 10_000
_LAST_USED_STEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Kept:
    actor: Actor
    until: float


class Identities:
    """Who stands behind a token or session; a small cache in front of the database.

    Only valid credentials are remembered, by their hash. `forget` makes a change of this process visible at
    once; other processes see it within two seconds.
    """

    def __init__(self, services: Services, *, kept_seconds: float = _KEPT_SECONDS) -> None:
        self._services = services
        self._kept_seconds = kept_seconds
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    async def by_token(self, token: str) -> Actor | None:
        """The person whose API token it is; None when it is unknown, revoked or has run out."""
        return await self._find("token", token)

    async def by_session(self, secret: str) -> Actor | None:
        """The person whose browser session it is; None when it is unknown or has run out."""
        return await self._find("session", secret)

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._kept)

    def forget(self) -> None:
        """Ask the database again for everybody: somebody signed out, or roles changed."""
        self._kept.clear()

    async def _find(self, kind: str, secret: str) -> Actor | None:
        key = (kind, hash_secret(secret))
        kept = self._kept.get(key)
        if kept and kept.until > time.monotonic():
            return kept.actor
        actor = await anyio.to_thread.run_sync(self._load, kind, secret)
        if actor is None:
            self._kept.pop(key, None)
            return None
        self._kept[key] = _Kept(actor, time.monotonic() + self._kept_seconds)
        self._kept.move_to_end(key)
        self._let_go()
        return actor

    def _let_go(self) -> None:
        """Of those who have not asked lately, who are the first: all are kept equally long."""
        now = time.monotonic()
        while self._kept and (len(self._kept) > _MOST_KEPT or next(iter(self._kept.values())).until <= now):
            self._kept.popitem(last=False)

    def _load(self, kind: str, secret: str) -> Actor | None:
        with self._services.engine.connect() as connection:
            if kind == "token":
                return self._actor_of_token(connection, secret)
            user_id = user_of_session(self._services, connection, secret)
            if user_id is None:
                return None
            with Session(connection) as session:
                return load_actor(session, user_id)

    def _actor_of_token(self, connection: Connection, token: str) -> Actor | None:
        now = self._services.clock.now()
        found = connection.execute(
            select(
                col(ApiToken.id),
                col(ApiToken.user_id),
                col(ApiToken.last_used_at),
                col(ApiToken.scope),
                col(ApiToken.project_id),
            ).where(
                col(ApiToken.token_hash) == hash_secret(token),
                col(ApiToken.revoked_at).is_(None),
                or_(col(ApiToken.expires_at).is_(None), col(ApiToken.expires_at) > now),
                is_person_or_in_force(col(ApiToken.user_id), now),
            )
        ).first()
        if found is None:
            return None
        if found.last_used_at is None or now - found.last_used_at >= _LAST_USED_STEP:
            connection.rollback()  # a reading transaction must not stand in the way of our own write
            self._note_use(found.id, now)
        with Session(connection) as session:
            actor = load_actor(session, found.user_id)
        return actor and narrowed(actor, found.scope, found.project_id)

    def _note_use(self, token_id: UUID, now: datetime) -> None:
        """At most once a minute, so that a busy script does not write with every request."""

        def work(connection: Connection) -> None:
            connection.execute(
                update(ApiToken)
                .where(
                    col(ApiToken.id) == token_id,
                    or_(
                        col(ApiToken.last_used_at).is_(None),
                        col(ApiToken.last_used_at) <= now - _LAST_USED_STEP,
                    ),
                )
                .values(last_used_at=now)
            )

        transact(self._services.engine, work)
