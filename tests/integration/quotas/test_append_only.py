"""The database itself refuses to rewrite the ledger, whoever asks."""

from datetime import date, timedelta

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from quotas.allocation_tables import AllocationEvent
from quotas.append_only import APPEND_ONLY_TABLES, append_only_ddl, drop_append_only_ddl
from quotas.measured_storage import Measured, record_storage
from quotas.storage_tables import StorageSample
from quotas.tables import AccountingRecord, Entry, Transfer, table_of
from quotas.usage_tables import ClosedMonth, ClosedStatement
from tests.integration.quotas.books import END, START, Books, open_engine, run
from tests.integration.quotas.steward import Steward


@pytest.fixture
def settled(books: Books) -> Books:
    """A ledger with at least a row in every append-only table."""
    Steward(books).extend(books.grant(VND=1000), END + timedelta(days=1))
    books.settle(books.hold(cpu=100).job_id, run("a", seconds=60))
    month = date(2026, 10, 1)
    with books.engine.begin() as conn:
        conn.execute(insert(ClosedMonth).values(month=month, closed_at=START, reason="", sha256="0" * 64))
        conn.execute(
            insert(ClosedStatement).values(
                month=month,
                project_id=books.project_id,
                organisation_id=books.project_id,
                body="{}",
                sha256="0" * 64,
            )
        )
        record_storage(conn, books.project_id, Measured(), at=START)
    return books


PROTECTED: dict[type[SQLModel], str] = {
    Transfer: "reason",
    Entry: "amount",
    AccountingRecord: "vnd",
    ClosedMonth: "reason",
    ClosedStatement: "body",
    AllocationEvent: "reason",
    StorageSample: "entries",
}


def test_the_whole_journal_is_protected() -> None:
    assert [table_of(model).name for model in PROTECTED] == list(APPEND_ONLY_TABLES)


@pytest.mark.parametrize(("model", "column"), PROTECTED.items())
def test_no_row_is_changed(settled: Books, model: type[SQLModel], column: str) -> None:
    with (
        settled.unchanged(),
        pytest.raises(IntegrityError, match="is append-only"),
        settled.engine.begin() as conn,
    ):
        conn.execute(update(model).values({column: table_of(model).c[column]}))


@pytest.mark.parametrize("model", PROTECTED)
def test_no_row_is_deleted(settled: Books, model: type[SQLModel]) -> None:
    with (
        settled.unchanged(),
        pytest.raises(IntegrityError, match="is append-only"),
        settled.engine.begin() as conn,
    ):
        conn.execute(delete(model))


def test_no_table_is_truncated(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    with pytest.raises(IntegrityError, match="is append-only"), engine.begin() as conn:
        conn.exec_driver_sql("TRUNCATE transfer, entry, accounting_record CASCADE")
    engine.dispose()


def test_the_triggers_can_be_dropped_and_made_again(settled: Books) -> None:
    dialect = settled.engine.dialect.name
    with settled.engine.begin() as conn:
        for ddl in [*drop_append_only_ddl(dialect), *append_only_ddl(dialect)]:
            conn.exec_driver_sql(ddl)
    with pytest.raises(IntegrityError), settled.engine.begin() as conn:
        conn.exec_driver_sql("DELETE FROM entry")


def test_an_unknown_database_gets_no_triggers() -> None:
    with pytest.raises(ValueError, match="no triggers are written for 'mysql'"):
        append_only_ddl("mysql")
