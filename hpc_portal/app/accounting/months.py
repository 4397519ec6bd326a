"""The months of the books: which are closed, and closing the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, func, select
from sqlmodel import Session, col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import JobTask, User
from quotas.close_month import close_month, first_month
from quotas.periods import ClosedPeriod, closed_months, next_month
from quotas.slice_run import city_day, day_begins_at

LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class ListedMonth:
    """A month that is closed, or could be."""

    month: date
    """Its first day."""
    is_closed: bool
    is_next: bool
    """The one to be closed next."""
    is_over: bool
    closed_at: datetime | None
    closed_by: str | None
    """A username; None for the operator, and of an open month."""
    reason: str
    """Why it was closed although something of it was not settled."""
    sha256: str | None
    unsettled: int
    """Of the next one: how many ended runs of it or earlier are not settled."""


def list_months(session: Session, actor: Actor, *, now: datetime) -> list[ListedMonth]:
    """All months of which there is anything, the newest first.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    connection = session.connection()
    closed = closed_months(connection)
    names = _usernames(connection, closed)
    months = [_closed(period, names.get(period.closed_by)) for period in closed]
    first = first_month(connection)
    month, today = first, city_day(now)
    while month is not None and month <= today:
        is_next = month == first
        months.insert(0, _open(connection, month, is_next=is_next, now=now))
        month = next_month(month)
    return months


def close_next_month(services: Services, actor: Actor, *, month: date, reason: str = "") -> ClosedPeriod:
    """Close a month for good: its statements are stored, later facts of it go to the next one.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry: that is no first of a month, or the reason is too long.
        MonthNotClosable: it is closed, not over, one before it is open, or something of it is not settled
            and no reason is given.
    """
    permissions.require(actor, Action.CLOSE_MONTHS)
    require(
        [
            None if month.day == 1 else Problem("month", "Give the first day of a month."),
            None
            if len(reason) <= LONGEST_REASON
            else Problem("reason", "Use at most %(most)s characters.", {"most": LONGEST_REASON}),
        ]
    )
    now = services.clock.now()

    def close(connection: Connection) -> ClosedPeriod:
        unsettled = count_unsettled(connection, month)
        closed = close_month(
            connection, month=month, actor_id=actor.user_id, reason=reason, unsettled=unsettled, at=now
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="month.closed",
            subject=f"{month:%Y-%m}",
            reason=closed.reason,
            unsettled=unsettled,
            sha256=closed.sha256,
        )
        return closed

    return transact(services.engine, close)


def count_unsettled(connection: Connection, month: date) -> int:
    """Ended runs that touch the month or earlier ones, and wait for their settlement."""
    return connection.execute(
        select(func.count())
        .select_from(JobTask)
        .where(
            col(JobTask.ended_at).is_not(None),
            col(JobTask.settled_at).is_(None),
            func.coalesce(col(JobTask.started_at), col(JobTask.ended_at)) < day_begins_at(next_month(month)),
        )
    ).scalar_one()


def _closed(period: ClosedPeriod, username: str | None) -> ListedMonth:
    return ListedMonth(
        month=period.month,
        is_closed=True,
        is_next=False,
        is_over=True,
        closed_at=period.closed_at,
        closed_by=username,
        reason=period.reason,
        sha256=period.sha256,
        unsettled=0,
    )


def _open(connection: Connection, month: date, *, is_next: bool, now: datetime) -> ListedMonth:
    return ListedMonth(
        month=month,
        is_closed=False,
        is_next=is_next,
        is_over=now >= day_begins_at(next_month(month)),
        closed_at=None,
        closed_by=None,
        reason="",
        sha256=None,
        unsettled=count_unsettled(connection, month) if is_next else 0,
    )


def _usernames(connection: Connection, closed: Sequence[ClosedPeriod]) -> dict[UUID | None, str]:
    ids = {period.closed_by for period in closed if period.closed_by}
    rows = connection.execute(select(col(User.id), col(User.username)).where(col(User.id).in_(ids)))
    return {row.id: row.username for row in rows}
