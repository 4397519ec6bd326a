"""The journal replayed into an empty database gives the same balances, roll-ups and statements."""

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy
from sqlalchemy import Connection, Engine, select, update

from quotas.replay import create_ledger_tables, replay
from quotas.statement import statement
from quotas.tables import LedgerAccount, table_of
from quotas.usage_tables import UsageDay
from schedulers.jobstate import JobState
from tests.integration.quotas.books import END, Books, run
from tests.integration.quotas.steward import Steward

_ACCOUNTS = table_of(LedgerAccount)
_DAYS = table_of(UsageDay)


@pytest.fixture
def empty() -> Iterator[Connection]:
    engine: Engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as conn:
        create_ledger_tables(conn)
        yield conn
    engine.dispose()


@pytest.fixture
def lived(books: Books) -> Books:
    """Books in which everything happened once."""
    steward = Steward(books)
    allocation = books.grant(VND=1000, cpu=900)
    steward.increase(allocation, VND=50)
    part = steward.move(allocation, steward.sibling().project_id, VND=100)
    job = books.hold(cpu=100, units=3).job_id
    books.settle(job, run("a", seconds=60), run("b", seconds=90, state=JobState.NODE_FAIL))
    steward.correct(job, run("a", seconds=70))
    steward.refund(job, 50)
    books.close(job)
    steward.give_back(part)
    steward.expire(END)
    return books


def test_balances_roll_ups_and_statements_follow_from_the_journal(lived: Books, empty: Connection) -> None:
    with lived.engine.begin() as conn:
        done = replay(conn, empty)
        assert done.wrong == []
        assert done.records == 3
        for table in (_ACCOUNTS, _DAYS):
            rows = select(table).order_by(*table.primary_key)
            assert conn.execute(rows).all() == empty.execute(rows).all()
        months = [date(2026, 11, 1), date(2027, 1, 1)]
        for month in months:
            assert statement(conn, month=month, project_id=lived.project_id) == statement(
                empty, month=month, project_id=lived.project_id
            )


def test_a_balance_that_somebody_changed_is_found(lived: Books, empty: Connection) -> None:
    with lived.engine.begin() as conn:
        touched = conn.execute(select(_ACCOUNTS).order_by(_ACCOUNTS.c.id).limit(1)).one()
        conn.execute(
            update(_ACCOUNTS).where(_ACCOUNTS.c.id == touched.id).values(balance=touched.balance + 1)
        )
        (wrong,) = replay(conn, empty).wrong
    assert (wrong.account_id, wrong.cached - wrong.replayed) == (touched.id, 1)
