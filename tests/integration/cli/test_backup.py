"""`hpc-portal backup` notes what it made, where doctor finds it; a note that fails spoils no backup."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_engine
from hpc_portal.cli.doctor.data import look_at_data
from hpc_portal.cli.doctor.finding import Finding, Level
from tests.integration.cli.conftest import Ran, run_program


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    settings = Settings(state_dir=tmp_path / "state", database_url=database_url)
    upgrade(settings)
    return settings


def back_up(settings: Settings, folder: Path) -> Ran:
    environment = {
        "HPC_PORTAL_STATE_DIR": str(settings.state_dir),
        "HPC_PORTAL_DATABASE_URL": settings.effective_database_url,
    }
    return run_program("hpc-portal", "backup", str(folder), environment=environment)


def finding(settings: Settings) -> Finding:
    engine = build_engine(settings)
    try:
        [found] = [one for one in look_at_data(settings, engine, quick=True) if one.about == "Backup"]
    finally:
        engine.dispose()
    return found


def test_a_backup_is_noted_with_its_folder_and_told_by_the_doctor(settings: Settings, tmp_path: Path) -> None:
    assert finding(settings) == Finding("Backup", Level.WELL, "None was made with hpc-portal backup.")
    made = back_up(settings, tmp_path / "backups")
    assert made.code == 0, made.stderr
    found = finding(settings)
    assert found.level is Level.WELL
    assert made.stdout.strip().replace("\n", "") in found.said
    engine = build_engine(settings)
    with engine.begin() as connection:
        size, took = connection.execute(text("SELECT size_bytes, took_seconds FROM backup_run")).one()
        saved = [path for path in (tmp_path / "backups").glob("*/*") if path.name != "manifest.json"]
        on_disk = sum(path.stat().st_size for path in saved)
        before = datetime.now(UTC) - timedelta(hours=27)
        connection.execute(text("UPDATE backup_run SET ended_at = :before"), {"before": before})
    engine.dispose()
    assert (size, took > 0) == (on_disk, True)
    assert finding(settings).level is Level.DOUBT


def test_a_backup_before_the_upgrade_of_the_schema_is_good_and_says_that_it_is_not_noted(
    settings: Settings, tmp_path: Path
) -> None:
    engine = build_engine(settings)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE backup_run"))
    engine.dispose()
    made = back_up(settings, tmp_path / "backups")
    assert made.code == 0
    assert "could not be noted" in made.stderr
    assert len(list((tmp_path / "backups").glob("*/manifest.json"))) == 1
