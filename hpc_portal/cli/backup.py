"""`hpc-portal backup` and `restore`: the database and attachments, and the proof that all is there again."""

import contextlib
import importlib.metadata
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hpc_portal.app.backup.errors import BackupFailed
from hpc_portal.app.backup.last import record_backup
from hpc_portal.app.backup.make_backup import MadeBackup, drop_old, make_backup
from hpc_portal.app.backup.restore_backup import restore_backup
from hpc_portal.app.wiring import build_engine
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.errors import CliError
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.log import configure_log
from hpc_portal.cli.render import err, out


def backup(
    into: Annotated[Path, typer.Argument(help="Folder in which each backup gets a folder of its own.")],
    *,
    keep: Annotated[int, typer.Option(min=0, help="Delete older ones beyond so many; 0: none.")] = 0,
) -> None:
    """Save the database and the attachments, while the portal runs.

    Workspaces are the file system's to save.
    """
    configure_log()
    settings = load_settings()
    engine = build_engine(settings)
    began = time.monotonic()
    try:
        with _failures():
            made = make_backup(
                settings,
                engine,
                into,
                at=datetime.now(UTC),
                version=importlib.metadata.version("hpc-portal"),
            )
        _record(engine, made, took_seconds=time.monotonic() - began)
    finally:
        engine.dispose()
    out.print(str(made.folder))
    for asset, amount in made.manifest.books.available.items():
        err.print(f"  {asset}: {amount}")
    if keep:
        with _failures():
            dropped = drop_old(into, keep=keep)
        for path in dropped:
            err.print(_("Deleted {path}", path=path))


def _record(engine: Engine, made: MadeBackup, *, took_seconds: float) -> None:
    """A good backup stays one where it cannot be written down, as before an upgrade of the schema."""
    try:
        record_backup(engine, made, ended_at=datetime.now(UTC), took_seconds=took_seconds)
    except SQLAlchemyError as problem:
        said = problem.orig if isinstance(problem, DBAPIError) else problem
        err.print(_("The backup is good, but could not be noted in the database: {problem}", problem=said))


def restore(
    folder: Annotated[Path, typer.Argument(help="One backup: the folder with manifest.json.")],
) -> None:
    """Put a backup into an empty database and an empty folder of attachments, and compare every balance."""
    configure_log()
    with _failures():
        restored = restore_backup(load_settings(), folder)
    books = restored.manifest.books
    err.print(
        _(
            "Restored what was saved at {at}: {rows} rows, every balance as it was.",
            at=restored.manifest.at.isoformat(),
            rows=sum(books.rows.values()),
        )
    )
    if restored.discrepancies or restored.broken_links:
        raise CliError(
            _(
                "The books did not add up when they were saved: ledger {ledger}, audit log {links}.",
                ledger=len(restored.discrepancies),
                links=restored.broken_links,
            )
        )


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except BackupFailed as problem:
        raise CliError(str(problem)) from problem
    except SQLAlchemyError as problem:
        said = problem.orig if isinstance(problem, DBAPIError) else problem
        raise CliError(
            _("The database that HPC_PORTAL_DATABASE_URL names cannot be used: {problem}", problem=said)
        ) from problem
    except OSError as problem:
        raise CliError(
            _("{path} cannot be used: {problem}", path=problem.filename, problem=problem.strerror)
        ) from problem
