"""Migrations build exactly the tables that the code describes, and take them away again."""

from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, update
from sqlmodel import col

from hpc_portal.app.db import create_engine, writing
from hpc_portal.app.ids import new_id
from hpc_portal.app.schema import alembic_config, upgrade
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import ClusterAccount, User
from tests.small_city import GRANTED_AT


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


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


def test_an_upgrade_says_who_shares_a_uid_instead_of_choosing(settings: Settings) -> None:
    config = alembic_config(settings.effective_database_url)
    (settings.state_dir).mkdir(exist_ok=True)
    command.upgrade(config, "0005")
    engine = create_engine(settings.effective_database_url)
    with writing(engine).begin() as connection:
        for number, name in enumerate(("lan", "minh")):
            user_id = new_id()
            connection.execute(insert(User).values(**_person(user_id, name, number)))
            account = {"cluster": "slurm", "user_id": user_id, "cluster_user": name, "uid": 5001}
            connection.execute(insert(ClusterAccount).values(**account, created_at=GRANTED_AT))
    with pytest.raises(RuntimeError, match="5001 on slurm"):
        command.upgrade(config, "head")
    with writing(engine).begin() as connection:
        connection.execute(
            update(ClusterAccount).where(col(ClusterAccount.cluster_user) == "minh").values(uid=5002)
        )
    engine.dispose()
    command.upgrade(config, "head")


def _person(user_id: UUID, name: str, number: int) -> dict[str, object]:
    return {
        "id": user_id,
        "username": name,
        "display_name": name,
        "email": "",
        "password_hash": "",
        "cluster_user": name,
        "cluster_number": number,
        "locale": "en",
        "theme": "auto",
        "is_active": True,
        "created_at": GRANTED_AT,
    }


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(alembic_config("sqlite://")).get_heads()) == 1


def test_the_sqlite_file_is_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    upgrade(settings)
    assert (tmp_path / "state" / "portal.db").stat().st_mode & 0o777 == 0o600
