"""What sbatch users wish for beside sizes, and whether a cluster can ever do it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from schedulers.cluster import (
    Ability,
    ClusterSnapshot,
    Node,
    NodeState,
    Partition,
    Reservation,
    check_fits,
    whole_node_of,
)
from schedulers.jobspec import JobSpec, WholeNode

AT = datetime(2026, 11, 26, tzinfo=UTC)
NODES = (
    Node("n1", NodeState.UP, cpus=8, memory_mib=8000, gpus={"h100": 2}, features=frozenset({"ib", "new"})),
    Node("n2", NodeState.UP, cpus=16, memory_mib=8000, features=frozenset({"ib"})),
    Node("n3", NodeState.DOWN, cpus=4, memory_mib=8000),
)
CLUSTER = ClusterSnapshot(
    "danang",
    AT,
    (Partition("main", ("n1", "n2", "n3"), 86_400, 3600, is_default=True),),
    NODES,
    reservations=(Reservation("tapeout", AT, AT, ("n2",)),),
)
SLURM = replace(CLUSTER, abilities=frozenset(Ability))


def job(**facts: Any) -> JobSpec:  # noqa: ANN401 - fields of JobSpec
    return JobSpec.model_validate({"name": "x", "argv": ("true",), **facts})


@pytest.mark.parametrize(
    "facts",
    [
        {"constraint": "ib&new"},
        {"constraint": "ib", "resources": {"nodes": 2, "ntasks": 2}},
        {"reservation": "tapeout"},
        {"nodelist": ["n3"]},
        {"exclude_nodes": ["n1", "n2"]},
        {"exclusive": True},
        {"begin_at": AT, "nice": 5, "hold": True, "comment": "x"},
        {"launch": "first_node"},
    ],
)
def test_a_wish_that_can_be_met_is_no_misfit(facts: dict[str, Any]) -> None:
    assert check_fits(job(**facts), CLUSTER) == []


@pytest.mark.parametrize(
    ("facts", "field", "text"),
    [
        ({"constraint": "skylake"}, "constraint", "has the features skylake"),
        ({"constraint": "ib", "resources": {"nodes": 3, "ntasks": 3}}, "nodes", "at most 2 nodes"),
        (
            {"constraint": "ib", "exclude_nodes": ["n1"], "resources": {"cpus_per_task": 17}},
            "cpus_per_task",
            "16",
        ),
        ({"reservation": "party"}, "reservation", "no reservation party. Choose one of: tapeout"),
        ({"nodelist": ["n9"]}, "nodelist", "no node n9"),
        ({"exclude_nodes": ["n9"]}, "exclude_nodes", "no node n9"),
        ({"exclude_nodes": ["n1", "n2", "n3"]}, "exclude_nodes", "excludes every node"),
        ({"qos": "high"}, "qos", "no qualities of service"),
        ({"launch": "first_node", "resources": {"nodes": 2, "ntasks": 2}}, "launch", "has no srun"),
    ],
)
def test_a_wish_that_can_never_be_met_is_told_at_its_field(
    facts: dict[str, Any], field: str, text: str
) -> None:
    (misfit,) = check_fits(job(**facts), CLUSTER)
    assert misfit.field == field
    assert text in misfit.message


@pytest.mark.parametrize(
    "facts", [{"qos": "high"}, {"launch": "first_node", "resources": {"nodes": 2, "ntasks": 2}}]
)
def test_what_only_slurm_can_do_fits_there(facts: dict[str, Any]) -> None:
    assert check_fits(job(**facts), SLURM) == []


def test_a_tool_that_no_node_has_is_told_before_anything_is_paid() -> None:
    lacks = [{"sta"}, {"sta", "yosys"}, {"yosys"}]
    nodes = [
        replace(node, missing_programs=frozenset(names)) for node, names in zip(NODES, lacks, strict=True)
    ]
    cluster = replace(CLUSTER, nodes=tuple(nodes))
    assert check_fits(job(programs=["yosys"]), cluster) == []
    assert check_fits(job(programs=["vcs"]), cluster) == [], "what nobody looked for may be there"
    (misfit,) = check_fits(job(programs=["yosys", "sta"]), cluster)
    assert misfit.field == "partition"
    assert "lacks something that the job calls: sta, yosys." in misfit.message
    (misfit,) = check_fits(job(programs=["yosys"], resources={"nodes": 2, "ntasks": 2}), cluster)
    assert misfit.field == "nodes"


def test_whole_nodes_are_known_by_the_largest_that_the_job_may_get() -> None:
    assert whole_node_of(job(), CLUSTER) is None
    assert whole_node_of(job(exclusive=True), CLUSTER) == WholeNode(cpus=16, gpus={"h100": 2})
    assert whole_node_of(job(exclusive=True, exclude_nodes=["n1"]), CLUSTER) == WholeNode(cpus=16)
    with_gpu = job(exclusive=True, resources={"gpus_per_node": {"": 1}})
    assert whole_node_of(with_gpu, CLUSTER) == WholeNode(cpus=8, gpus={"h100": 2})


def test_a_whole_node_is_what_an_exclusive_job_is_priced_for() -> None:
    resources = job(
        resources={"nodes": 2, "ntasks": 2, "whole_node": {"cpus": 16, "gpus": {"h100": 2}}}
    ).resources
    assert resources.tres == {"cpu": 32, "mem": 2048, "node": 2, "gres/gpu": 4, "gres/gpu:h100": 4}
