"""Sign-ins under way: what a browser left to fetch something elsewhere, kept until it comes back, once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert
from sqlmodel import col

from hpc_portal.app.accounts.secret import hash_secret, new_secret
from hpc_portal.app.accounts.tables import PendingSignIn
from hpc_portal.app.db import transact
from hpc_portal.app.services import Services

KEPT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Pending:
    """What was kept."""

    user_id: UUID | None
    facts: dict[str, Any]


def keep_sign_in(services: Services, facts: dict[str, Any], *, user_id: UUID | None = None) -> str:
    """Keep it for ten minutes; returns the secret for the browser's cookie. Old ones are swept away."""
    secret, now = new_secret(), services.clock.now()

    def work(connection: Connection) -> None:
        connection.execute(delete(PendingSignIn).where(col(PendingSignIn.expires_at) <= now))
        values = {"secret_hash": hash_secret(secret), "user_id": user_id, "facts": facts}
        connection.execute(insert(PendingSignIn).values(**values, expires_at=now + KEPT))

    transact(services.engine, work)
    return secret


def take_sign_in(services: Services, secret: str) -> Pending | None:
    """What was kept under this secret; it is gone then, so that nothing of it works twice."""

    def work(connection: Connection) -> Pending | None:
        found = connection.execute(
            delete(PendingSignIn)
            .where(
                col(PendingSignIn.secret_hash) == hash_secret(secret),
                col(PendingSignIn.expires_at) > services.clock.now(),
            )
            .returning(col(PendingSignIn.user_id), col(PendingSignIn.facts))
        ).first()
        return Pending(found.user_id, found.facts) if found else None

    return transact(services.engine, work)
