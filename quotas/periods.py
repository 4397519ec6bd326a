"""Which months are open: whoever folds use into them shares a lock that whoever closes one takes alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select

from quotas.journal import insert_once
from quotas.tables import table_of
from quotas.usage_tables import AccountingBooks, ClosedMonth

_BOOKS = table_of(AccountingBooks)
_MONTHS = table_of(ClosedMonth)
_ALL_OPEN = date.min
_OPEN_FROM = select(_BOOKS.c.open_from).where(_BOOKS.c.id == 1)
_SHARED = _OPEN_FROM.with_for_update(read=True)
_ALONE = _OPEN_FROM.with_for_update()
_BEGIN = insert_once(_BOOKS)


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """A closed month."""

    month: date
    closed_at: datetime
    closed_by: UUID | None
    reason: str
    """Why it was closed although something of it was not settled; "" when all was."""
    sha256: str
    """Of all its statements, chained to the month before."""


def first_open_month(conn: Connection) -> date:
    """The first month that is open; `date.min` before any was closed."""
    found: date | None = conn.execute(_OPEN_FROM).scalar()
    return found or _ALL_OPEN


def share_open_months(conn: Connection) -> date:
    """The first open month, which nobody closes before this transaction ends."""
    return _lock(conn, alone=False)


def own_open_months(conn: Connection) -> date:
    """The first open month, into which nobody else folds anything before this transaction ends."""
    return _lock(conn, alone=True)


def closed_months(conn: Connection) -> Sequence[ClosedPeriod]:
    """All closed months, the newest first."""
    rows = conn.execute(
        select(
            _MONTHS.c.month,
            _MONTHS.c.closed_at,
            _MONTHS.c.closed_by,
            _MONTHS.c.reason,
            _MONTHS.c.sha256,
        ).order_by(_MONTHS.c.month.desc())
    )
    return [ClosedPeriod(*row) for row in rows]


def month_of(day: date) -> date:
    """The first of its month."""
    return day.replace(day=1)


def next_month(month: date) -> date:
    """The first of the month after."""
    return month_of(month_of(month) + timedelta(days=31))


def _lock(conn: Connection, *, alone: bool) -> date:
    statement = _ALONE if alone else _SHARED
    found: date | None = conn.execute(statement).scalar()
    if found is None:
        conn.execute(_BEGIN[conn.dialect.name], {"id": 1, "open_from": _ALL_OPEN})
        found = conn.execute(statement).scalar_one()
    return found
