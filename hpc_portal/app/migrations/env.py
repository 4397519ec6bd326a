"""Runs migrations on the portal's engine, so that SQLite gets the same settings as in production."""

from alembic import context
from sqlmodel import SQLModel

import hpc_portal.app.tables
import quotas.tables  # noqa: F401 - fills the metadata
from hpc_portal.app.db import create_engine, writing

assert hpc_portal.app.tables  # noqa: S101 - imported to fill the metadata


def run() -> None:
    """Apply the migrations in one transaction."""
    engine = create_engine(context.config.attributes["url"])
    try:
        with writing(engine).connect() as connection:
            context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_type=True)
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()


run()
