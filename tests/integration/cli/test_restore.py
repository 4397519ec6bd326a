"""`hpc-portal restore`: into an empty place, with every balance as it was, or refused in words."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from sqlmodel import col

from hpc_portal.app.backup.manifest import NAME
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import create_engine
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.schema import MIGRATIONS, alembic_config, upgrade
from hpc_portal.app.settings import Settings
from quotas.tables import LedgerAccount
from tests.integration.app.test_job_life import spec
from tests.integration.cli.conftest import Ran, run_program
from tests.ports import free_port
from tests.postgres import PostgresServer
from tests.released_schema import RECORD
from tests.small_city import City, build_city

RELEASED: str = json.loads(RECORD.read_text("utf-8"))["revision"]
FIRST = "0032"
"""The schema of the first portal that made backups."""


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


@dataclass(frozen=True)
class Place:
    """Where a portal's database and files are, or are to be."""

    url: str
    folder: Path

    @property
    def attachments(self) -> Path:
        return Settings(state_dir=self.folder, database_url=self.url).effective_attachment_root

    def run(self, *arguments: str) -> Ran:
        """Run `hpc-portal` there."""
        places = {"HPC_PORTAL_STATE_DIR": str(self.folder), "HPC_PORTAL_DATABASE_URL": self.url}
        return run_program("hpc-portal", *arguments, environment=places)

    def balances(self) -> list[tuple[Any, ...]]:
        """Of each account of the ledger, and how many jobs there are."""
        fields = (LedgerAccount.id, LedgerAccount.owner_id, LedgerAccount.kind, LedgerAccount.asset)
        accounts = select(*(col(field) for field in fields), col(LedgerAccount.balance))
        found = self._all(accounts.order_by(col(LedgerAccount.id)))
        return [*found, *self._all(text("SELECT count(*) FROM job"))]

    def revision(self) -> str:
        """Of its schema."""
        [(found,)] = self._all(text("SELECT version_num FROM alembic_version"))
        return str(found)

    def _all(self, statement: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - either kind of statement
        engine = create_engine(self.url)
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(statement)]
        finally:
            engine.dispose()


@pytest.fixture
def here(database_url: str, tmp_path: Path) -> Place:
    return Place(database_url, tmp_path / "here")


