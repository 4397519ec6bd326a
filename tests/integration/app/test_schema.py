"""Migrations build exactly the tables that the code describes, and take them away again."""

from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from hpc_portal.app.db import create_engine
from hpc_portal.app.schema import alembic_config, upgrade
from hpc_portal.app.settings import Settings


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state", database_url=database_url)


def test_the_migrations_leave_no_drift(settings: Settings) -> None:
    upgrade(settings)
    command.check(alembic_config(settings.effective_database_url))


def test_upgrading_twice_changes_nothing(settings: Settings) -> None:
    upgrade(settings)
    upgrade(settings)


def test_a_downgrade_leaves_nothing_behind(settings: Settings) -> None:
    upgrade(settings)
    command.downgrade(alembic_config(settings.effective_database_url), "base")
    engine = create_engine(settings.effective_database_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(alembic_config("sqlite://")).get_heads()) == 1


def test_the_sqlite_file_is_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    upgrade(settings)
    assert (tmp_path / "state" / "portal.db").stat().st_mode & 0o777 == 0o600
