"""Restore a backup into an empty place, and prove that everything is there again."""

import tarfile
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from hpc_portal.app.audit_log.verify import verify_chain
from hpc_portal.app.backup.dump import load
from hpc_portal.app.backup.errors import NotABackup, NotEmpty, NotTheSame
from hpc_portal.app.backup.make_backup import ATTACHMENTS
from hpc_portal.app.backup.manifest import Books, Manifest, read_books, read_manifest
from hpc_portal.app.db import create_engine
from hpc_portal.app.schema import MIGRATIONS, upgrade
from hpc_portal.app.settings import Settings
from quotas.verify import Discrepancy, verify


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and what the checks of the books say of it."""

    manifest: Manifest
    discrepancies: list[Discrepancy]
    """Of the ledger: as it was saved; empty when all is well."""
    broken_links: int
    """Of the audit log's chain."""


def restore_backup(settings: Settings, folder: Path) -> Restored:
    """Put back database and attachments, compare all sums, then bring the schema to this version.

    Raises:
        NotABackup: a file is missing or another, the portal is older than the backup, or it is of the other
            kind of database; nothing was changed.
        NotEmpty: there is a database, or there are attachments; nothing was changed.
        NotTheSame: what was restored is not what was saved.
        ToolMissing, ToolFailed: pg_restore; nothing was changed.
    """
    manifest = read_manifest(folder)
    url = settings.effective_database_url
    dialect = make_url(url).get_backend_name()
    if dialect != manifest.dialect:
        raise NotABackup(f"The backup is of {manifest.dialect}, HPC_PORTAL_DATABASE_URL names {dialect}.")
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if manifest.books.revision not in known:
        raise NotABackup(f"The backup is of a newer portal ({manifest.version}); install that one first.")
    attachments = settings.effective_attachment_root
    if attachments.is_dir() and any(attachments.iterdir()):
        raise NotEmpty(f"There are attachments in {attachments} already.")
    [database] = [saved.name for saved in manifest.files if saved.name != ATTACHMENTS]
    load(url, folder / database)
    _require_same(url, manifest.books)
    _restore_attachments(folder / ATTACHMENTS, attachments)
    upgrade(settings)
    return Restored(manifest, *_check(url))


def _require_same(url: str, saved: Books) -> None:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            found = read_books(connection)
    finally:
        engine.dispose()
    for field in Books.model_fields:
        was, now = getattr(saved, field), getattr(found, field)
        if was != now:
            raise NotTheSame(f"{field}: {now!r} was restored, {was!r} was saved.")


def _restore_attachments(archive: Path, target: Path) -> None:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tarfile.open(archive) as saved:
        saved.extractall(target, filter="data")


def _check(url: str) -> tuple[list[Discrepancy], int]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return verify(connection), _broken_links(connection)
    finally:
        engine.dispose()


def _broken_links(connection: Connection) -> int:
    return len(verify_chain(connection).broken)
