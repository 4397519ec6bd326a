"""The right to be the active controller, on both databases."""

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from hpc_portal.app import db, leases
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact, writing
from tests.portal_processes import wait_until
from tests.small_city import build_city

NOW = datetime(2026, 11, 26, tzinfo=UTC)
LATER = NOW + timedelta(seconds=60)


def test_a_lease_has_one_holder_and_goes_over_when_it_has_expired(database_url: str, tmp_path: Path) -> None:
    engine = build_city(database_url, tmp_path, clock=SystemClock()).services.engine
    first = transact(engine, lambda c: leases.acquire(c, "one", holder="a", now=NOW, seconds=15))
    assert first
    assert transact(engine, lambda c: leases.acquire(c, "one", holder="b", now=NOW, seconds=15)) is None
    second = transact(engine, lambda c: leases.acquire(c, "one", holder="b", now=LATER, seconds=15))
    assert second
    with engine.connect() as connection:
        assert [leases.is_held(connection, lease) for lease in (first, second)] == [False, True]
    with pytest.raises(leases.LeaseLost):
        transact(engine, lambda c: leases.renew(c, first, now=LATER, seconds=15))
    engine.dispose()


def test_a_lease_of_a_clock_that_is_ahead_ends_once_nobody_renews_it(
    database_url: str, tmp_path: Path
) -> None:
    engine = build_city(database_url, tmp_path, clock=SystemClock()).services.engine
    ahead = NOW + timedelta(hours=1)
    first = transact(engine, lambda c: leases.acquire(c, "one", holder="a", now=ahead, seconds=15))
    assert first

    def try_it(seen: leases.SeenLease | None) -> leases.HeldLease | None:
        return transact(
            engine, lambda c: leases.acquire(c, "one", holder="b", now=NOW, seconds=15, seen=seen)
        )

    def look(before: leases.SeenLease | None) -> leases.SeenLease:
        seen = transact(engine, lambda c: leases.look(c, "one", before))
        assert seen
        return seen

    seen = look(None)
    assert try_it(seen) is None
    long_seen = replace(seen, since=seen.since - 15)
    transact(engine, lambda c: leases.renew(c, first, now=ahead + timedelta(seconds=5), seconds=15))
    assert try_it(long_seen) is None
    renewed = look(long_seen)
    assert renewed.since >= seen.since
    assert look(renewed) is renewed
    assert try_it(replace(renewed, since=renewed.since - 15))
    with pytest.raises(leases.LeaseLost):
        transact(engine, lambda c: leases.renew(c, first, now=ahead, seconds=15))
    engine.dispose()


def test_a_controller_that_stopped_amid_a_transaction_does_not_keep_the_lease_for_ever(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_IDLE_TRANSACTION_SECONDS", 1)
    engine = build_city(postgres_url, tmp_path, clock=SystemClock()).services.engine
    first = transact(engine, lambda c: leases.acquire(c, "one", holder="a", now=NOW, seconds=15))
    assert first
    stopped = writing(engine).connect()
    leases.require(stopped, first)
    assert transact(engine, lambda c: leases.acquire(c, "one", holder="b", now=LATER, seconds=15))
    stopped.invalidate()
    stopped.close()
    engine.dispose()


def test_whoever_takes_over_ends_the_sessions_that_the_one_before_left_open(
    postgres_url: str, tmp_path: Path
) -> None:
    """To PostgreSQL who stopped within a pipeline is busy, as this session is, and is never timed out."""
    engine = build_city(postgres_url, tmp_path, clock=SystemClock()).services.engine
    gone, ours = "elsewhere:1", db.process_name()
    first = transact(engine, lambda c: leases.acquire(c, "one", holder=gone, now=NOW, seconds=15))
    assert first
    stopped = writing(engine).connect()
    stopped.execute(text("SELECT set_config('application_name', :name, false)"), {"name": gone})
    leases.require(stopped, first)
    busy = threading.Thread(target=lambda: _sleep_until_ended(stopped))
    busy.start()

    def take_over(connection: Connection, now: datetime) -> leases.HeldLease | None:
        leases.end_sessions_of_expired(connection, "one", holder=ours, now=now, seconds=15)
        return leases.acquire(connection, "one", holder=ours, now=now, seconds=15)

    assert transact(engine, lambda c: take_over(c, NOW)) is None
    assert busy.is_alive()
    assert transact(engine, lambda c: take_over(c, LATER))
    busy.join(30)
    assert not busy.is_alive()
    assert transact(engine, lambda c: take_over(c, LATER + timedelta(seconds=60)))
    stopped.invalidate()
    stopped.close()
    engine.dispose()


def _sleep_until_ended(connection: Connection) -> None:
    with suppress(OperationalError):
        connection.execute(text("SELECT pg_sleep(600)"))


def test_a_transaction_that_was_idle_for_too_long_runs_again(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_IDLE_TRANSACTION_SECONDS", 1)
    engine = build_city(postgres_url, tmp_path, clock=SystemClock()).services.engine
    tries: list[int] = []

    def work(connection: Connection) -> int:
        process_id = int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        tries.append(process_id)
        if len(tries) == 1:
            wait_until(lambda: not _is_connected(engine, process_id), what="PostgreSQL to end it")
        return int(connection.execute(text("SELECT 7")).scalar_one())

    assert transact(engine, work) == 7
    assert len(tries) == 2
    engine.dispose()


def _is_connected(engine: Engine, process_id: int) -> bool:
    with engine.connect() as connection:
        found = text("SELECT 1 FROM pg_stat_activity WHERE pid = :pid")
        return connection.execute(found, {"pid": process_id}).scalar() is not None
