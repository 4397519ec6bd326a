"""The one reader of job events: everything, once, in order, whatever writers and slow readers do."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, insert

from hpc_portal.app import events
from hpc_portal.app.db import transact
from hpc_portal.app.event_hub import EventHub, Topic
from hpc_portal.app.events import Event
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from tests.small_city import City

PATIENCE_SECONDS = 60


def add_job(city: City) -> UUID:
    job_id, chips = new_id(), city.chips

    def work(connection: Connection) -> None:
        connection.execute(
            insert(Job).values(
                id=job_id,
                organisation_id=chips.organisation_id,
                project_id=chips.project_id,
                user_id=chips.member.user_id,
                name="job",
                spec={"name": "job", "argv": ["true"]},
                workspace="w",
                partition="main",
                phase=Phase.ACCEPTED,
                scheduler="memory",
                submitted_at=datetime.now(UTC),
                tasks_total=1,
            )
        )

    transact(city.services.engine, work)
    return job_id


def write(city: City, job_id: UUID, kind: str, count: int = 1) -> None:
    told = [Event(job_id, city.chips.project_id, kind)] * count
    transact(city.services.engine, lambda connection: events.record(connection, told, at=datetime.now(UTC)))


async def collect(hub: EventHub, topic: Topic, *, after: int | None, count: int, slowly: bool) -> list[int]:
    seen: list[int] = []
    async for batch in hub.follow(topic, after=after, alive_seconds=0.5):
        seen += [event.sequence for event in batch.events]
        if len(seen) >= count:
            break
        if slowly:
            await asyncio.sleep(0.2)
    return seen


def test_followers_see_every_event_once_and_in_order_while_many_write(city: City) -> None:
    job_id = add_job(city)
    writers, each, size = 4, 10, 15
    count = writers * each * size

    async def scenario() -> list[list[int]]:
        hub = EventHub(city.services.engine, tick_seconds=0.02)
        with ThreadPoolExecutor(writers) as pool:
            followers = [
                asyncio.create_task(collect(hub, topic, after=0, count=count, slowly=slowly))
                for topic in (Topic(), Topic(job_id=job_id))
                for slowly in (False, True)
            ]
            await asyncio.sleep(0)
            for _ in range(writers * each):
                pool.submit(write, city, job_id, "job.state", size)
            seen = await asyncio.wait_for(asyncio.gather(*followers), PATIENCE_SECONDS)
        await hub.close()
        return seen

    for sequences in asyncio.run(scenario()):
        assert len(sequences) == count
        assert sequences == sorted(set(sequences))


def test_a_follower_that_starts_now_hears_nothing_old_and_nobody_elses(city: City) -> None:
    job_id, other = add_job(city), add_job(city)
    write(city, job_id, "job.old")

    async def scenario() -> list[str]:
        hub = EventHub(city.services.engine, tick_seconds=0.02)
        kinds: list[str] = []
        async for batch in hub.follow(Topic(job_id=job_id), alive_seconds=0.1):
            kinds += [event.kind for event in batch.events]
            if kinds:
                break
            await asyncio.to_thread(write, city, other, "job.other")
            await asyncio.to_thread(write, city, job_id, "job.new")
        await hub.close()
        return kinds

    assert set(asyncio.run(asyncio.wait_for(scenario(), PATIENCE_SECONDS))) == {"job.new"}
