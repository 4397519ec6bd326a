"""What a test's database has from the start: no table, or all tables of the portal and no row.

Making sixty tables costs more than most tests do with them. So they are made once in each test process: an
SQLite file is copied, and a PostgreSQL database is emptied and used again (tests/postgres.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, text
from sqlmodel import SQLModel

from hpc_portal.app.db import create_engine, writing
from hpc_portal.app.table_modules import TABLE_MODULES
from quotas.append_only import APPEND_ONLY_TABLES, append_only_ddl
from quotas.freeze_months import freeze_ddl

assert TABLE_MODULES, "imported to fill the metadata"


@dataclass(frozen=True)
class Tables:
    """How a database gets its tables and triggers; `create` writes no row."""

    create: Callable[[Engine], None]


def create_portal_tables(engine: Engine) -> None:
    """Every table of the portal, and the triggers that protect some of them."""
    dialect = engine.dialect.name
    protected = append_only_ddl(
        dialect, (*APPEND_ONLY_TABLES, "audit_record", "request_event", "site_template_version")
    )
    with writing(engine).begin() as connection:
        SQLModel.metadata.create_all(connection)
        for statement in [*protected, *freeze_ddl(dialect)]:
            connection.execute(text(statement))


PORTAL_TABLES = Tables(create_portal_tables)


@cache
def sqlite_file(tables: Tables) -> bytes:
    """An SQLite database with these tables, as its file is."""
    with TemporaryDirectory(prefix="tables-") as folder:
        file = Path(folder) / "tables.db"
        engine = create_engine(f"sqlite:///{file}")
        tables.create(engine)
        engine.dispose()
        return file.read_bytes()
