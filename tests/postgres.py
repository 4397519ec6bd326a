"""A real PostgreSQL for tests: one private server for each test process, reached by a UNIX socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import sqlalchemy

from tests.databases import Tables

_DEBIAN = Path("/usr/lib/postgresql")
_UNPRIVILEGED_USER = "postgres"
_START_SECONDS = 60
_STOP_SECONDS = 30
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "deadlock_timeout": "200ms",
    "autovacuum": "off",
}
_EMPTY: LiteralString = """
DO $$ DECLARE name regclass; BEGIN
    SET LOCAL session_replication_role = replica;  -- neither foreign keys nor append-only triggers
    FOR name IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('DELETE FROM %s', name);
    END LOOP;
    PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence;
END $$
"""
_DEFINITIONS: LiteralString = """
WITH definition (xmin) AS (
    SELECT xmin FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT xmin FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT xmin FROM pg_attrdef
    UNION ALL SELECT xmin FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT xmin FROM pg_index WHERE indexrelid >= 16384
    UNION ALL SELECT xmin FROM pg_trigger
    UNION ALL SELECT xmin FROM pg_proc WHERE oid >= 16384
) SELECT count(*), max(xmin::text::bigint) FROM definition
"""
"""How many rows of the catalogue are somebody's own, and the youngest transaction that wrote one of them."""
_SIZE: LiteralString = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE oid >= 16384"
_WORN_BYTES = 16 * 2**20
"""Deleted rows stay in their files until a vacuum: such a database is thrown away for a new one."""


class PostgresMissing(Exception):
    """The server is not installed. No reason to skip: half of what the portal promises would go untested."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL's server is not installed: apt-get install postgresql, or put initdb on PATH"
        )


class PostgresServer:
    """A running server in a folder of its own. Trusts everybody who can reach its socket."""

    def __init__(self, folder: Path, command: Sequence[str | Path]) -> None:
        self.folder = folder
        self._command = command
        self._process = self._start()
        is_15_or_later = int((folder / "data" / "PG_VERSION").read_text()) >= 15
        # PostgreSQL 15 began to write new databases to the log, which costs five times as much.
        self._copy_files = " STRATEGY file_copy" if is_15_or_later else ""
        self._idle: defaultdict[Tables, list[tuple[str, object]]] = defaultdict(list)
        """Databases without rows that nobody uses: name and definitions."""

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://{_UNPRIVILEGED_USER}@/{database}?host={self.folder}"

    @contextmanager
    def database(self, tables: Tables | None) -> Iterator[str]:
        """URL of a database with these tables and no row, under a name that no database ever had.

        Who is still connected at its end is cut off. It is then emptied for the next test that wants the
        same tables, under another name; but dropped if anybody changed a definition in it.
        """
        if tables is None:
            name = self._create()
            try:
                yield self.url(name)
            finally:
                self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            return
        name, definitions = self._idle[tables].pop() if self._idle[tables] else self._create_with(tables)
        try:
            yield self.url(name)
        finally:
            name = self._cut_off(name)
            if self._is_as_new(name, definitions):
                self._idle[tables].append((name, definitions))
            else:
                self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def wait_until_ready(self) -> None:
        """Until it answers; a server that died or is mute for a minute is an error with its log."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._execute("SELECT 1")
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from error
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it: fast shutdown (SIGINT), else an immediate one (SIGQUIT), else by force."""
        for wish in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self._process.poll() is not None:
                return
            self._process.send_signal(wish)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_STOP_SECONDS)

    def restart(self, wish: signal.Signals) -> None:
        """End it by SIGINT (a fast shutdown) or SIGQUIT (an immediate one, like a crash); start it again."""
        self._process.send_signal(wish)
        self._process.wait(timeout=_STOP_SECONDS)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                self._command,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C in the terminal is for pytest, which then stops us
            )

    def _create(self) -> str:
        name = _new_name()
        self._execute(f"CREATE DATABASE {name}{self._copy_files}")
        return name

    def _create_with(self, tables: Tables) -> tuple[str, object]:
        name = self._create()
        engine = sqlalchemy.create_engine(self.url(name))
        tables.create(engine)
        engine.dispose()
        with self._connect(name) as connection:
            return name, connection.execute(_DEFINITIONS).fetchone()

    def _cut_off(self, name: str) -> str:
        """End every session in it, and give it a name under which nobody finds it again."""
        new_name = _new_name()
        deadline = time.monotonic() + _STOP_SECONDS
        with self._connect() as connection:
            while True:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = %s", [name]
                )
                try:
                    connection.execute(f"ALTER DATABASE {name} RENAME TO {new_name}".encode())
                except psycopg.errors.ObjectInUse:  # somebody came back just now
                    if time.monotonic() > deadline:
                        raise
                else:
                    return new_name

    def _is_as_new(self, name: str, definitions: object) -> bool:
        """Delete all rows; false if it was no use, because more than rows has changed."""
        with self._connect(name) as connection:
            if connection.execute(_DEFINITIONS).fetchone() != definitions:
                return False
            connection.execute(_EMPTY)
            size = connection.execute(_SIZE).fetchone()
            return size is not None and size[0] < _WORN_BYTES

    def _execute(self, statement: str) -> None:
        with self._connect() as connection:
            connection.execute(statement.encode())

    def _connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        where = f"host={self.folder} user={_UNPRIVILEGED_USER} dbname={database} connect_timeout=5"
        return psycopg.connect(where, autocommit=True)


def _new_name() -> str:
    return f"test_{uuid4().hex}"


@contextmanager
def running_server(
    *,
    survives_power_cuts: bool = False,
    prefix: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Iterator[PostgresServer]:
    """A server that is stopped, and whose folder is removed, whatever happens to the tests.

    Tests kill processes, not the machine, so they need no fsync; a benchmark does. The server also ends
    when this process is killed: the kernel interrupts it (PR_SET_PDEATHSIG).

    Args:
        survives_power_cuts: whether what is committed is on the disk.
        prefix: what runs its program, say in another network.
        settings: of the server, instead of ours.
    """
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        _give_to_unprivileged_user(folder)
        subprocess.run(
            [
                *_unprivileged(),
                *(programs / "initdb", "-D", folder / "data", "-U", _UNPRIVILEGED_USER),
                *("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        chosen = _SETTINGS | {"fsync": "on" if survives_power_cuts else "off"} | dict(settings or {})
        command: list[str | Path] = [
            *prefix,
            *_unprivileged("--pdeathsig", "INT"),
            *(programs / "postgres", "-D", folder / "data", "-k", folder),
            *(f"--{name}={value}" for name, value in chosen.items()),
        ]
        server = PostgresServer(folder, command)
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_programs() -> Path:
    """The folder of initdb and postgres: from PATH, else Debian's newest.

    Raises:
        PostgresMissing: neither has them.
    """
    on_path = shutil.which("initdb")
    if on_path and (Path(on_path).resolve().parent / "postgres").exists():
        return Path(on_path).resolve().parent
    versions = [path for path in _DEBIAN.glob("*/bin/postgres") if path.parts[-3].isdecimal()]
    if not versions:
        raise PostgresMissing
    return max(versions, key=lambda path: int(path.parts[-3])).parent


def _unprivileged(*options: str) -> list[str]:
    """A prefix that runs a program as somebody whom PostgreSQL accepts: anybody but root."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(_UNPRIVILEGED_USER)
        options = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *options)
    return ["setpriv", *options, "--"] if options else []


def _give_to_unprivileged_user(folder: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam(_UNPRIVILEGED_USER)
        os.chown(folder, user.pw_uid, user.pw_gid)
