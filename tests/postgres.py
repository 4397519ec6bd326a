"""A real PostgreSQL for tests: one private server for each test process, reached by a UNIX socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg

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


class PostgresMissing(Exception):
    """The server is not installed. No reason to skip: half of what the portal promises would go untested."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL's server is not installed: apt-get install postgresql, or put initdb on PATH"
        )


class PostgresServer:
    """A running server in a folder of its own. Trusts everybody who can reach its socket."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self._process = process
        is_15_or_later = int((folder / "data" / "PG_VERSION").read_text()) >= 15
        # PostgreSQL 15 began to write new databases to the log, which costs five times as much.
        self._copy_files = " STRATEGY file_copy" if is_15_or_later else ""

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://{_UNPRIVILEGED_USER}@/{database}?host={self.folder}"

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """URL of an empty database that is dropped at the end, whoever is still connected."""
        name = f"test_{uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}{self._copy_files}")
        try:
            yield self.url(name)
        finally:
            self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

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

    def _execute(self, statement: str) -> None:
        where = f"host={self.folder} user={_UNPRIVILEGED_USER} dbname=postgres connect_timeout=5"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running_server(*, survives_power_cuts: bool = False) -> Iterator[PostgresServer]:
    """A server that is stopped, and whose folder is removed, whatever happens to the tests.

    Tests kill processes, not the machine, so they need no fsync; a benchmark does. The server also ends
    when this process is killed: the kernel interrupts it (PR_SET_PDEATHSIG).
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
        with (folder / "log").open("wb") as log:
            fsync = "on" if survives_power_cuts else "off"
            settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "fsync": fsync}.items()]
            process = subprocess.Popen(
                [
                    *_unprivileged("--pdeathsig", "INT"),
                    *(programs / "postgres", "-D", folder / "data", "-k", folder),
                    *settings,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,  # Ctrl-C in the terminal is for pytest, which then stops us
            )
        server = PostgresServer(folder, process)
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
