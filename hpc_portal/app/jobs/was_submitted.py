"""Whether a submission arrived, for a form whose answer may have been lost."""

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.tables import IdempotencyKey


def was_submitted(connection: Connection, actor: Actor, key: str) -> bool:
    """Whether this person's idempotency key has made a job."""
    asked = select(col(IdempotencyKey.job_id)).where(
        col(IdempotencyKey.user_id) == actor.user_id, col(IdempotencyKey.key) == key
    )
    return connection.execute(asked).first() is not None
