"""The map and the queue of a cluster on both databases: one's own by name, others' as numbers only."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, update
from sqlmodel import col

from hpc_portal.app import cluster_views
from hpc_portal.app.actor import Actor
from hpc_portal.app.cluster_map import MappedNode, Use, map_nodes
from hpc_portal.app.cluster_queue import PartitionQueue, partition_queues
from hpc_portal.app.cluster_runs import visible_runs
from hpc_portal.app.clusters import find_cluster
from hpc_portal.app.errors import NotFound
from hpc_portal.app.tables import Job
from schedulers.jobspec import ArraySpec, ResourceRequest
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec
from tests.small_city import cluster

TWO_GPUS = ResourceRequest(
    cpus_per_task=1, memory_mib_per_node=1024, gpus_per_node={"h100": 2}, walltime_seconds=3600
)


def queues(story: Story, actor: Actor) -> dict[str, PartitionQueue]:
    with story.city.services.reading() as session:
        connection = session.connection()
        found = partition_queues(connection, actor, "memory", ["main", "empty"], now=story.clock.now())
    return {queue.partition: queue for queue in found}


def seen_by(story: Story, actor: Actor, *, busy: int) -> MappedNode:
    [node] = cluster().nodes
    snapshot = replace(cluster(), nodes=(replace(node, allocated_gpus={"h100": busy}),))
    with story.city.services.reading() as session:
        [found] = map_nodes(snapshot, visible_runs(session.connection(), actor, "memory"))
    return found


def uses(node: MappedNode) -> Sequence[tuple[Any, ...]]:
    return [(group.use, group.count, group.job_name) for group in node.groups]


def test_each_person_sees_their_own_jobs_on_the_map_and_of_others_that_they_are_there(story: Story) -> None:
    city = story.city
    story.submit(spec("secret-core", resources=TWO_GPUS))
    story.submit(spec("rival-net", resources=TWO_GPUS), actor=city.rivals.member, project="rivals")
    story.step()
    story.step()
    assert uses(seen_by(story, city.chips.member, busy=4)) == [
        (Use.MINE, 2, "secret-core"),
        (Use.OTHERS, 2, ""),
        (Use.FREE, 4, ""),
    ]
    assert uses(seen_by(story, city.chips.lead, busy=4))[0] == (Use.PROJECT, 2, "secret-core")
    rival = seen_by(story, city.rivals.lead, busy=4)
    assert "secret-core" not in repr(rival)
    assert uses(rival)[0] == (Use.PROJECT, 2, "rival-net")
    assert list(rival.jobs.values()) == ["rival-net"]


def test_the_queue_tells_numbers_and_ones_own_place(story: Story) -> None:
    city = story.city
    story.submit(spec("first"), actor=city.rivals.member, project="rivals")
    story.submit(spec("second"), actor=city.rivals.member, project="rivals")
    story.submit(spec("held", hold=True), actor=city.rivals.member, project="rivals")
    story.submit(spec("mine", array=ArraySpec(expression="0-9")))
    main = queues(story, city.chips.member)["main"]
    assert (main.jobs_waiting, main.tasks_waiting, main.tasks_running) == (4, 13, 0)
    assert (main.own_waiting, main.ahead) == (1, 2)
    assert queues(story, city.rivals.member)["main"].ahead == 0
    lead = queues(story, city.chips.lead)
    assert (lead["main"].own_waiting, lead["main"].ahead) == (0, None)
    assert lead["empty"] == PartitionQueue("empty")
    story.step()
    assert queues(story, city.chips.member)["main"].tasks_running > 0


def test_places_in_several_partitions_are_counted_at_once(story: Story) -> None:
    city = story.city
    rivals: dict[str, Any] = {"actor": city.rivals.member, "project": "rivals"}
    theirs = [story.submit(spec("theirs"), **rivals) for _ in range(3)]
    mine = [story.submit(spec("mine")) for _ in range(3)]
    moved = {"gpu": [theirs[0], mine[1]], "late": [mine[2], story.submit(spec("theirs"), **rivals)]}
    counts = []
    with city.services.engine.begin() as connection:
        for partition, jobs in moved.items():
            connection.execute(update(Job).where(col(Job.id).in_(jobs)).values(partition=partition))

        @event.listens_for(connection, "before_cursor_execute")
        def notice(*told: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
            counts.append(told[2])

        asked = ("main", "gpu", "late")
        found = partition_queues(connection, city.chips.member, "memory", asked, now=story.clock.now())
    assert [(one.own_waiting, one.ahead) for one in found] == [(1, 2), (1, 1), (1, 0)]
    assert len(counts) == 4, "however many partitions"


def test_a_cluster_that_the_portal_does_not_have_is_not_found(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    assert find_cluster(services, member, "memory").name == "memory"
    with pytest.raises(NotFound):
        find_cluster(services, member, "moon")
    with services.engine.connect() as connection:
        assert [one.name for one in cluster_views.load(connection)] == ["memory"]
