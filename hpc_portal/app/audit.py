"""The audit log: who did what, when; written in the transaction of the deed itself."""

from datetime import datetime

from sqlalchemy import Connection, insert

from hpc_portal.app.actor import Actor
from hpc_portal.app.tables import AuditRecord

NOBODY_ID = 0
"""`UUID(int=0)`: an actor of this id is no person, and is stored as none."""


def record(
    connection: Connection, *, at: datetime, actor: Actor, action: str, subject: str, **facts: object
) -> None:
    """Append one deed.

    Args:
        connection: the transaction that does it.
        at: when.
        actor: who; the operator on the machine is stored as no person.
        action: past tense, dotted: `user.created`.
        subject: whom or what it concerns, by name.
        facts: anything else worth knowing; never a secret.
    """
    connection.execute(
        insert(AuditRecord).values(
            at=at,
            actor_id=actor.user_id if actor.user_id.int != NOBODY_ID else None,
            action=action,
            subject=subject,
            facts=facts,
        )
    )
