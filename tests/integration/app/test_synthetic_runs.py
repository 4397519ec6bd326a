"""The generator of the report benchmarks writes what the real code would: books that add up in every way."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlmodel import col

from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_engine
from quotas.periods import next_month
from quotas.rebuild_usage import compare_day
from quotas.statement import statement
from quotas.tables import AccountingRecord, AccountKind, LedgerAccount, Project, table_of
from quotas.usage_report import Dimension, usage_totals
from quotas.usage_tables import UsageDay
from quotas.verify import verify
from tests.benchmarks.synthetic_runs import DAYS, END_DAY, FIRST_DAY, generate

RUNS = 2000
AFTER = next_month(END_DAY + timedelta(days=31))


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Engine:
    settings = Settings(state_dir=tmp_path / "state", database_url=database_url)
    upgrade(settings)
    engine = build_engine(settings)
    generate(engine, RUNS)
    return engine


def test_synthetic_books_add_up(city: Engine) -> None:
    records = table_of(AccountingRecord)
    with city.connect() as connection:
        assert verify(connection) == []
        count, vnd = connection.execute(select(func.count(), func.sum(records.c.vnd))).one()
        assert count == RUNS
        raw: Counter[object] = Counter()
        for record in connection.execute(select(records.c.user_id, records.c.elapsed_seconds)):
            raw[record.user_id] += record.elapsed_seconds
        for dimension in Dimension:
            whole = usage_totals(connection, by=(dimension,), since=FIRST_DAY, until=AFTER)
            assert (sum(one.usage.runs for one in whole), sum(one.usage.vnd for one in whole)) == (RUNS, vnd)
        by_user = usage_totals(connection, by=(Dimension.USER,), since=FIRST_DAY, until=AFTER)
        assert {one.of[Dimension.USER]: one.usage.elapsed_seconds for one in by_user} == dict(raw)
        dearest = sorted(by_user, key=lambda one: one.usage.vnd, reverse=True)[:7]
        assert {one.of[Dimension.USER] for one in dearest} == {
            one.of[Dimension.USER]
            for one in usage_totals(
                connection, by=(Dimension.USER,), since=FIRST_DAY, until=AFTER, most=len(dearest)
            )
        }
    city.dispose()


def test_any_day_of_synthetic_runs_made_anew_is_the_same(city: Engine) -> None:
    with city.connect() as connection:
        days = (
            connection.execute(select(col(UsageDay.day)).distinct().order_by(col(UsageDay.day)))
            .scalars()
            .all()
        )
        assert len(days) >= DAYS
        for day in days[::40]:
            assert compare_day(connection, day) == []
    city.dispose()


def test_the_last_statement_of_synthetic_runs_closes_at_what_is_there(city: Engine) -> None:
    accounts = table_of(LedgerAccount)
    with city.connect() as connection:
        total = 0
        for organisation in connection.execute(select(col(Project.organisation_id)).distinct()).scalars():
            last = statement(connection, month=next_month(END_DAY), organisation_id=organisation)
            total += sum(line.closing for line in last.lines)
        own = accounts.c.kind.in_([AccountKind.AVAILABLE, AccountKind.HELD])
        assert total == connection.execute(select(func.sum(accounts.c.balance)).where(own)).scalar_one()
    city.dispose()
