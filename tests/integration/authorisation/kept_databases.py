"""A database as it was at some moment, and back to it: on SQLite and on PostgreSQL."""

import sqlite3
from typing import Protocol

import psycopg
from sqlalchemy import Engine


class KeptDatabase(Protocol):
    """What was kept of a database."""

    counts_vain_writes: bool
    """Whether `is_changed` says so also after a write that was rolled back, or a lock."""

    def keep(self) -> None:
        """Let `bring_back` lead to now."""

    def is_changed(self) -> bool:
        """Whether anybody has written since it was kept or brought back."""

    def bring_back(self) -> None:
        """Undo all that was written."""

    def close(self) -> None:
        """Let go of it."""


class KeptSqlite:
    """A copy in memory."""

    counts_vain_writes = False

    def __init__(self, engine: Engine) -> None:
        database = engine.url.database
        assert database
        self._watch = sqlite3.connect(database)
        self._watch.execute("PRAGMA synchronous = OFF")
        self._kept = sqlite3.connect(":memory:")
        self._version = 0

    def keep(self) -> None:
        self._watch.backup(self._kept)
        self._version = self._data_version()

    def is_changed(self) -> bool:
        return self._data_version() != self._version

    def bring_back(self) -> None:
        self._kept.backup(self._watch)
        self._version = self._data_version()

    def close(self) -> None:
        self._watch.close()
        self._kept.close()

    def _data_version(self) -> int:
        """Another one when another connection has committed."""
        found: int = self._watch.execute("PRAGMA data_version").fetchone()[0]
        return found


class KeptPostgres:
    """Another database, of which this one is made anew."""

    counts_vain_writes = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._name = str(engine.url.database)
        self._kept = f"{self._name}_kept"
        url = engine.url.set(drivername="postgresql", database="postgres")
        self._server = psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)
        self._next_transaction = 0

    def keep(self) -> None:
        self._copy(self._name, self._kept)
        self._next_transaction = self._transaction()

    def is_changed(self) -> bool:
        return self._transaction() != self._next_transaction

    def bring_back(self) -> None:
        self._copy(self._kept, self._name)
        self._next_transaction = self._transaction()

    def close(self) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {self._kept} WITH (FORCE)")
        self._server.close()

    def _copy(self, source: str, target: str) -> None:
        self._engine.dispose()
        self._execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        self._execute(f"CREATE DATABASE {target} TEMPLATE {source} STRATEGY file_copy")

    def _transaction(self) -> int:
        """The number that the next transaction gets that writes something."""
        row = self._server.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
        assert row
        return int(row[0])

    def _execute(self, statement: str) -> None:
        self._server.execute(statement.encode())


def kept(engine: Engine) -> KeptDatabase:
    """Whichever kind of database it is."""
    return KeptPostgres(engine) if engine.dialect.name == "postgresql" else KeptSqlite(engine)
