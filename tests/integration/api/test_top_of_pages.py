"""What every page's stream tells for its top: clusters that do not answer, and what a project has left."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import Connection, event

from hpc_portal.app import cluster_views, events, outages
from hpc_portal.app.clusters import STALE_AFTER, Trouble, TroubleKind, list_troubles
from hpc_portal.app.db import transact
from hpc_portal.app.event_hub import EventHub, Topic
from hpc_portal.app.events import Event
from hpc_portal.app.live_marks import TROUBLES, Left, Marks, Watched
from hpc_portal.app.tables import ClusterPart
from quotas.grant import grant
from quotas.money import VND
from tests.integration.api.conftest import Portal
from tests.integration.api.test_event_hub import PATIENCE_SECONDS, add_job, next_marks, write
from tests.integration.api.test_jobs import submit
from tests.integration.api.test_sessions import browser
from tests.integration.api.test_streams import messages, tell
from tests.small_city import BUDGET, City, cluster


class HandClock:
    """It stands until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.at = now

    def now(self) -> datetime:
        return self.at


def report(city: City, at: datetime) -> None:
    work = partial(cluster_views.save, snapshot=replace(cluster(), as_of=at))
    transact(city.services.engine, work)


def test_troubles_are_told_as_they_are_when_one_begins_and_when_nothing_is_heard(city: City) -> None:
    engine, began = city.services.engine, datetime.now(UTC)
    clock = HandClock(began)
    services = replace(city.services, clock=clock)
    report(city, began)

    def begin(connection: Connection) -> None:
        outages.begin(connection, "memory", ClusterPart.ACCOUNTING, "http://10.0.0.1 refused", at=began)

    def end(connection: Connection) -> None:
        outages.end(connection, "memory", ClusterPart.ACCOUNTING)

    async def scenario() -> list[Marks]:
        hub = EventHub(engine, tick_seconds=0.02, troubles=lambda: list_troubles(services))
        topic = Topic(project_ids=frozenset(), watched=frozenset([Watched.TROUBLES]))
        batches = hub.follow(topic, alive_seconds=0.5)
        seen = [await next_marks(batches)]
        for work in (begin, end):
            await asyncio.to_thread(transact, engine, work)
            seen.append(await next_marks(batches))
        clock.at += STALE_AFTER + timedelta(seconds=1)
        seen.append(await next_marks(batches))
        await hub.close()
        return seen

    seen = asyncio.run(asyncio.wait_for(scenario(), PATIENCE_SECONDS))
    charges_wait = Trouble("memory", TroubleKind.CHARGES_WAIT, began)
    silent = Trouble("memory", TroubleKind.PORTAL_SILENT, began)
    assert seen == [{TROUBLES: told} for told in ((), (charges_wait,), (), (silent,))]


def test_a_stream_asks_the_database_nothing_of_clusters_for_what_pages_know_already(city: City) -> None:
    engine, asked = city.services.engine, list[str]()
    known = Trouble("memory", TroubleKind.JOBS_WAIT, datetime.now(UTC))

    def note(*facts: object) -> None:
        asked.append(str(facts[2]))

    async def scenario() -> Marks:
        hub = EventHub(engine, tick_seconds=0.02, troubles=lambda: [known])
        topic = Topic(project_ids=frozenset(), watched=frozenset([Watched.TROUBLES]))
        marks = await next_marks(hub.follow(topic, alive_seconds=0.5))
        await hub.close()
        return marks

    event.listen(engine, "before_cursor_execute", note)
    assert asyncio.run(asyncio.wait_for(scenario(), PATIENCE_SECONDS)) == {TROUBLES: (known,)}
    assert asked, "it looks for events"
    assert [statement for statement in asked if "cluster" in statement] == []


def test_what_a_project_has_left_is_told_first_and_then_when_its_jobs_have_changed_it(city: City) -> None:
    chips, rivals = city.chips, city.rivals
    job = add_job(city)

    def spend(connection: Connection) -> None:
        """As a job does: money moves, and an event tells that something happened."""
        for number, project in enumerate((chips.project_id, rivals.project_id)):
            grant(
                connection,
                project_id=project,
                lines={VND: 5},
                valid_from=datetime.now(UTC) - timedelta(days=1),
                valid_to=datetime.now(UTC) + timedelta(days=1),
                overdraft=None,
                actor_id=None,
                reason="test",
                idempotency_key=f"more-{number}",
                at=datetime.now(UTC),
            )
        events.record(connection, [Event(job, chips.project_id, "job.settled")], at=datetime.now(UTC))

    async def scenario() -> list[Marks]:
        hub = EventHub(city.services.engine, tick_seconds=0.02)
        topic = Topic(
            project_ids=frozenset(), watched=frozenset([Watched.BALANCE]), balance_of=chips.project_id
        )
        batches = hub.follow(topic, alive_seconds=0.5)
        seen = [await next_marks(batches)]
        await asyncio.to_thread(write, city, job, "job.started")  # moves no money, so nothing is told
        await asyncio.to_thread(transact, city.services.engine, spend)
        seen.append(await next_marks(batches))
        await hub.close()
        return seen

    key = (Watched.BALANCE, chips.project_id)
    told = asyncio.run(asyncio.wait_for(scenario(), PATIENCE_SECONDS))
    assert told == [{key: Left(BUDGET[VND])}, {key: Left(BUDGET[VND] + 5)}]


@pytest.mark.parametrize("page", ["/live?jobs=true", "/jobs/{job}/log/live?task=0"])
def test_a_page_is_told_what_its_own_project_has_left_and_never_anothers(portal: Portal, page: str) -> None:
    chips, rivals = portal.city.chips, portal.city.rivals

    def told(project: UUID) -> list[tuple[str, object]]:
        """What the stream of a page tells until a job event comes, which is sent last of all."""
        seen: list[tuple[str, object]] = []
        address = f"{page.format(job=job)}&balance={project}"
        with browser(portal, "here") as here, here.stream("GET", address) as reply:
            for message in messages(reply):
                seen.append((message.event, message.data))
                if message.event == "troubles":
                    tell(portal, job, "job.state")
                if message.event == "job":
                    return seen
        raise AssertionError("The stream ended.")

    with portal.client(chips.member) as client:
        job = submit(client).json()["id"]
    assert dict(told(chips.project_id))["balance"] == {"left": "99,999,604\N{NO-BREAK SPACE}₫"}
    assert "balance" not in dict(told(rivals.project_id))
