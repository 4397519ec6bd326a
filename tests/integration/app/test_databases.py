"""A test finds nothing of the test before it in its database."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, MetaData, create_engine, func, inspect, select, text
from sqlalchemy.exc import OperationalError

from hpc_portal.app.clock import SystemClock
from tests.databases import PORTAL_TABLES, sqlite_file
from tests.postgres import PostgresServer
from tests.small_city import build_city


def oid(connection: Connection) -> int:
    """A PostgreSQL database's own, whatever its name."""
    statement = text("SELECT oid FROM pg_database WHERE datname = current_database()")
    return int(connection.execute(statement).scalar_one())


def rows(connection: Connection) -> dict[str, int]:
    """By table."""
    metadata = MetaData()
    metadata.reflect(connection)
    counts = {
        name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in metadata.tables.items()
    }
    return {name: count for name, count in counts.items() if count}


def last_values(connection: Connection) -> set[int | None]:
    """Of every sequence; None where nobody has counted yet."""
    statement = text("SELECT last_value FROM pg_sequences")
    return set(connection.execute(statement).scalars())


def fill(url: str, folder: Path) -> Engine:
    """A city's rows; its engine keeps its connections."""
    city = build_city(url, folder, clock=SystemClock())
    city.services.commits.close()
    return city.services.engine


def test_a_database_is_used_again_without_rows_sequences_or_guests(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with postgres_server.database(PORTAL_TABLES) as url:
        guest = fill(url, tmp_path)
        with guest.connect() as connection:
            first = oid(connection)
            assert rows(connection)
            assert last_values(connection) != {None}
    with pytest.raises(OperationalError), guest.connect():
        pass
    guest.dispose()
    with postgres_server.database(PORTAL_TABLES) as again:
        engine = create_engine(again)
        with engine.connect() as connection:
            assert (oid(connection), rows(connection), last_values(connection)) == (first, {}, {None})
        engine.dispose()


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER entry_refuses_change ON entry",
        "ALTER TABLE job DISABLE TRIGGER ALL",
        "ALTER TABLE job RENAME TO work",
        "ALTER TABLE job ADD COLUMN colour text",
        "CREATE INDEX more ON job (submitted_at)",
        "CREATE TABLE note (value integer)",
        "ALTER TABLE job ALTER COLUMN name DROP NOT NULL",
    ],
)
def test_a_database_whose_definitions_changed_is_not_used_again(
    postgres_server: PostgresServer, change: str
) -> None:
    with postgres_server.database(PORTAL_TABLES) as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            changed = oid(connection)
            connection.execute(text(change))
        engine.dispose()
    with postgres_server.database(PORTAL_TABLES) as url:
        engine = create_engine(url)
        with engine.connect() as connection:
            assert oid(connection) != changed
        engine.dispose()


def test_an_sqlite_file_is_a_whole_database_without_rows(tmp_path: Path) -> None:
    (tmp_path / "portal.db").write_bytes(sqlite_file(PORTAL_TABLES))
    engine = create_engine(f"sqlite:///{tmp_path}/portal.db")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        assert inspect(connection).has_table("job")
        assert rows(connection) == {}
    engine.dispose()
