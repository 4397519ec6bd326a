"""What a person may see of a cluster, what is free on it, and what everybody should know of."""

from datetime import UTC, datetime, timedelta

import pytest

from hpc_portal.app.cluster_amounts import GpuCount, count_gpus
from hpc_portal.app.clusters import Trouble, TroubleKind, for_tenant, troubles
from hpc_portal.app.errors import ClusterNotSeenYet, InvalidSubmission
from hpc_portal.app.jobs.choose_cluster import choose_cluster, partition_names
from hpc_portal.app.outages import Outage
from hpc_portal.app.tables import ClusterPart
from schedulers.cluster import ClusterSnapshot, Node, NodeState, Partition, Reservation

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def node(name: str, state: NodeState = NodeState.UP, busy: int = 0, reason: str = "") -> Node:
    held = {"h100": busy} if busy else {}
    return Node(name, state, 64, 1024, {"h100": 8}, allocated_gpus=held, reason=reason)


def reservation(name: str, *, accounts: tuple[str, ...] = (), users: tuple[str, ...] = ()) -> Reservation:
    return Reservation(name, NOW, NOW + timedelta(hours=1), ("n1",), accounts, users)


def cluster(name: str, *partitions: str, as_of: datetime = NOW) -> ClusterSnapshot:
    made = tuple(Partition(part, ("n1",), 3600, 60, is_default=part == partitions[0]) for part in partitions)
    return ClusterSnapshot(name, as_of, made, (node("n1"),))


def test_reservations_of_others_have_no_name_and_name_nobody() -> None:
    whole = ClusterSnapshot(
        "slurm",
        NOW,
        (),
        (),
        reservations=(
            reservation("tapeout-of-a-rival", accounts=("rivals",), users=("mai",)),
            reservation("ours", accounts=("chips", "rivals")),
            reservation("mine", users=("lan", "mai")),
            reservation("maintenance"),
        ),
    )
    seen = for_tenant(whole, accounts={"chips"}, user="lan").reservations
    assert [(item.name, item.accounts, item.users) for item in seen] == [
        ("", (), ()),
        ("ours", ("chips",), ()),
        ("mine", (), ("lan",)),
        ("", (), ()),
    ]
    assert [item.nodes for item in seen] == [("n1",)] * 4


def test_administrators_notes_beside_a_node_are_not_for_tenants() -> None:
    nodes = (node("n1", reason="job of mai@rivals ate the disk"), node("n2", reason="Not responding"))
    seen = for_tenant(ClusterSnapshot("slurm", NOW, (), nodes), accounts=(), user="lan")
    assert [item.reason for item in seen.nodes] == ["", "Not responding"]


def test_free_gpus_are_those_that_a_job_could_get() -> None:
    nodes = [node("n1", busy=3), node("n2", NodeState.DRAINING, busy=1), node("n3", NodeState.DOWN)]
    assert count_gpus(nodes) == (GpuCount("h100", total=16, free=5),)


def test_troubles_are_outages_and_clusters_that_nothing_was_heard_of() -> None:
    hour = NOW - timedelta(hours=1)
    outages = [
        Outage("slurm", ClusterPart.SCHEDULER, hour, "http://10.0.0.1 refused"),
        Outage("slurm", ClusterPart.ACCOUNTING, NOW, "as before"),
        Outage("retired", ClusterPart.SCHEDULER, hour, "gone"),
    ]
    snapshots = [cluster("slurm", "main", as_of=hour), cluster("danang", "main", as_of=hour)]
    configured = ("slurm", "danang")
    assert troubles(outages, snapshots, configured=configured, now=NOW) == [
        Trouble("danang", TroubleKind.PORTAL_SILENT, hour),
        Trouble("slurm", TroubleKind.CHARGES_WAIT, NOW),
        Trouble("slurm", TroubleKind.JOBS_WAIT, hour),
    ]
    fresh = [cluster("slurm", "main"), cluster("danang", "main")]
    assert troubles([], fresh, configured=configured, now=NOW) == []


SEEN = (cluster("slurm", "short", "gpu", "main"), cluster("danang", "main"))
CONFIGURED = ("slurm", "danang")


@pytest.mark.parametrize(
    ("written", "chosen"),
    [
        (None, ("slurm", None)),
        ("gpu", ("slurm", "gpu")),
        ("danang:main", ("danang", "main")),
        ("danang:", ("danang", None)),
        ("danang:gpu", ("danang", "gpu")),
    ],
)
def test_a_job_goes_to_the_cluster_of_its_partition(
    written: str | None, chosen: tuple[str, str | None]
) -> None:
    snapshot, partition = choose_cluster(SEEN, CONFIGURED, written)
    assert (snapshot.name, partition) == chosen


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("main", "Write one of: slurm:main, danang:main"),
        ("nowhere:main", "no cluster nowhere"),
        ("fast", "Choose one of: short, gpu, slurm:main, danang:main"),
    ],
)
def test_a_partition_that_says_too_little_is_refused_with_the_choices(written: str, complaint: str) -> None:
    with pytest.raises(InvalidSubmission, match=complaint):
        choose_cluster(SEEN, CONFIGURED, written)


def test_a_cluster_that_never_reported_is_waited_for() -> None:
    for written in (None, "slurm:gpu", "gpu"):
        with pytest.raises(ClusterNotSeenYet):
            choose_cluster(SEEN[1:], CONFIGURED, written)
    assert choose_cluster(SEEN[1:], CONFIGURED, "main")[0].name == "danang"


def test_partitions_are_shown_as_they_must_be_written() -> None:
    assert partition_names(SEEN) == ["short", "gpu", "slurm:main", "danang:main"]
