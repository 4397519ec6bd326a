"""The nightly check of the books: a step of every controller, made by one of them, once a day."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random, SystemRandom
from typing import Any

import structlog
from sqlalchemy import Connection, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app.accounting.check_apart import check_apart
from hpc_portal.app.accounting.check_books import BooksChecked, days_to_audit, keep_findings
from hpc_portal.app.accounting.suspense import keep_suspense
from hpc_portal.app.accounting.tables import AccountingCheck
from hpc_portal.app.jobs.context import ControllerContext
from quotas.slice_run import city_day
from quotas.tables import table_of

log = structlog.get_logger()

CHECK_SECONDS = 600.0
"""Between two looks whether a check is due."""
BOOKS = "books"
_ROWS = table_of(AccountingCheck)
_INSERT = {
    "postgresql": postgresql.insert(_ROWS).on_conflict_do_nothing().returning(_ROWS.c.name),
    "sqlite": sqlite.insert(_ROWS).on_conflict_do_nothing().returning(_ROWS.c.name),
}


@dataclass(slots=True)
class CheckBooksStep:
    """The ledger, closed months and some days of the roll-ups, once a day; what is in suspense, each time."""

    context: ControllerContext
    stop: asyncio.Event
    """When it is set, a check under way is given up."""
    lot: Random = field(default_factory=SystemRandom)

    async def __call__(self) -> bool:
        """Check if nobody did today; False: no more to do at once.

        Raises:
            LeaseLost: another controller is active; nothing was written.
        """
        context, now = self.context, self.context.clock.now()
        cluster = context.scheduler.name
        await context.write(lambda connection: keep_suspense(connection, cluster, at=now))
        days = await context.read(lambda connection: days_to_audit(connection, now=now, lot=self.lot))
        if not days or not await context.write(
            lambda connection: begin_check(connection, BOOKS, city_day(now))
        ):
            return False
        checked = await check_apart(context.engine, days, self.stop)
        if checked is None:
            await context.write(lambda connection: _give_back(connection, BOOKS, city_day(now)))
            return False
        news = await context.write(lambda connection: note_books(connection, checked, at=now))
        log.info("books.checked", days=[str(day) for day in days], found=len(checked.findings), news=news)
        return False


def note_books(connection: Connection, checked: BooksChecked, *, at: datetime) -> int:
    """Keep what was found, and that it was looked for; how many findings are news."""
    news = keep_findings(connection, checked, at=at)
    facts = {"days": [str(day) for day in checked.days], "found": len(checked.findings)}
    finish_check(connection, BOOKS, facts, at=at)
    return news


def begin_check(connection: Connection, name: str, today: date) -> bool:
    """Whether the caller makes today's check: true for one of all who ask."""
    row = {"name": name, "begun_on": today, "facts": {}}
    if connection.execute(_INSERT[connection.dialect.name], row).first():
        return True
    taken = connection.execute(
        update(AccountingCheck)
        .where(col(AccountingCheck.name) == name, col(AccountingCheck.begun_on) < today)
        .values(begun_on=today)
    )
    return taken.rowcount == 1


def _give_back(connection: Connection, name: str, today: date) -> None:
    """Today's check was begun and not made: somebody else may."""
    connection.execute(
        update(AccountingCheck)
        .where(col(AccountingCheck.name) == name, col(AccountingCheck.begun_on) == today)
        .values(begun_on=today - timedelta(days=1))
    )


def finish_check(connection: Connection, name: str, facts: Mapping[str, Any], *, at: datetime) -> None:
    """Note that a check was made, and what it found; also of one that nobody began, made by hand."""
    today = city_day(at)
    row = {"name": name, "begun_on": today, "facts": {}}
    connection.execute(_INSERT[connection.dialect.name], row)
    connection.execute(
        update(AccountingCheck)
        .where(
            col(AccountingCheck.name) == name,
            or_(col(AccountingCheck.checked_at).is_(None), col(AccountingCheck.checked_at) <= at),
        )
        .values(checked_at=at, facts=dict(facts))
    )
