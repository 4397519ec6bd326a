"""Rights that one process holds for a while, kept in the database: the active controller is one.

The token changes with every holder, so a process that slept through the end of its lease finds out at its
next write and changes nothing. Clocks of the hosts must agree to within a fraction of the lease.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, delete, insert, select, update
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
