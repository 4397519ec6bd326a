"""The controller sums up what a cluster has and gives, day by day, as far as it was seen."""

import asyncio
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app import cluster_views
from hpc_portal.app.reports.tables import ClusterDay
from hpc_portal.app.reports.watch_capacity import WatchCapacityStep
from schedulers.cluster import ClusterSnapshot, Node, NodeState
from tests.integration.app.conftest import Story


def look(story: Story, step: WatchCapacityStep, *, allocated: int, seen_at: datetime | None = None) -> None:
    """The cluster reports eight GPUs; then the step runs."""
    node = Node("n1", NodeState.UP, 64, 1024, {"h100": 8}, 1, 1, {"h100": allocated})
    seen = ClusterSnapshot("memory", seen_at or story.clock.now(), partitions=(), nodes=(node,))

    async def both() -> None:
        await story.context.write(lambda connection: cluster_views.save(connection, seen))
        await step()

    asyncio.run(both())


def gpus(story: Story) -> dict[date, tuple[int, int, int, int]]:
    with story.context.engine.connect() as connection:
        rows = connection.execute(
            select(ClusterDay.__table__).where(col(ClusterDay.asset) == "gres/gpu:h100")  # type: ignore[attr-defined]
        ).all()
    return {row.day: (row.observed_seconds, row.capacity, row.available, row.allocated) for row in rows}


def test_looks_add_up_to_what_the_cluster_had_and_gave(story: Story) -> None:
    step = WatchCapacityStep(story.context)
    look(story, step, allocated=8)  # nobody knows what was before
    story.clock.advance(60)
    look(story, step, allocated=2)
    story.clock.advance(60)
    look(story, step, allocated=5)
    today = story.clock.now().date()
    assert gpus(story) == {today: (120, 960, 960, 60 * 2 + 60 * 5)}


def test_midnight_in_da_nang_begins_another_day(story: Story) -> None:
    story.clock.advance((datetime(2026, 1, 5, 16, 59, tzinfo=UTC) - story.clock.now()).total_seconds())
    step = WatchCapacityStep(story.context)
    for _ in range(2):
        look(story, step, allocated=1)
        story.clock.advance(120)
    assert gpus(story) == {
        date(2026, 1, 5): (60, 480, 480, 60),
        date(2026, 1, 6): (60, 480, 480, 60),
    }


def test_a_time_without_looks_is_not_made_up(story: Story) -> None:
    step = WatchCapacityStep(story.context)
    look(story, step, allocated=1)
    story.clock.advance(3600)
    look(story, step, allocated=1)
    assert gpus(story) == {}


def test_what_a_cluster_said_long_ago_counts_for_nothing(story: Story) -> None:
    step = WatchCapacityStep(story.context)
    stale = story.clock.now() - timedelta(minutes=10)
    look(story, step, allocated=1, seen_at=stale)
    story.clock.advance(60)
    look(story, step, allocated=1, seen_at=stale)
    assert gpus(story) == {}
