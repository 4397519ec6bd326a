"""Close a month: its statements are stored word for word, and nothing of it changes any more."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update

from quotas.errors import MonthNotClosable, MonthRefusal
from quotas.periods import ClosedPeriod, first_open_month, month_of, next_month, own_open_months
from quotas.slice_run import city_day, day_begins_at
from quotas.statement import Statement, hash_body, project_statements, write_body
from quotas.tables import Allocation, Project, table_of
from quotas.usage_tables import AccountingBooks, ClosedMonth, ClosedStatement, UsageDay

SETTLES_WITHIN = timedelta(hours=1)
"""After the last midnight of a month, until whatever began in it has been booked."""

_BOOKS, _MONTHS, _STATEMENTS = table_of(AccountingBooks), table_of(ClosedMonth), table_of(ClosedStatement)
_PROJECTS, _ALLOCATIONS, _DAYS = table_of(Project), table_of(Allocation), table_of(UsageDay)


def close_month(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection, *, month: date, actor_id: UUID | None, reason: str, unsettled: int, at: datetime
) -> ClosedPeriod:
    """Store the statements of all projects and open the next month; the caller commits.

    Runs that are recorded later count in the first open month, as late. `unsettled` says how many ended
    runs of the month wait for their settlement: any make a reason necessary.

    Raises:
        MonthNotClosable: it is closed, not over, one before it is open, or something of it is not settled.
        ValueError: `month` is not the first of a month.
    """
    open_from = own_open_months(conn)
    first = first_month(conn)
    after = next_month(month)
    if month.day != 1:
        message = f"a month is given by its first day, not {month}"
        raise ValueError(message)
    if month < open_from:
        raise MonthNotClosable(month, MonthRefusal.CLOSED)
    if first is not None and first < month:
        raise MonthNotClosable(month, MonthRefusal.EARLIER_IS_OPEN, earlier=first)
    if at < day_begins_at(after) + SETTLES_WITHIN:
        raise MonthNotClosable(month, MonthRefusal.NOT_OVER)
    if unsettled and not reason.strip():
        raise MonthNotClosable(month, MonthRefusal.UNSETTLED, unsettled=unsettled)
    owners = {row.id: row.organisation_id for row in conn.execute(select(_PROJECTS))}
    statements = project_statements(conn, month, owners)
    closed = ClosedPeriod(month, at, actor_id, reason.strip(), _chain(conn, statements))
    conn.execute(
        insert(_MONTHS).values(
            month=month, closed_at=at, closed_by=actor_id, reason=closed.reason, sha256=closed.sha256
        )
    )
    _store(conn, statements)
    conn.execute(update(_BOOKS).where(_BOOKS.c.id == 1).values(open_from=after))
    return closed


def broken_statements(conn: Connection) -> list[date]:
    """Closed months whose stored statements are not those that were hashed; the oldest first."""
    wrong = []
    before = ""
    for month in conn.execute(select(_MONTHS).order_by(_MONTHS.c.month)):
        rows = conn.execute(
            select(_STATEMENTS.c.body, _STATEMENTS.c.sha256)
            .where(_STATEMENTS.c.month == month.month)
            .order_by(_STATEMENTS.c.project_id)
        ).all()
        hashes = [hash_body(row.body) for row in rows]
        if hashes != [row.sha256 for row in rows] or _link(before, hashes) != month.sha256:
            wrong.append(month.month)
        before = month.sha256
    return wrong


def first_month(conn: Connection) -> date | None:
    """The first month that is open and of which there is anything; None: nothing ever happened."""
    open_from = first_open_month(conn)
    if open_from > date.min:
        return open_from
    granted = conn.execute(select(func.min(_ALLOCATIONS.c.created_at))).scalar()
    used = conn.execute(select(func.min(_DAYS.c.posted_on))).scalar()
    days = [*([city_day(granted)] if granted else []), *([used] if used else [])]
    return month_of(min(days)) if days else None


def _store(conn: Connection, statements: Sequence[Statement]) -> None:
    bodies = [(of, write_body(of)) for of in statements]
    rows = [
        {
            "month": of.month,
            "project_id": of.project_id,
            "organisation_id": of.organisation_id,
            "body": body,
            "sha256": hash_body(body),
        }
        for of, body in bodies
    ]
    if rows:
        conn.execute(insert(_STATEMENTS), rows)


def _chain(conn: Connection, statements: Sequence[Statement]) -> str:
    before = conn.execute(select(_MONTHS.c.sha256).order_by(_MONTHS.c.month.desc()).limit(1)).scalar()
    return _link(before or "", [hash_body(write_body(of)) for of in statements])


def _link(before: str, hashes: Sequence[str]) -> str:
    return sha256("".join([before, *hashes]).encode()).hexdigest()
