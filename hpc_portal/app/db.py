"""Engine and transactions: SQLite for one machine, PostgreSQL for the city, the same code on both."""

import contextlib
import fcntl
import os
import random
import socket
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine, Row, event
from sqlalchemy import create_engine as sqlalchemy_create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import Pool

T = TypeVar("T")

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row whose columns are read by name."""

_ATTEMPTS = 8
_IDLE_TRANSACTION_SECONDS = 10
"""After so long without a statement PostgreSQL ends a transaction; ours wait for nobody in between."""
_LOCK_WAIT_SECONDS = 30
"""After so long a statement waits no longer for somebody else's lock, and its transaction starts anew."""
_CONNECT_SECONDS = 10
_SILENCE_SECONDS = 10
"""After so long without a sign of life a connection is given up: a cable was pulled, or a host is gone."""
_HOST_CHARACTERS = 50
"""PostgreSQL cuts the name of a session after 63."""
_RETRIABLE_SQLSTATES = frozenset({"40001", "40P01", "55P03", "25P03"})
"""serialization_failure, deadlock_detected, lock_not_available and idle_in_transaction_session_timeout:
nothing was committed, and the transaction may run again."""


def create_engine(url: str, *, pool_size: int = 10) -> Engine:
    """An engine for the portal's database.

    Transactions only read unless opened on `writing(engine)`: on SQLite those take the write lock at once
    (BEGIN IMMEDIATE), since upgrading a read transaction fails under concurrency.
    """
    if url.startswith("sqlite"):
        engine = sqlalchemy_create_engine(url, pool_size=pool_size, max_overflow=20)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        if engine.url.database:
            _turns[engine.pool] = _Turn(f"{engine.url.database}-turn")
        return engine
    engine = sqlalchemy_create_engine(
        url,
        pool_size=pool_size,
        max_overflow=20,
        pool_pre_ping=True,
        connect_args=patience(),
    )
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def patience() -> dict[str, int]:
    """Parameters of libpq: how long PostgreSQL may be silent; the kernel alone waits for 15 minutes.

    Two limits of TCP: for what we sent and nobody acknowledged, and for waiting for an answer of a dead host.
    """
    return {
        "connect_timeout": _CONNECT_SECONDS,
        "tcp_user_timeout": _SILENCE_SECONDS * 1000,
        "keepalives_idle": _SILENCE_SECONDS // 2,
        "keepalives_interval": 1,
        "keepalives_count": _SILENCE_SECONDS // 2,
    }


def process_name() -> str:
    """This process among those of all hosts: `host:pid`. Its sessions on PostgreSQL are called so."""
    return f"{socket.gethostname()[:_HOST_CHARACTERS]}:{os.getpid()}"


def writing(engine: Engine) -> Engine:
    """The same engine (and pool) for transactions that write."""
    return engine.execution_options(hpc_writes=True)


def reading(engine: Engine) -> Engine:
    """The same engine (and pool) for whoever only reads.

    PostgreSQL's default level shows each statement what is committed when it begins, in a transaction or
    not; without one, nothing is sent before the first statement and after the last. On SQLite readers have
    transactions: there each sees one instant.
    """
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    return engine


def transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run `work` in one writing transaction and commit it.

    `work` may run several times: the database may ask for a repeat (deadlock, serialisation failure, lock
    time-out). Whatever `work` raises rolls everything back.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with write_turn(engine), writing(engine).begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if attempt == _ATTEMPTS or not is_retriable(error):
                raise
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, not a secret
    raise AssertionError


@contextlib.contextmanager
def write_turn(engine: Engine) -> Iterator[None]:
    """Wait for this machine's turn to write to an SQLite file; nothing to wait for on other databases.

    SQLite itself waits for its write lock by sleeping, up to 100 ms at a time, so that a busy writer starves
    the others. Here threads queue on a lock and processes on a `flock`, and go on the moment it is free.
    Writers that skip this are still correct, only slower.
    """
    turn: _Turn | None = _turns.get(engine.pool)
    if turn is None:
        yield
        return
    with turn.threads:
        fcntl.flock(turn.file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(turn.file, fcntl.LOCK_UN)


class _Turn:
    """One per engine: flock tells processes apart, but not the threads that share a descriptor."""

    def __init__(self, path: str) -> None:
        self.threads = threading.Lock()
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, self.file)


_turns: "weakref.WeakKeyDictionary[Pool, _Turn]" = weakref.WeakKeyDictionary()
"""By pool, which an engine shares with the one that `writing` makes of it."""


def is_retriable(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when run again."""
    if isinstance(error.orig, sqlite3.OperationalError):
        return "locked" in str(error.orig) or "busy" in str(error.orig)
    return getattr(error.orig, "sqlstate", None) in _RETRIABLE_SQLSTATES


def _prepare_postgresql(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DB-API connection
    """A process that stopped amid a transaction must not hold its locks for hours.

    Its other transactions may wait for those locks, get them one after the other and hold them as long; and
    one that stopped between two messages of a pipeline is not idle to PostgreSQL, and is never ended. Whoever
    takes over from it therefore ends its sessions by their name, see `leases.end_sessions_of_expired`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, false)", (process_name(),))
        cursor.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_TRANSACTION_SECONDS * 1000}")
        cursor.execute(f"SET lock_timeout = {_LOCK_WAIT_SECONDS * 1000}")
    connection.commit()


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DB-API connection
    connection.isolation_level = None  # SQLAlchemy's "begin" event below opens transactions
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a hold must survive a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("hpc_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
