"""How many pods the chart's triggers make of what the portal tells, as KEDA and the autoscaler add it up."""

import math
import re
from dataclasses import replace
from typing import Any

import pytest

from schedulers.jobspec import ArraySpec, ResourceRequest
from tests.contract.charts import example, of_kind, render
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec
from tests.integration.app.test_portal_state import told
from tests.integration.app.test_wanted import h100, report

PODS = [h100(f"hpc-hpc-portal-gpu-{number}") for number in range(4)]


def triggers() -> list[dict[str, Any]]:
    """Of the pool `gpu` of the example (8 GPUs, 32 CPUs, 245760 MiB a pod), for the tests' one partition."""
    values = example("dask")
    values["settings"] |= {"cluster_name": "memory", "partitions": [{"name": "main", "is_default": True}]}
    values["dask"]["pools"]["gpu"]["autoscaling"]["partition"] = "main"
    [scaled] = of_kind(render(values), "ScaledObject").values()
    return [one for one in scaled["spec"]["triggers"] if one["type"] == "prometheus"]


def pods(story: Story) -> int | None:
    """None: no answer to one of the queries, so that nothing is changed."""
    found = told(story)
    wanted = [_value(one["metadata"]["query"], found) for one in triggers()]
    if None in wanted:
        return None
    thresholds = [int(one["metadata"]["threshold"]) for one in triggers()]
    return max(
        math.ceil((value or 0) / threshold) for value, threshold in zip(wanted, thresholds, strict=True)
    )


def _value(query: str, found: dict[tuple[str, tuple[str, ...]], float]) -> float | None:
    """`max(NAME{label="value",...})`, and `A or 0 * B`: all that the chart asks."""
    first, _, otherwise = query.partition(" or 0 * ")
    match = re.fullmatch(r"max\((\w+)\{(.*)\}\)", first)
    assert match, query
    labels = tuple(re.findall(r'\w+="([^"]*)"', match[2]))
    value = found.get((match[1], labels))
    if value is None and otherwise:
        return None if _value(otherwise, found) is None else 0
    return value


def ask(**more: object) -> ResourceRequest:
    return ResourceRequest.model_validate({"walltime_seconds": 3600, **more})


def test_a_pool_sleeps_while_nobody_wants_it_and_has_one_pod_for_a_small_job(story: Story) -> None:
    report(story)
    assert pods(story) == 0
    job_id = story.submit(spec(resources=ask(gpus_per_node={"h100": 1})))
    assert pods(story) == 1
    story.step()
    story.scheduler.finish(job_id)
    story.step()
    assert pods(story) == 0


@pytest.mark.parametrize(
    ("resources", "tasks", "number"),
    [
        (ask(gpus_per_node={"h100": 8}), 3, 3),
        (ask(gpus_per_node={"h100": 1}), 17, 3),
        (ask(gpus_per_node={"h100": 1}, cpus_per_task=16), 5, 3),
        (ask(memory_mib_per_node=60_000), 9, 3),
        (ask(nodes=2, ntasks=2), 1, 2),
    ],
    ids=["whole nodes", "GPUs", "CPUs", "memory", "several nodes at once"],
)
def test_a_pool_grows_with_whatever_its_jobs_want_most_of(
    story: Story, resources: ResourceRequest, tasks: int, number: int
) -> None:
    report(story, PODS)
    story.submit(spec(resources=resources, array=ArraySpec(expression=f"0-{tasks - 1}")))
    assert pods(story) == number


def test_a_job_of_another_partition_wakes_nothing(story: Story) -> None:
    report(story)
    story.submit(spec())
    asked = [one["metadata"]["query"] for one in triggers()]
    assert pods(story) == 1
    elsewhere = {_value(query.replace('"main"', '"idle"'), told(story)) for query in asked}
    assert elsewhere == {0}


def test_no_pod_is_taken_from_a_task_that_runs_on_it(story: Story) -> None:
    busy = [replace(PODS[2], allocated_gpus={"h100": 1}), *PODS[:2], PODS[3]]
    report(story, busy)
    assert pods(story) == 3, "the third is busy, the fourth is not"


def test_without_a_portal_that_answers_nothing_is_changed(story: Story) -> None:
    found: dict[tuple[str, tuple[str, ...]], float] = {("hpc_database_up", ()): 0}
    assert {_value(one["metadata"]["query"], found) for one in triggers()} == {None}
    assert {one["metadata"]["ignoreNullValues"] for one in triggers()} == {"false"}
    report(story)
    assert pods(story) == 0
