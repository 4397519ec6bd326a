"""Runs migrations on the portal's engine, so that SQLite gets the same settings as in production."""

from datetime import timedelta
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import String
from sqlmodel import AutoString, SQLModel

from hpc_portal.app.db import create_engine, writing
from hpc_portal.app.table_modules import TABLE_MODULES

assert TABLE_MODULES  # noqa: S101 - imported to fill the metadata


def _as_plain_string(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """SQLModel's own string type is written as SQLAlchemy's, so that migrations outlive SQLModel."""
    if kind == "type" and isinstance(item, AutoString) and isinstance(item.impl_instance, String):
        return f"sa.String(length={item.impl_instance.length})"
    return False


def run() -> None:
    """Apply the migrations in one transaction: all of them, or none.

    Whoever reads or writes a table queues behind a migration that waits for its lock, so it may wait only
    for moments; see schema.upgrade.
    """
    engine = create_engine(context.config.attributes["url"])
    try:
        with writing(engine).connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=SQLModel.metadata,
                compare_type=True,
                render_item=_as_plain_string,
            )
            with context.begin_transaction():
                if connection.dialect.name == "postgresql":
                    wait = context.config.attributes["lock_wait"] // timedelta(milliseconds=1)
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait}")
                context.run_migrations()
    finally:
        engine.dispose()


run()
