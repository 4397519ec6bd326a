"""A backup is made while others write, restored into an empty place, and every balance is as it was."""

import asyncio
import json
import multiprocessing
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hpc_portal.app.backup.errors import NotABackup, NotEmpty
from hpc_portal.app.backup.make_backup import MadeBackup, drop_old, make_backup
from hpc_portal.app.backup.manifest import NAME, read_books
from hpc_portal.app.backup.restore_backup import restore_backup
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import create_engine
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import Job
from tests.integration.app.die_in_drop import die_before_each_step
from tests.integration.app.test_job_life import spec
from tests.postgres import PostgresServer
from tests.small_city import City, build_city

AT = datetime(2026, 11, 26, 18, 30, tzinfo=UTC)


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


@dataclass
class Site:
    """A portal with a job and an attachment, and an empty place for a restore."""

    city: City
    elsewhere: Settings
    backups: Path

    def submit(self) -> None:
        request = SubmitRequest(project="chips", spec=spec())
        asyncio.run(submit_job(self.city.services, self.city.chips.member, request))

    def back_up(self, at: datetime = AT) -> MadeBackup:
        services = self.city.services
        return make_backup(services.settings, services.engine, self.backups, at=at, version="0.1.0")


@pytest.fixture
def site(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    upgrade(Settings(state_dir=tmp_path, database_url=database_url))
    city = build_city(database_url, tmp_path, clock=SystemClock())
    attachment = city.services.settings.effective_attachment_root / "request" / "offer.pdf"
    attachment.parent.mkdir(parents=True)
    attachment.write_bytes(b"%PDF-1.7")
    with ExitStack() as stack:
        if database_url.startswith("sqlite"):
            url = f"sqlite:///{tmp_path / 'new' / 'portal.db'}"
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = stack.enter_context(server.database(None))
        elsewhere = Settings(state_dir=tmp_path / "new", database_url=url)
        yield Site(city, elsewhere, tmp_path / "backups")
        city.services.commits.close()
        city.services.engine.dispose()


def test_a_restored_portal_has_every_row_and_balance_of_the_instant_of_its_backup(site: Site) -> None:
    site.submit()
    made = site.back_up()
    site.submit()  # after it: not in it

    restored = restore_backup(site.elsewhere, made.folder)

    assert restored.discrepancies == []
    assert restored.broken_links == 0
    engine = create_engine(site.elsewhere.effective_database_url)
    with engine.connect() as connection:
        assert read_books(connection) == made.manifest.books
        assert connection.execute(select(func.count()).select_from(Job)).scalar_one() == 1
    engine.dispose()
    attachment = site.elsewhere.effective_attachment_root / "request" / "offer.pdf"
    assert attachment.read_bytes() == b"%PDF-1.7"


def test_a_backup_is_a_private_folder_that_proves_itself(site: Site) -> None:
    site.submit()
    made = site.back_up()

    assert made.folder.name == "hpc-portal-2026-11-26T183000Z"
    assert {path.stat().st_mode & 0o077 for path in (made.folder, *made.folder.iterdir())} <= {0, 0o044}
    assert made.folder.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in site.backups.iterdir()) == [made.folder.name]
    assert made.manifest.books.rows["job"] == 1
    assert made.manifest.books.available["VND"] > 0


def test_nothing_is_restored_over_what_is_there(site: Site) -> None:
    made = site.back_up()
    before = made.manifest.books

    with pytest.raises(NotEmpty):
        restore_backup(site.city.services.settings, made.folder)

    with site.city.services.engine.connect() as connection:
        assert read_books(connection) == before


def test_a_damaged_or_foreign_folder_is_refused_and_nothing_is_made(site: Site) -> None:
    made = site.back_up()
    with pytest.raises(NotABackup, match="no manifest"):
        restore_backup(site.elsewhere, site.backups)
    [database] = [path for path in made.folder.iterdir() if path.suffix in {".db", ".dump"}]
    content = bytearray(database.read_bytes())
    content[len(content) // 2] ^= 1
    database.write_bytes(content)
    with pytest.raises(NotABackup, match="is not the file that was saved"):
        restore_backup(site.elsewhere, made.folder)
    manifest = made.folder / NAME
    named = json.loads(manifest.read_text())
    named["files"][0]["name"] = "../../etc/passwd"
    manifest.write_text(json.dumps(named))
    with pytest.raises(NotABackup):
        restore_backup(site.elsewhere, made.folder)
    assert not site.elsewhere.state_dir.exists()


def test_a_backup_of_a_newer_portal_is_refused(site: Site) -> None:
    made = site.back_up()
    manifest = made.folder / NAME
    manifest.write_text(manifest.read_text().replace(made.manifest.books.revision, "9999_from_the_future"))
    with pytest.raises(NotABackup, match="newer portal"):
        restore_backup(site.elsewhere, made.folder)


def test_what_a_killed_backup_left_is_deleted_by_one_a_day_later_and_nothing_else(site: Site) -> None:
    for name in ("2026-11-24T183000Z.arriving", "2026-11-25T182959Z.arriving", "2026-11-25T183001Z.arriving"):
        (site.backups / f"hpc-portal-{name}").mkdir(parents=True)
        (site.backups / f"hpc-portal-{name}" / "database.dump").write_bytes(b"half")
    ours, elsewhere = site.backups / "2026.arriving", site.backups.with_name("elsewhere")
    ours.mkdir()
    elsewhere.mkdir()
    link = site.backups / "hpc-portal-2026-11-01T183000Z.arriving"
    link.symlink_to(elsewhere)

    made = site.back_up()

    kept = {made.folder.name, "hpc-portal-2026-11-25T183001Z.arriving", ours.name, link.name}
    assert {path.name for path in site.backups.iterdir()} == kept


def test_old_backups_are_dropped_and_nothing_else(site: Site) -> None:
    made = [site.back_up(AT + timedelta(days=day)).folder for day in range(3)]
    (site.backups / "hpc-portal-notes").mkdir()
    killed = made[2].with_name(f"{made[2].name}.arriving")  # whoever made it died before the last rename
    shutil.copytree(made[2], killed)

    assert drop_old(site.backups, keep=2) == made[:1]

    assert {path.name for path in site.backups.iterdir()} == {
        *(path.name for path in made[1:]),
        "hpc-portal-notes",
        killed.name,
    }


def test_who_is_killed_while_deleting_leaves_whole_backups_and_what_the_next_one_deletes(site: Site) -> None:
    newest = site.back_up().folder
    process = multiprocessing.get_context("spawn").Process(
        target=die_before_each_step, args=(site.backups, newest)
    )
    process.start()
    process.join()
    assert process.exitcode == 0
    left = {path for path in site.backups.iterdir() if path != newest}
    assert {path.suffix for path in left} == {".dropping"}

    made = site.back_up(AT + timedelta(days=1))

    assert set(site.backups.iterdir()) == {newest, made.folder}
