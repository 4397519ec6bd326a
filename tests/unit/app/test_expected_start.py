"""When a job would start, with numbers to check by hand."""

from dataclasses import replace
from datetime import timedelta

from hpc_portal.app.jobs.expected_start import WorkAhead, expected_start
from schedulers.cluster import License, NodeState
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.small_city import GRANTED_AT as NOW
from tests.small_city import cluster

ONE_CPU = JobSpec(name="one", argv=("true",), resources=ResourceRequest(walltime_seconds=60))
IDLE = WorkAhead({})


def test_an_idle_cluster_starts_it_at_once() -> None:
    found = expected_start(ONE_CPU, cluster(), IDLE, now=NOW)
    assert (found.earliest, found.reason) == (NOW, "Free")
    assert found.latest
    assert found.latest - NOW < timedelta(seconds=10)


def test_a_full_node_is_waited_for_no_longer_than_all_its_work_takes() -> None:
    (node,) = cluster().nodes
    full = replace(cluster(), nodes=(replace(node, allocated_cpus=64),))
    ahead = WorkAhead({"cpu": 64 * 3600}, longest_walltime_seconds=3600)
    found = expected_start(ONE_CPU, full, ahead, now=NOW)
    assert (found.reason, found.latest) == ("Resources", NOW + timedelta(hours=2))


def test_others_in_front_are_told() -> None:
    ahead = WorkAhead({"cpu": 64 * 60}, longest_walltime_seconds=60, waiting_tasks=3)
    assert expected_start(ONE_CPU, cluster(), ahead, now=NOW).reason == "Priority"


def test_a_licence_in_use_is_told() -> None:
    spec = ONE_CPU.model_copy(update={"resources": ResourceRequest(licenses={"vcs": 2})})
    short = replace(cluster(), licenses=(License("vcs", total=4, used=3),))
    assert expected_start(spec, short, IDLE, now=NOW).reason == "Licenses"


def test_without_a_node_that_is_up_nothing_bounds_the_wait() -> None:
    (node,) = cluster().nodes
    down = replace(cluster(), nodes=(replace(node, state=NodeState.DOWN),))
    found = expected_start(ONE_CPU, down, IDLE, now=NOW)
    assert (found.reason, found.latest) == ("NodesDown", None)
