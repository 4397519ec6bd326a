"""Record in the audit log who did what, when and from where, in the transaction of the deed itself."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.chain import BEFORE_THE_FIRST, Deed, plain, seal
from hpc_portal.app.audit_log.tables import AuditHead, AuditRecord
from quotas.tables import table_of

NOBODY_ID = 0
"""`UUID(int=0)`: an actor of this id is no person, and is stored as none."""

_HEAD = table_of(AuditHead)
_NEXT = (
    update(AuditHead)
    .values(sequence=col(AuditHead.sequence) + 1)
    .returning(col(AuditHead.sequence), col(AuditHead.hash))
)
_FIRST = {"id": 1, "sequence": 0, "hash": BEFORE_THE_FIRST}
_BEGIN = {
    "postgresql": postgresql.insert(_HEAD).on_conflict_do_nothing().values(_FIRST),
    "sqlite": sqlite.insert(_HEAD).on_conflict_do_nothing().values(_FIRST),
}
_SEAL = update(AuditHead).values(hash=bindparam("sealed"))


def record(
    connection: Connection, *, at: datetime, actor: Actor, action: str, subject: str, **facts: object
) -> None:
    """Append one deed; call it last in a transaction, for others wait here until it ends.

    Args:
        connection: the transaction that does it.
        at: when.
        actor: who, and from where; the operator on the machine is stored as no person.
        action: past tense, dotted: `user.created`.
        subject: whom or what it concerns, by name.
        facts: how it is now, and under `was` how it was before; never a secret.
    """
    sequence, previous_hash = _next_place(connection)
    deed = Deed(
        sequence=sequence,
        at=at,
        actor_id=actor.user_id if actor.user_id.int != NOBODY_ID else None,
        address=actor.address,
        action=action,
        subject=subject,
        facts=plain(facts),
    )
    sealed = seal(previous_hash, deed)
    connection.execute(
        insert(AuditRecord).values(
            sequence=sequence,
            at=at,
            actor_id=deed.actor_id,
            address=deed.address,
            action=action,
            subject=subject,
            facts=deed.facts,
            previous_hash=previous_hash,
            hash=sealed,
        )
    )
    connection.execute(_SEAL, {"sealed": sealed})


def _next_place(connection: Connection) -> tuple[int, str]:
    """The next record's number and the hash that it seals; locks the chain until the transaction ends."""
    head = connection.execute(_NEXT).one_or_none()
    if head is None:
        connection.execute(_BEGIN[connection.dialect.name])
        head = connection.execute(_NEXT).one()
    return head.sequence, head.hash
