"""The controller's patience with what surrounds it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, text, update
from sqlmodel import col
from structlog.testing import capture_logs

from hpc_portal.app import cluster_views
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.controller import ControllerParts, run_controller
from hpc_portal.app.settings import Settings
from hpc_portal.app.standbys import count_standing_by
from hpc_portal.app.tables import ClusterView, Lease
from hpc_portal.app.wake import SocketWake
from schedulers.errors import SchedulerBroken
from schedulers.memory import MemoryScheduler
from schedulers.protocol import JobRef, Observation
from tests.small_city import City, build_city


def parts_of(city: City, folder: Path) -> ControllerParts:
    return ControllerParts(
        cluster="memory",
        settings=Settings(state_dir=folder, lease_seconds=0.6),
        engine=city.services.engine,
        clock=SystemClock(),
        wake=SocketWake(folder / "wake.sock"),
        make_scheduler=MemoryScheduler,
    )


@asynccontextmanager
async def controller(city: City, folder: Path) -> AsyncIterator[asyncio.Event]:
    """A running one, and an event that says when it became active."""
    stop, ready = asyncio.Event(), asyncio.Event()
    parts = parts_of(city, folder)
    running = asyncio.create_task(run_controller(parts, stop, on_ready=ready.set))
    try:
        yield ready
        assert not running.done()
    finally:
        stop.set()
        await running


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


def standing_by(city: City) -> int:
    with city.services.engine.connect() as connection:
        return count_standing_by(connection, at=datetime.now(UTC))["controller:memory"]


def expiry(city: City) -> datetime | None:
    with city.services.engine.connect() as connection:
        return connection.execute(select(col(Lease.expires_at))).scalar()


def rename(city: City, name: str, new_name: str) -> None:
    with city.services.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {name} RENAME TO {new_name}"))


def test_a_second_controller_says_that_it_stands_by_until_it_takes_over(tmp_path: Path) -> None:
    city = build_city(f"sqlite:///{tmp_path}/portal.db", tmp_path, clock=SystemClock())

    async def story() -> None:
        async with AsyncExitStack() as second:
            async with controller(city, tmp_path) as ready:
                await asyncio.wait_for(ready.wait(), 60)
                assert standing_by(city) == 0
                took_over = await second.enter_async_context(controller(city, tmp_path))
                await until(lambda: standing_by(city) == 1)
                assert not took_over.is_set()
            await asyncio.wait_for(took_over.wait(), 60)
            assert standing_by(city) == 0

    asyncio.run(story())
    city.services.engine.dispose()


def test_a_database_that_goes_away_for_a_while_ends_no_controller(tmp_path: Path) -> None:
    city = build_city(f"sqlite:///{tmp_path}/portal.db", tmp_path, clock=SystemClock())

    async def story() -> None:
        rename(city, "lease", "lease_out_of_reach")
        async with controller(city, tmp_path) as ready:
            await asyncio.sleep(0.3)
            rename(city, "lease_out_of_reach", "lease")
            await asyncio.wait_for(ready.wait(), 60)
            rename(city, "lease", "lease_out_of_reach")
            await asyncio.sleep(0.5)
            rename(city, "lease_out_of_reach", "lease")
            before = expiry(city)
            await until(lambda: expiry(city) != before)

    asyncio.run(story())
    assert expiry(city) is None
    city.services.commits.close()
    city.services.engine.dispose()


def test_a_view_of_the_cluster_that_cannot_be_read_is_replaced(database_url: str, tmp_path: Path) -> None:
    city = build_city(database_url, tmp_path, clock=SystemClock())
    engine = city.services.engine
    with engine.begin() as connection:
        (snapshot,) = cluster_views.load(connection)
        connection.execute(update(ClusterView).values(snapshot={"written": "by another version"}))
        assert cluster_views.load(connection) == []
        cluster_views.save(connection, snapshot)
        assert cluster_views.load(connection) == [snapshot]
    city.services.commits.close()
    engine.dispose()


class Broken(MemoryScheduler):
    """Finds that it forgot something as soon as it is asked."""

    async def observe(self, jobs: Mapping[UUID, JobRef], *, since: int | None = None) -> Observation:
        message = f"it forgot something of {len(jobs)} jobs since {since}"
        raise SchedulerBroken(message)


def test_a_scheduler_that_forgot_something_is_made_anew(tmp_path: Path) -> None:
    city = build_city(f"sqlite:///{tmp_path}/portal.db", tmp_path, clock=SystemClock())
    schedulers = iter((Broken(), MemoryScheduler()))
    turns: list[str] = []

    async def story() -> None:
        stop = asyncio.Event()
        parts = replace(parts_of(city, tmp_path), make_scheduler=lambda: next(schedulers))
        running = asyncio.create_task(run_controller(parts, stop, on_ready=lambda: turns.append("ready")))
        await until(lambda: len(turns) == 2)
        assert not running.done()
        stop.set()
        await running

    with capture_logs() as logs:
        asyncio.run(story())
    assert [log["problem"] for log in logs if log["event"] == "controller.scheduler_broken"] == [
        "it forgot something of 0 jobs since None"
    ]
    city.services.engine.dispose()
