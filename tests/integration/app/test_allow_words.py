"""A migration that lets a column have more words keeps what protects the table, and refuses other words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import DBAPIError

from hpc_portal.app.db import create_engine, writing
from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import Settings
from quotas.tables import Transfer, TransferKind

AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state", database_url=database_url)


def test_every_kind_of_transfer_is_stored_and_no_other(settings: Settings) -> None:
    upgrade(settings)
    engine = create_engine(settings.effective_database_url)
    try:
        with writing(engine).begin() as connection:
            for kind in TransferKind:
                _insert(connection, kind)
        for refused in (
            "UPDATE transfer SET kind = 'gift' WHERE kind = 'grant'",
            "DELETE FROM transfer",
            (
                "INSERT INTO transfer (kind, idempotency_key, effective_at, booked_at, reason)"
                " SELECT 'gift', 'a gift', effective_at, booked_at, '' FROM transfer WHERE kind = 'grant'"
            ),
        ):
            with pytest.raises(DBAPIError), writing(engine).begin() as connection:
                connection.execute(text(refused))
    finally:
        engine.dispose()


def _insert(connection: Connection, kind: TransferKind) -> None:
    connection.execute(
        insert(Transfer).values(kind=kind, idempotency_key=kind, effective_at=AT, booked_at=AT, reason="")
    )
