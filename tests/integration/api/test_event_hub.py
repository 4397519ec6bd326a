"""The one reader of job events: everything, once, in order, whatever writers and slow readers do."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, insert

from hpc_portal.app import cluster_views, events
from hpc_portal.app.db import transact
from hpc_portal.app.event_hub import Batch, EventHub, Topic
from hpc_portal.app.events import Event
from hpc_portal.app.home.cluster_figures import ClusterFigures
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.live_marks import FIGURES, Marks, Watched
from hpc_portal.app.requests.checks import WantedQuota, first_today
from hpc_portal.app.requests.draft import draft_request
from hpc_portal.app.requests.submit import submit_request
from hpc_portal.app.requests.transitions import RequestKind
from hpc_portal.app.tables import Job
from quotas.money import VND
from schedulers.cluster import NodeState
from tests.small_city import City, Tenant, cluster

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


async def next_marks(batches: AsyncIterator[Batch]) -> Marks:
    async for batch in batches:
        if batch.marks:
            return batch.marks
    raise AssertionError("The hub was closed.")


def test_a_follower_is_told_of_its_own_notices_requests_and_of_clusters_first_as_they_are_then_changed(
    city: City,
) -> None:
    chips, rivals = city.chips, city.rivals
    begin = first_today(datetime.now(UTC))
    wanted = WantedQuota(RequestKind.NEW, {VND: 1_000}, begin, begin + timedelta(days=30), "For a test.")

    def ask(team: Tenant) -> None:
        submit_request(
            city.services, team.lead, draft_request(city.services, team.lead, team.account, wanted)
        )

    async def scenario() -> list[Marks]:
        hub = EventHub(city.services.engine, tick_seconds=0.02)
        topic = Topic(
            project_ids=frozenset(),
            watched=frozenset(Watched),
            reader=chips.lead.user_id,
            requests_of=frozenset([chips.project_id]),
        )
        batches = hub.follow(topic, alive_seconds=0.5)
        seen = [await next_marks(batches)]
        await asyncio.to_thread(ask, rivals)
        await asyncio.to_thread(ask, chips)
        seen.append(await next_marks(batches))
        await hub.close()
        return seen

    first, then = asyncio.run(asyncio.wait_for(scenario(), PATIENCE_SECONDS))
    assert first[Watched.NOTICES, chips.lead.user_id] == 0
    assert (Watched.REQUESTS, chips.project_id) not in first
    assert set(then) == {(Watched.REQUESTS, chips.project_id)}


def test_figures_of_clusters_are_told_once_they_differ_and_not_whenever_a_cluster_reports(city: City) -> None:
    services, before = city.services, cluster()
    [node] = before.nodes
    idle = replace(before, as_of=datetime.now(UTC))
    busy = replace(idle, as_of=datetime.now(UTC), nodes=(replace(node, allocated_gpus={"h100": 3}),))

    async def scenario() -> list[Marks]:
        hub = EventHub(
            services.engine,
            tick_seconds=0.02,
            on_clusters=services.forget_clusters,
            figures=services.figures.get,
        )
        topic = Topic(project_ids=frozenset(), watched=frozenset([Watched.CLUSTERS, Watched.FIGURES]))
        batches = hub.follow(topic, alive_seconds=0.5)
        seen = [await next_marks(batches)]
        for snapshot in (idle, busy):
            await asyncio.to_thread(transact, services.engine, partial(cluster_views.save, snapshot=snapshot))
            seen.append(await next_marks(batches))
        await hub.close()
        return seen

    first, same, changed = asyncio.run(asyncio.wait_for(scenario(), PATIENCE_SECONDS))
    assert set(same) == {(Watched.CLUSTERS, "memory")}
    figures = [marks[FIGURES] for marks in (first, changed)]
    assert all(isinstance(one, ClusterFigures) for one in figures)
    assert [one.free[1].free for one in figures if isinstance(one, ClusterFigures)] == [8, 5]


def test_a_start_page_alone_is_told_of_new_figures_and_never_that_a_cluster_has_reported(city: City) -> None:
    services, before = city.services, cluster()
    down = replace(before, as_of=datetime.now(UTC), nodes=(replace(before.nodes[0], state=NodeState.DOWN),))

    async def scenario() -> list[Marks]:
        hub = EventHub(
            services.engine,
            tick_seconds=0.02,
            on_clusters=services.forget_clusters,
            figures=services.figures.get,
        )
        batches = hub.follow(
            Topic(project_ids=frozenset(), watched=frozenset([Watched.FIGURES])), alive_seconds=0.5
        )
        seen = [await next_marks(batches)]
        await asyncio.to_thread(transact, services.engine, partial(cluster_views.save, snapshot=down))
        seen.append(await next_marks(batches))
        await hub.close()
        return seen

    seen = asyncio.run(asyncio.wait_for(scenario(), PATIENCE_SECONDS))
    assert [set(marks) for marks in seen] == [{FIGURES}, {FIGURES}]
    assert seen[0] != seen[1]
