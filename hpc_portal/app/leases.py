"""Rights that one process holds for a while, kept in the database: the active controller is one.

The token changes with every holder, so a process that slept through the end of its lease finds out at its
next write and changes nothing. A lease ends by the clock of whoever wants it, or when it was seen to stay as
it is for as long as it lasts: so a clock that was wrong, or that is set, keeps nobody from taking over.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    column,
    delete,
    func,
    insert,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from hpc_portal.app.tables import Lease


class LeaseLost(Exception):
    """Somebody else holds the lease now; whatever was about to be written was not."""


@dataclass(frozen=True, slots=True)
class HeldLease:
    """Proof of having held a lease."""

    name: str
    token: UUID


@dataclass(frozen=True, slots=True)
class SeenLease:
    """A lease of somebody else's, as it was when it was last renewed."""

    token: UUID
    expires_at: datetime
    since: float
    """When it was first seen so, on our monotonic clock."""


def look(connection: Connection, name: str, before: SeenLease | None) -> SeenLease | None:
    """The lease as it is now, or `before` when nobody renewed it since; None when it is free."""
    found = connection.execute(
        select(col(Lease.token), col(Lease.expires_at)).where(col(Lease.name) == name)
    ).first()
    if found is None:
        return None
    if before and (before.token, before.expires_at) == (found.token, found.expires_at):
        return before
    return SeenLease(found.token, found.expires_at, time.monotonic())


def acquire(  # noqa: PLR0913 - each fact of a lease has a name
    connection: Connection,
    name: str,
    *,
    holder: str,
    now: datetime,
    seconds: float,
    seen: SeenLease | None = None,
) -> HeldLease | None:
    """Take the lease when it is free, expired, or still as it was `seen` so many seconds ago; else None."""
    lease = HeldLease(name, uuid4())
    values = {"token": lease.token, "holder": holder, "expires_at": now + timedelta(seconds=seconds)}
    taken = connection.execute(
        update(Lease).where(col(Lease.name) == name, _is_over(now, seconds, seen)).values(values)
    )
    if taken.rowcount:
        return lease
    if connection.execute(select(col(Lease.name)).where(col(Lease.name) == name)).first():
        return None
    try:
        with connection.begin_nested():
            connection.execute(insert(Lease).values(name=name, **values))
    except IntegrityError:
        return None
    return lease


def _is_over(now: datetime, seconds: float, seen: SeenLease | None) -> ColumnElement[bool]:
    has_expired = col(Lease.expires_at) <= now
    if seen is None or time.monotonic() - seen.since < seconds:
        return has_expired
    is_unrenewed = and_(col(Lease.token) == seen.token, col(Lease.expires_at) == seen.expires_at)
    return or_(has_expired, is_unrenewed)


def end_sessions_of_expired(  # noqa: PLR0913 - the same facts as for `acquire`
    connection: Connection,
    name: str,
    *,
    holder: str,
    now: datetime,
    seconds: float,
    seen: SeenLease | None = None,
) -> None:
    """End the database sessions of whoever let this lease expire, so that nothing of theirs is in the way.

    A process that was stopped amid a transaction holds the lease's row, for as long as it is stopped. One
    that only was late finds its connections gone, makes new ones, and that it lost the lease. On SQLite,
    where a stopped writer stops everybody, there is nothing to end.

    Args:
        connection: of whoever is about to take the lease.
        name: the lease.
        holder: us, as `process_name` says it; our own sessions are left alone.
        now: by our clock.
        seconds: how long a lease lasts.
        seen: what `look` said of it.
    """
    if connection.dialect.name != "postgresql":
        return
    connection.execute(
        select(func.pg_terminate_backend(_SESSIONS.c.pid)).where(
            _SESSIONS.c.datname == func.current_database(),
            _SESSIONS.c.usename == func.current_user(),
            _SESSIONS.c.application_name
            == select(col(Lease.holder))
            .where(col(Lease.name) == name, _is_over(now, seconds, seen), col(Lease.holder) != holder)
            .scalar_subquery(),
        )
    )


_SESSIONS = table(
    "pg_stat_activity", column("pid"), column("datname"), column("usename"), column("application_name")
)


def renew(connection: Connection, lease: HeldLease, *, now: datetime, seconds: float) -> None:
    """Hold it longer.

    Raises:
        LeaseLost: it has expired and somebody else took it.
    """
    renewed = connection.execute(
        update(Lease)
        .where(col(Lease.name) == lease.name, col(Lease.token) == lease.token)
        .values(expires_at=now + timedelta(seconds=seconds))
    )
    if not renewed.rowcount:
        raise LeaseLost(lease.name)


def require(connection: Connection, lease: HeldLease) -> None:
    """Make sure, inside a writing transaction, that the lease is still ours.

    The row is share-locked, so that nobody takes the lease over before this transaction ends. An expired
    lease that nobody took is still ours.

    Raises:
        LeaseLost: it is not.
    """
    statement = select(col(Lease.token)).where(col(Lease.name) == lease.name).with_for_update(read=True)
    if connection.execute(statement).scalar() != lease.token:
        raise LeaseLost(lease.name)


def is_held(connection: Connection, lease: HeldLease) -> bool:
    """Whether the lease is ours at this instant; nothing is locked, so that it may be lost at the next."""
    statement = select(col(Lease.token)).where(col(Lease.name) == lease.name)
    return bool(connection.execute(statement).scalar() == lease.token)


def release(connection: Connection, lease: HeldLease) -> None:
    """Give it back at once; no error when it was lost."""
    connection.execute(delete(Lease).where(col(Lease.name) == lease.name, col(Lease.token) == lease.token))
