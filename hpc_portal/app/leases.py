"""Rights that one process holds for a while, kept in the database: the active controller is one.

The token changes with every holder, so a process that slept through the end of its lease finds out at its
next write and changes nothing. Clocks of the hosts must agree to within a fraction of the lease.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, column, delete, func, insert, select, table, update
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


def acquire(
    connection: Connection, name: str, *, holder: str, now: datetime, seconds: float
) -> HeldLease | None:
    """Take the lease when it is free or expired; None when somebody holds it."""
    lease = HeldLease(name, uuid4())
    values = {"token": lease.token, "holder": holder, "expires_at": now + timedelta(seconds=seconds)}
    taken = connection.execute(
        update(Lease).where(col(Lease.name) == name, col(Lease.expires_at) <= now).values(values)
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


def end_sessions_of_expired(connection: Connection, name: str, *, holder: str, now: datetime) -> None:
    """End the database sessions of whoever let this lease expire, so that nothing of theirs is in the way.

    A process that was stopped amid a transaction holds the lease's row, for as long as it is stopped. One
    that only was late finds its connections gone, makes new ones, and that it lost the lease. On SQLite,
    where a stopped writer stops everybody, there is nothing to end.

    Args:
        connection: of whoever is about to take the lease.
        name: the lease.
        holder: us, as `process_name` says it; our own sessions are left alone.
        now: by our clock.
    """
    if connection.dialect.name != "postgresql":
        return
    connection.execute(
        select(func.pg_terminate_backend(_SESSIONS.c.pid)).where(
            _SESSIONS.c.datname == func.current_database(),
            _SESSIONS.c.usename == func.current_user(),
            _SESSIONS.c.application_name
            == select(col(Lease.holder))
            .where(col(Lease.name) == name, col(Lease.expires_at) <= now, col(Lease.holder) != holder)
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
