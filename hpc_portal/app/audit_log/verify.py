"""Verify the audit log: nothing was changed, taken out, put in between or cut off."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.audit_log.chain import BEFORE_THE_FIRST, Deed, seal
from hpc_portal.app.audit_log.tables import AuditHead, AuditRecord
from hpc_portal.app.db import AnyRow

_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last record; whoever keeps it elsewhere can tell later that nothing before it was rewritten."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """A place where the chain does not hold."""

    sequence: int
    problem: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a walk along the whole chain found."""

    end: ChainEnd
    broken: tuple[BrokenLink, ...]


def verify_chain(connection: Connection, *, known: ChainEnd | None = None) -> Verified:
    """Walk along the whole chain; `known` is an end that was seen earlier and must still be part of it.

    Others may append meanwhile: what follows the end as it was at first is walked as well.
    """
    head = connection.execute(select(col(AuditHead.sequence), col(AuditHead.hash))).one_or_none()
    expected = {ChainEnd(head.sequence, head.hash): "the end of the log was cut off"} if head else {}
    if known is not None:
        expected[known] = "is not the record that was known before"
    end = ChainEnd(0, BEFORE_THE_FIRST)
    expected.pop(end, None)
    broken: list[BrokenLink] = []
    for row in connection.execute(_RECORDS).yield_per(_AT_ONCE):
        broken += _problems(row, end)
        end = ChainEnd(row.sequence, row.hash)
        expected.pop(end, None)
    broken += (BrokenLink(missed.sequence, problem) for missed, problem in expected.items())
    return Verified(end, tuple(broken))


_RECORDS = select(
    col(AuditRecord.sequence),
    col(AuditRecord.at),
    col(AuditRecord.actor_id),
    col(AuditRecord.address),
    col(AuditRecord.action),
    col(AuditRecord.subject),
    col(AuditRecord.facts),
    col(AuditRecord.previous_hash),
    col(AuditRecord.hash),
).order_by(col(AuditRecord.sequence))


def _problems(row: AnyRow, before: ChainEnd) -> Iterator[BrokenLink]:
    if row.sequence != before.sequence + 1:
        yield BrokenLink(row.sequence, f"{row.sequence - before.sequence - 1} records before it are missing")
    elif row.previous_hash != before.hash:
        yield BrokenLink(row.sequence, "does not follow the record before it")
    deed = Deed(row.sequence, row.at, row.actor_id, row.address, row.action, row.subject, row.facts)
    if seal(row.previous_hash, deed) != row.hash:
        yield BrokenLink(row.sequence, "was changed after it was written")
