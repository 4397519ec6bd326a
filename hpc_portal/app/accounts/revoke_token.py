"""Revoke an API token of one's own."""

from uuid import UUID

from sqlalchemy import Connection, func, update
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotFound
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ApiToken


def revoke_token(services: Services, actor: Actor, token_id: UUID) -> None:
    """End a token for good; one that was revoked before stays as it is.

    Raises:
        NotFound: the actor has no such token.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        name = connection.execute(
            update(ApiToken)
            .where(col(ApiToken.id) == token_id, col(ApiToken.user_id) == actor.user_id)
            .values(revoked_at=func.coalesce(col(ApiToken.revoked_at), now))
            .returning(col(ApiToken.name))
        ).scalar()
        if name is None:
            raise NotFound("token", token_id)
        audit.record(connection, at=now, actor=actor, action="token.revoked", subject=name)

    transact(services.engine, work)
