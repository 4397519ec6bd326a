"""Copies a database by its own means: SQLite's backup interface, PostgreSQL's pg_dump and pg_restore.

A copy and the books beside it are of one instant: SQLite's are read from the copy, PostgreSQL's in the very
snapshot that pg_dump is given (pg_export_snapshot in PostgreSQL's manual, 9.28.5).
"""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

from sqlalchemy import URL, Engine, inspect, make_url, text

from hpc_portal.app.backup.errors import NotEmpty, ToolFailed, ToolMissing
from hpc_portal.app.backup.manifest import Books, read_books
from hpc_portal.app.db import create_engine

SQLITE_FILE = "portal.db"
POSTGRES_FILE = "portal.dump"
_DEBIAN = Path("/usr/lib/postgresql")


def dump(engine: Engine, folder: Path) -> tuple[Path, Books]:
    """Write the whole database into a file of this folder, while others go on writing.

    Raises:
        ToolMissing, ToolFailed: pg_dump.
    """
    if engine.dialect.name == "sqlite":
        return _dump_sqlite(engine, folder / SQLITE_FILE)
    return _dump_postgresql(engine, folder / POSTGRES_FILE)


def _dump_sqlite(engine: Engine, path: Path) -> tuple[Path, Books]:
    with sqlite3.connect(str(engine.url.database)) as source, sqlite3.connect(path) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, without its log
    for connection in (source, target):
        connection.close()
    path.chmod(0o600)
    copy = create_engine(f"sqlite:///{path}")
    try:
        with copy.connect() as reading:
            books = read_books(reading)
    finally:
        copy.dispose()
        for left in (f"{path}-turn", f"{path}-wal", f"{path}-shm"):
            Path(left).unlink(missing_ok=True)
    with sqlite3.connect(path) as last:
        last.execute("PRAGMA journal_mode = DELETE")
    last.close()
    return path, books


def _dump_postgresql(engine: Engine, path: Path) -> tuple[Path, Books]:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("SET idle_in_transaction_session_timeout = 0"))  # as long as pg_dump takes
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        books = read_books(connection)
        options = [f"--snapshot={snapshot}", "--format=custom", "--no-owner", "--no-privileges"]
        _run("pg_dump", engine.url, *options, f"--file={path}")
    path.chmod(0o600)
    return path, books


def load(url: str, path: Path) -> None:
    """Put a copy into a database that has no tables.

    Raises:
        NotEmpty: it has some; nothing was changed.
        ToolMissing, ToolFailed: pg_restore; it works in one transaction, so nothing was changed.
    """
    if is_used(url):
        raise NotEmpty("The database has tables already. A backup is restored into an empty one.")
    target = make_url(url)
    if target.get_backend_name() == "sqlite":
        _load_sqlite(Path(str(target.database)), path)
    else:
        options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
        _run("pg_restore", target, *options, f"--dbname={target.database}", str(path))


def _load_sqlite(target: Path, path: Path) -> None:
    """The file appears whole or not at all."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    arriving = target.with_name(f"{target.name}.arriving")
    shutil.copyfile(path, arriving)
    arriving.chmod(0o600)
    descriptor = os.open(arriving, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    arriving.rename(target)


def is_used(url: str) -> bool:
    """Whether the database has any table."""
    target = make_url(url)
    if target.get_backend_name() == "sqlite" and not Path(str(target.database)).exists():
        return False
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return bool(inspect(connection).get_table_names())
    finally:
        engine.dispose()


def _run(tool: str, url: URL, *options: str) -> None:
    """The password goes through the environment: every user of the machine reads command lines."""
    where = {"PGHOST": url.host or url.query.get("host"), "PGPORT": url.port, "PGUSER": url.username}
    where |= {"PGDATABASE": url.database, "PGPASSWORD": url.password, "PGSSLMODE": url.query.get("sslmode")}
    environment = {**os.environ, **{name: str(value) for name, value in where.items() if value}}
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own program
        [_find(tool), "--no-password", *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolFailed(f"{tool}: {done.stderr.strip()[-2000:]}")


def _find(tool: str) -> str:
    newest_first = sorted(_DEBIAN.glob(f"*/bin/{tool}"), key=lambda path: -float(path.parts[-3]))
    found = next((str(path) for path in newest_first), None) or shutil.which(tool)
    if not found:
        raise ToolMissing(f"{tool} is not installed: apt-get install postgresql-client")
    return found
