"""An upgrade of a live PostgreSQL database waits for nobody long, and holds nobody up."""

from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, text

from hpc_portal.app.db import create_engine
from hpc_portal.app.schema import TablesInUse, alembic_config, upgrade
from hpc_portal.app.settings import Settings

BEFORE = "0034"
"""The migration after it adds columns to the table of API tokens, which every request of a script reads."""
READ = text("SELECT count(*) FROM api_token")


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


def revision(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def test_it_gives_up_soon_changes_nothing_and_lets_others_read(postgres_url: str, tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state", database_url=postgres_url)
    command.upgrade(alembic_config(postgres_url), BEFORE)
    engine = create_engine(postgres_url)
    with engine.connect() as reader:
        reader.execute(READ)  # holds its lock until the transaction ends
        with pytest.raises(TablesInUse, match="changed nothing"):
            upgrade(settings, lock_wait=timedelta(milliseconds=100))
        with engine.connect() as another:
            another.execute(text("SET lock_timeout = 1"))
            assert another.execute(READ).scalar_one() == 0
        assert revision(engine) == BEFORE
    upgrade(settings)
    assert revision(engine) != BEFORE
    engine.dispose()
