"""Slurm's nodes, partitions and licences as people see a cluster."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schedulers.cluster import License, NodeState
from schedulers.slurm.survey_cluster import NO_LIMIT_SECONDS, read_gpus, read_node, survey
from schedulers.slurm.wire import SlurmLicense, SlurmNode, SlurmPartition, SlurmReservation

NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)


def node(name: str = "gpu01", **said: Any) -> SlurmNode:  # noqa: ANN401 - fields of a reply
    facts = {"name": name, "state": ["IDLE"], "cpus": 64, "real_memory": 1000, "partitions": ["short"]}
    return SlurmNode.model_validate(facts | said)


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (["IDLE"], NodeState.UP),
        (["MIXED", "PLANNED"], NodeState.UP),
        (["ALLOCATED", "DRAIN"], NodeState.DRAINING),
        (["IDLE", "DRAIN"], NodeState.DRAINING),
        (["DOWN"], NodeState.DOWN),
        (["IDLE", "NOT_RESPONDING"], NodeState.DOWN),
        (["IDLE", "POWERED_DOWN"], NodeState.UP),
        (["IDLE", "POWERING_UP", "NOT_RESPONDING"], NodeState.UP),
    ],
)
def test_a_node_is_up_draining_or_down(words: list[str], state: NodeState) -> None:
    assert read_node(node(state=words)).state is state


@pytest.mark.parametrize(
    ("gres", "counts"),
    [
        ("", {}),
        ("gpu:h100:8(S:0-1)", {"h100": 8}),
        ("gpu:h100:2(IDX:0,3),gpu:l40s:1(IDX:5)", {"h100": 2, "l40s": 1}),
        ("gpu:4", {"": 4}),
        ("shard:16,gpu:a100:1,nvme:2", {"a100": 1}),
    ],
)
def test_gpus_are_counted_by_type(gres: str, counts: dict[str, int]) -> None:
    assert read_gpus(gres) == counts


def test_what_jobs_hold_of_a_node_is_told() -> None:
    read = read_node(
        node(
            alloc_cpus=3, alloc_memory=64, gres="gpu:h100:8", gres_used="gpu:h100:0(IDX:N/A)", features=["ib"]
        )
    )
    assert (read.allocated_cpus, read.allocated_memory_mib, read.allocated_gpus) == (3, 64, {})
    assert read.gpus == {"h100": 8}
    assert read.features == {"ib"}


def partition(name: str, **said: Any) -> SlurmPartition:  # noqa: ANN401 - fields of a reply
    return SlurmPartition.model_validate({"name": name, **said})


def minutes(number: int) -> dict[str, Any]:
    return {"set": True, "infinite": False, "number": number}


def test_partitions_have_their_limits_in_seconds() -> None:
    cluster = survey(
        "danang",
        as_of=NOW,
        nodes=[node("b"), node("a")],
        partitions=[
            partition(
                "short", maximums={"time": minutes(240), "nodes": minutes(2)}, defaults={"time": minutes(30)}
            ),
            partition("long", maximums={"time": {"set": False, "infinite": True, "number": 0}}),
            partition("closed", partition={"state": ["INACTIVE"]}),
        ],
        licenses=[SlurmLicense.model_validate({"LicenseName": "vcs", "Total": 4, "Used": 1})],
        reservations=[
            SlurmReservation.model_validate(
                {
                    "name": "exam",
                    "start_time": 1,
                    "end_time": 2,
                    "node_list": "gpu[01-02]",
                    "users": "an,binh",
                }
            )
        ],
    )
    short, long = cluster.partitions
    assert short.nodes == ("a", "b")
    assert (short.max_walltime_seconds, short.default_walltime_seconds, short.max_nodes_per_job) == (
        14400,
        1800,
        2,
    )
    assert (long.max_walltime_seconds, long.default_walltime_seconds) == (NO_LIMIT_SECONDS, NO_LIMIT_SECONDS)
    assert long.max_nodes_per_job is None
    assert (short.is_default, long.is_default) == (True, False)
    (exam,) = cluster.reservations
    assert (exam.nodes, exam.users, exam.accounts) == (("gpu01", "gpu02"), ("an", "binh"), ())


def test_what_is_set_aside_for_others_is_in_use_outside_and_no_reservation_that_a_job_could_name() -> None:
    aside = {"name": "hpc-portal-outside", "start_time": 1, "end_time": 2, "licenses": "vcs:2,gone@flex:1"}
    cluster = survey(
        "slurm",
        as_of=NOW,
        nodes=[],
        partitions=[],
        licenses=[SlurmLicense.model_validate({"LicenseName": "vcs", "Total": 4, "Used": 1})],
        reservations=[SlurmReservation.model_validate(aside)],
    )
    assert (cluster.licenses, cluster.reservations) == ((License("vcs", 4, 3, outside=2),), ())


def test_the_default_partition_is_what_slurm_says_or_else_the_site() -> None:
    told = [partition("a", flags=[]), partition("b", flags=["DEFAULT"])]
    silent = [partition("a"), partition("b")]

    def default(partitions: list[SlurmPartition], said: str | None) -> str | None:
        cluster = survey(
            "danang",
            as_of=NOW,
            nodes=[],
            partitions=partitions,
            licenses=[],
            reservations=[],
            default_partition=said,
        )
        found = cluster.partition(None)
        return found.name if found else None

    assert (default(told, "a"), default(silent, "b"), default(silent, None)) == ("b", "b", "a")
