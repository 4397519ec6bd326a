"""Read the audit log: a page of it, newest first, or all of it in the order of the chain."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.jobs.queries import Page
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import User

OPERATOR_NAME = "operator"
"""In a filter: deeds of whoever runs the portal's own command on the machine."""
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when, from where."""

    sequence: int
    at: datetime
    username: str | None
    """None for the operator on the machine."""
    address: str
    """"" where nobody told."""
    action: str
    subject: str
    facts: dict[str, Any]
    """How it is since then; `was` is how it was before."""
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which deeds; what is empty does not matter."""

    username: str = ""
    action: str = ""
    """`prices.published`, or `prices` for all that begins so."""
    subject: str = ""
    """The whole name."""
    since: datetime | None = None
    until: datetime | None = None
    """Half open: not itself."""
    address: str = ""
    """The whole address that it came from."""


EVERYTHING = AuditFilter()


def list_audit(
    session: Session,
    actor: Actor,
    *,
    wanted: AuditFilter = EVERYTHING,
    before: int | None = None,
    limit: int = 100,
) -> Page[AuditEntry]:
    """The deeds that are wanted, newest first; the cursor is the last one's sequence.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    statement = _matching(wanted).order_by(col(AuditRecord.sequence).desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(col(AuditRecord.sequence) < before)
    rows = session.connection().execute(statement).all()
    items = tuple(AuditEntry(*row) for row in rows[:limit])
    return Page(items, str(items[-1].sequence) if len(rows) > limit else None)


def walk_audit(
    connection: Connection, actor: Actor, *, wanted: AuditFilter = EVERYTHING, after: int = 0
) -> Iterator[AuditEntry]:
    """All deeds that are wanted, oldest first, a thousand at a time; the first is asked for at once.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    statement = _matching(wanted).order_by(col(AuditRecord.sequence)).limit(_AT_ONCE)
    return _walk(connection, statement, after)


def _walk(connection: Connection, statement: Select[*tuple[Any, ...]], after: int) -> Iterator[AuditEntry]:
    last = after
    while True:
        rows = connection.execute(statement.where(col(AuditRecord.sequence) > last)).all()
        yield from (AuditEntry(*row) for row in rows)
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].sequence


def _matching(wanted: AuditFilter) -> Select[*tuple[Any, ...]]:
    return (
        select(
            col(AuditRecord.sequence),
            col(AuditRecord.at),
            col(User.username),
            col(AuditRecord.address),
            col(AuditRecord.action),
            col(AuditRecord.subject),
            col(AuditRecord.facts),
            col(AuditRecord.previous_hash),
            col(AuditRecord.hash),
        )
        .join(User, col(User.id) == col(AuditRecord.actor_id), isouter=True)
        .where(*_conditions(wanted))
    )


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.username == OPERATOR_NAME:
        yield col(AuditRecord.actor_id).is_(None)
    elif wanted.username:
        yield col(User.username) == wanted.username
    if wanted.action:
        is_kind = col(AuditRecord.action).startswith(f"{wanted.action}.", autoescape=True)
        yield is_kind | (col(AuditRecord.action) == wanted.action)
    if wanted.subject:
        yield col(AuditRecord.subject) == wanted.subject
    if wanted.address:
        yield col(AuditRecord.address) == wanted.address
    if wanted.since:
        yield col(AuditRecord.at) >= wanted.since
    if wanted.until:
        yield col(AuditRecord.at) < wanted.until