@pytest.fixture
def elsewhere(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Empty."""
    with ExitStack() as stack:
        folder = tmp_path / "elsewhere"
        url = f"sqlite:///{folder / 'portal.db'}"
        if not database_url.startswith("sqlite"):
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = stack.enter_context(server.database(None))
        yield Place(url, folder)


def settle(place: Place) -> City:
    """People, prices, budgets and an attachment, on whatever schema is there."""
    city = build_city(place.url, place.folder, clock=SystemClock())
    attachment = place.attachments / "request" / "offer.pdf"
    attachment.parent.mkdir(parents=True)
    attachment.write_bytes(b"%PDF-1.7")
    return city


def leave(city: City) -> None:
    city.services.commits.close()
    city.services.engine.dispose()


def backed_up(place: Place, into: Path) -> str:
    made = place.run("backup", str(into))
    assert made.code == 0, made.stderr
    return made.stdout.replace("\n", "")


def test_a_restored_place_has_every_balance_and_it_says_so(
    here: Place, elsewhere: Place, tmp_path: Path
) -> None:
    upgrade(Settings(state_dir=here.folder, database_url=here.url))
    city = settle(here)
    request = SubmitRequest(project="chips", spec=spec())
    asyncio.run(submit_job(city.services, city.chips.member, request))
    leave(city)
    before = here.balances()
    assert sum(balance for *_, balance in before[:-1] if balance > 0) > 0
    folder = backed_up(here, tmp_path / "backups")

    restored = elsewhere.run("restore", folder)

    assert restored.code == 0, restored.stderr
    assert "every balance as it was" in restored.stderr
    assert elsewhere.balances() == before
    assert (elsewhere.attachments / "request" / "offer.pdf").read_bytes() == b"%PDF-1.7"
    assert elsewhere.run("ledger", "verify").code == 0


def test_a_place_that_is_not_empty_is_refused_and_left_as_it_was(
    here: Place, elsewhere: Place, tmp_path: Path
) -> None:
    upgrade(Settings(state_dir=here.folder, database_url=here.url))
    leave(settle(here))
    before = here.balances()
    folder = backed_up(here, tmp_path / "backups")

    shutil.rmtree(here.attachments)
    refused = here.run("restore", folder)
    assert refused.code == 1
    assert "The database has tables already" in " ".join(refused.stderr.split())
    assert here.balances() == before

    (elsewhere.attachments / "request").mkdir(parents=True)
    refused = elsewhere.run("restore", folder)
    assert refused.code == 1
    assert "attachments" in refused.stderr
    (elsewhere.attachments / "request").rmdir()
    assert elsewhere.run("restore", folder).code == 0, "nothing of the refused one is there"


def test_a_backup_of_the_release_before_is_restored_and_brought_to_this_schema(
    here: Place, elsewhere: Place, tmp_path: Path
) -> None:
    here.folder.mkdir()
    command.upgrade(alembic_config(here.url), RELEASED)
    leave(settle(here))
    before = here.balances()
    folder = backed_up(here, tmp_path / "backups")
    assert here.revision() == RELEASED

    restored = elsewhere.run("restore", folder)

    assert restored.code == 0, restored.stderr
    assert elsewhere.balances() == before
    assert elsewhere.revision() == ScriptDirectory(str(MIGRATIONS)).get_current_head()
    found = {(one["about"], one["level"]) for one in elsewhere.run("doctor", "--json").json}
    assert {("Schema", "well"), ("Ledger", "well"), ("Audit log", "well")} <= found


def test_a_backup_of_the_first_schema_that_had_any_is_restored(
    here: Place, elsewhere: Place, tmp_path: Path
) -> None:
    here.folder.mkdir()
    command.upgrade(alembic_config(here.url), FIRST)
    folder = backed_up(here, tmp_path / "backups")

    restored = elsewhere.run("restore", folder)

    assert restored.code == 0, restored.stderr
    assert elsewhere.revision() == ScriptDirectory(str(MIGRATIONS)).get_current_head()


def test_what_cannot_be_restored_is_refused_in_words(here: Place, elsewhere: Place, tmp_path: Path) -> None:
    upgrade(Settings(state_dir=here.folder, database_url=here.url))
    folder = Path(backed_up(here, tmp_path / "backups"))
    manifest = folder / NAME
    good = manifest.read_text()
    for said, damaged in {
        "newer portal": good.replace(here.revision(), "9999"),
        "not a manifest": "{}",
        "is not the file that was saved": good.replace('"sha256": "', '"sha256": "0'),
    }.items():
        manifest.write_text(damaged)
        refused = elsewhere.run("restore", str(folder))
        assert (refused.code, refused.stdout) == (1, "")
        assert said in " ".join(refused.stderr.split())
    manifest.write_text(good)
    assert elsewhere.run("restore", str(folder)).code == 0


def test_a_database_that_does_not_answer_is_told_in_words(tmp_path: Path, postgres_url: str) -> None:
    here = Place(postgres_url, tmp_path / "here")
    upgrade(Settings(state_dir=here.folder, database_url=here.url))
    folder = backed_up(here, tmp_path / "backups")
    gone = Place(f"postgresql://portal@127.0.0.1:{free_port()}/portal", tmp_path / "gone")
    for words in (("restore", folder), ("backup", str(tmp_path / "backups"))):
        refused = gone.run(*words)
        assert refused.code == 1
        assert "HPC_PORTAL_DATABASE_URL" in refused.stderr
        assert "Traceback" not in refused.stderr
