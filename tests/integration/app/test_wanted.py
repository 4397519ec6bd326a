"""What machines that make nodes are told: what open jobs want of each partition, and which nodes are busy."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import delete, update
from sqlmodel import col

from hpc_portal.app import cluster_views
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.wish import HeldBy
from hpc_portal.app.tables import ClusterView, Job
from schedulers.cluster import Node, NodeState, Partition
from schedulers.jobspec import ArraySpec, ResourceRequest
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec
from tests.integration.app.test_portal_state import told

MAIN = ("memory", "main")
TWO_H100 = ResourceRequest(
    cpus_per_task=4, memory_mib_per_node=2048, gpus_per_node={"h100": 2}, walltime_seconds=3600
)


def h100(name: str) -> Node:
    return Node(name, NodeState.UP, cpus=64, memory_mib=65_536, gpus={"h100": 8})


def report(story: Story, nodes: Sequence[Node] = ()) -> None:
    """The cluster reports: its partition `main`, one `idle` and these nodes."""
    [cluster] = story.city.services.clusters.get()
    idle = Partition("idle", (), 3600, 3600)
    main = replace(cluster.partitions[0], nodes=tuple(node.name for node in nodes or cluster.nodes))
    seen = replace(cluster, nodes=tuple(nodes) or cluster.nodes, partitions=(main, idle))
    transact(story.city.services.engine, lambda connection: cluster_views.save(connection, seen))
    story.clock.advance(60)  # until whoever submits looks again


def wanted(story: Story, place: tuple[str, str] = MAIN) -> dict[str, float]:
    found = told(story)
    of_jobs = {
        labels[2]: value
        for (name, labels), value in found.items()
        if name == "hpc_wanted_tres" and labels[:2] == place
    }
    return {**of_jobs, "at once": found["hpc_wanted_nodes_at_once", place]}


def test_every_partition_is_told_of_with_what_its_open_jobs_hold_together(story: Story) -> None:
    report(story)
    story.submit(spec(resources=TWO_H100))
    story.submit(spec(resources=TWO_H100))

    before = wanted(story)

    assert before == {
        "cpu": 4 * 2,
        "mem": 2048 * 2,
        "gres/gpu": 2 * 2,
        "gres/gpu:h100": 2 * 2,
        "at once": 1,
    }
    nothing = {"cpu": 0, "mem": 0, "gres/gpu": 0, "at once": 0}
    assert wanted(story, ("memory", "idle")) == nothing
    story.step()
    assert wanted(story) == before, "one that runs wants its node as much as one that waits"
    story.scheduler.finish_all()
    story.step()
    assert wanted(story) == nothing


def test_the_most_nodes_that_one_task_needs_are_told(story: Story) -> None:
    report(story, [h100(f"n{number}") for number in range(3)])
    story.submit(spec(resources=TWO_H100))
    story.submit(spec(resources=TWO_H100.model_copy(update={"nodes": 3, "ntasks": 3})))

    found = wanted(story)

    assert (found["at once"], found["gres/gpu"]) == (3, 2 + 3 * 2)


def test_of_an_array_count_the_tasks_that_may_run_at_once_and_did_not_end(story: Story) -> None:
    report(story)
    story.submit(spec(array=ArraySpec(expression="0-9")))
    throttled = story.submit(spec(array=ArraySpec(expression="0-99%3")))
    assert wanted(story)["cpu"] == 10 + 3
    with story.city.services.engine.begin() as connection:
        connection.execute(update(Job).where(col(Job.id) == throttled).values(tasks_completed=98))
    assert wanted(story)["cpu"] == 10 + 2


@pytest.mark.parametrize(
    "change",
    [
        {"held_by": HeldBy.USER},
        {"waits_for_jobs": True},
        {"state_reason": "BeginTime"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_no_node_would_help_wants_only_what_it_runs_on(story: Story, change: dict[str, object]) -> None:
    report(story)
    job_id = story.submit(spec(array=ArraySpec(expression="0-9")))
    with story.city.services.engine.begin() as connection:
        connection.execute(update(Job).where(col(Job.id) == job_id).values(tasks_running=4, **change))
    assert wanted(story)["cpu"] == 4


def test_a_job_that_is_to_end_wants_no_node_for_tasks_that_wait(story: Story) -> None:
    report(story)
    job_id = story.submit(spec(array=ArraySpec(expression="0-9")))
    now = story.clock.now()
    with story.city.services.engine.begin() as connection:
        connection.execute(update(Job).where(col(Job.id) == job_id).values(cancel_requested_at=now))
    assert wanted(story)["cpu"] == 0


def test_nothing_is_told_of_a_partition_that_nobody_knows(story: Story) -> None:
    """A line of 0 would let nodes go; without one nothing is done."""
    with story.city.services.engine.begin() as connection:
        connection.execute(delete(ClusterView))
    assert not [labels for name, labels in told(story) if name == "hpc_wanted_tres"]


@pytest.mark.parametrize("scaled", [None, "other"])
def test_nothing_is_told_of_clusters_whose_nodes_stay(story: Story, scaled: str | None) -> None:
    report(story, [h100("hpc-gpu-0")])
    story.submit(spec())
    ours = {"hpc_wanted_tres", "hpc_wanted_nodes_at_once", "hpc_nodes_busy_below"}
    assert not ours & {name for name, _ in told(story, scaled=scaled)}
    assert ours <= {name for name, _ in told(story)}


def test_nodes_with_numbers_are_told_of_by_the_highest_that_is_busy(story: Story) -> None:
    report(
        story,
        [
            replace(h100("hpc-gpu-0"), allocated_cpus=1),
            replace(h100("hpc-gpu-10"), allocated_gpus={"h100": 1}),
            replace(h100("hpc-gpu-11"), allocated_gpus={"h100": 0}),
            h100("hpc-cpu-0"),
            replace(h100("login"), allocated_cpus=1),
        ],
    )
    assert {
        labels: value for (name, labels), value in told(story).items() if name == "hpc_nodes_busy_below"
    } == {("memory", "hpc-gpu"): 11, ("memory", "hpc-cpu"): 0}


def test_no_label_names_a_tenant(story: Story) -> None:
    report(story)
    story.submit(spec("secret-chip"))
    labels = {label for name, found in told(story) if name.startswith("hpc_wanted") for label in found}
    assert labels == {"memory", "main", "idle", "cpu", "mem", "gres/gpu"}
