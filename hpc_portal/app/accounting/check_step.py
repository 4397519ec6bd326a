"""The nightly check of the books: a step of every controller, made by one of them, once a day."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from multiprocessing import get_context
from random import Random, SystemRandom
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app.accounting.check_books import BooksChecked, check_books, days_to_audit, keep_findings
from hpc_portal.app.accounting.suspense import keep_suspense
from hpc_portal.app.accounting.tables import AccountingCheck
from hpc_portal.app.db import create_engine
from hpc_portal.app.jobs.context import ControllerContext
from quotas.slice_run import city_day
from quotas.tables import table_of

log = structlog.get_logger()

CHECK_SECONDS = 600.0
"""Between two looks whether a check is due."""
BOOKS = "books"
_NICENESS = 10
_ROWS = table_of(AccountingCheck)
_INSERT = {
    "postgresql": postgresql.insert(_ROWS).on_conflict_do_nothing().returning(_ROWS.c.name),
    "sqlite": sqlite.insert(_ROWS).on_conflict_do_nothing().returning(_ROWS.c.name),
}


@dataclass(slots=True)
class CheckBooksStep:
    """The ledger, closed months and some days of the roll-ups, once a day; what is in suspense, each time."""

    context: ControllerContext
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
        checked = await _check_apart(context.engine, days)
        news = await context.write(lambda connection: note_books(connection, checked, at=now))
        log.info("books.checked", days=[str(day) for day in days], found=len(checked.findings), news=news)
        return False


async def _check_apart(engine: Engine, days: Sequence[date]) -> BooksChecked:
    """In a process of its own: to read every entry takes minutes of CPU, which the other loops need."""
    url = engine.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return await asyncio.get_running_loop().run_in_executor(alone, _check, url, days)


def _check(url: str, days: Sequence[date]) -> BooksChecked:
    os.nice(_NICENESS)
    engine = create_engine(url)
    try:
        return check_books(engine, days=days)
    finally:
        engine.dispose()


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
