"""Runs migrations on the portal's engine, so that SQLite gets the same settings as in production."""

from alembic import context
from sqlmodel import SQLModel

import hpc_portal.app.tables
import quotas.tables  # noqa: F401 - fills the metadata
from hpc_portal.app.db import create_engine, writing

assert hpc_portal.app.tables  # noqa: S101 - imported to fill the metadata


def run() -> None:
    """Apply the migrations in one transaction."""
    engine = context.config.attributes.get("engine") or create_engine(context.config.attributes["url"])
    with writing(engine).connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=SQLModel.metadata,
            render_as_batch=False,
            compare_type=True,
            transaction_per_migration=False,
        )
        with context.begin_transaction():
            context.run_migrations()
    if "engine" not in context.config.attributes:
        engine.dispose()


run()
