"""A cluster in the words of its page: how full it is and since when, its partitions and licences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hpc_portal.app.cluster_amounts import GpuCount, UsedAmount, count_gpus, count_used
from hpc_portal.app.cluster_queue import PartitionQueue
from hpc_portal.app.clusters import STALE_AFTER, SeenCluster
from hpc_portal.app.jobs.choose_cluster import SEPARATOR
from hpc_portal.app.licenses.queries import FeatureUse
from hpc_portal.app.tables import ClusterPart
from hpc_portal.web.language import Language
from schedulers.cluster import ClusterSnapshot, Node, NodeState, Partition, Reservation
from schedulers.tres import MEM
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class Meter:
    """How much of something is in use."""

    label: str
    used: int
    total: int
    text: str


@dataclass(frozen=True, slots=True)
class ShownPartition:
    """A partition under the name that a job must give, what of it is free, and its queue."""

    name: str
    partition: Partition
    free_cpus: int
    cpus: int
    gpus: tuple[GpuCount, ...]
    queue: PartitionQueue


@dataclass(frozen=True, slots=True)
class ShownLicense:
    """A licence feature that the cluster counts."""

    feature: str
    taken: int
    total: int
    own: int
    """Of these, by jobs of the reader's own."""


@dataclass(frozen=True, slots=True)
class ShownCluster:
    """A cluster as a page shows it at its top."""

    name: str
    is_default: bool
    lacks_account: bool
    account: str
    """What the person's jobs run as there, where the site gives out accounts; "" elsewhere."""
    as_of: datetime | None
    is_stale: bool
    """What is shown is so old that it may not be true any more."""
    is_out: bool
    gpus: tuple[GpuCount, ...]
    meters: tuple[Meter, ...]
    nodes: int
    nodes_up: int
    reservations: tuple[Reservation, ...]

    @property
    def href(self) -> str:
        """Its own page."""
        return f"/clusters/{self.name}"


def show_cluster(seen: SeenCluster, language: Language, *, now: datetime) -> ShownCluster:
    """A cluster in the page's words."""
    snapshot = seen.snapshot
    nodes = snapshot.nodes if snapshot else ()
    return ShownCluster(
        name=seen.name,
        is_default=seen.is_default,
        lacks_account=seen.account is None,
        account=(seen.needs_account and seen.account) or "",
        as_of=snapshot.as_of if snapshot else None,
        is_stale=snapshot is not None and now - snapshot.as_of > STALE_AFTER,
        is_out=any(outage.part is ClusterPart.SCHEDULER for outage in seen.outages),
        gpus=seen.gpus,
        meters=meters_of(nodes, language) if nodes else (),
        nodes=len(nodes),
        nodes_up=sum(node.state is NodeState.UP for node in nodes),
        reservations=snapshot.reservations if snapshot else (),
    )


def show_partitions(
    snapshot: ClusterSnapshot, queues: Sequence[PartitionQueue], *, every_partition: Sequence[str]
) -> list[ShownPartition]:
    """Partitions with what is free and their queues.

    Args:
        snapshot: the cluster.
        queues: one for each of its partitions, in their order.
        every_partition: names of the partitions of all clusters; one that is there twice needs its cluster's.
    """
    nodes = {node.name: node for node in snapshot.nodes}
    found = []
    for partition, queue in zip(snapshot.partitions, queues, strict=True):
        members = [nodes[name] for name in partition.nodes if name in nodes]
        up = [node for node in members if node.state is NodeState.UP]
        found.append(
            ShownPartition(
                name=_written(snapshot.name, partition.name, every_partition),
                partition=partition,
                free_cpus=sum(max(0, node.cpus - node.allocated_cpus) for node in up),
                cpus=sum(node.cpus for node in members if node.state is not NodeState.DOWN),
                gpus=count_gpus(members),
                queue=queue,
            )
        )
    return found


def show_licenses(
    snapshot: ClusterSnapshot, uses: Sequence[FeatureUse], *, username: str
) -> list[ShownLicense]:
    """The features that this cluster counts, with what the reader's own jobs hold."""
    counted = {item.feature for item in snapshot.licenses}
    return [
        ShownLicense(
            feature=use.name,
            taken=use.taken,
            total=use.total,
            own=sum(one.count for one in use.holders if one.job_id and one.user == username),
        )
        for use in uses
        if use.name in counted
    ]


def _written(cluster: str, partition: str, every: Sequence[str]) -> str:
    return partition if every.count(partition) == 1 else f"{cluster}{SEPARATOR}{partition}"


def meters_of(nodes: Sequence[Node], language: Language) -> tuple[Meter, ...]:
    """CPUs, memory and GPUs by type over these nodes; those that are down give nothing."""
    return show_meters(count_used(nodes), language)


def show_meters(amounts: Sequence[UsedAmount], language: Language) -> tuple[Meter, ...]:
    """What is in use, in the page's words."""
    return tuple(_meter(amount, language) for amount in amounts)


def _meter(amount: UsedAmount, language: Language) -> Meter:
    write = language.memory if amount.name == MEM else language.number
    text = f"{write(amount.used)} / {write(amount.total)}"
    return Meter(_label(amount.name, language), amount.used, amount.total, text)


def _label(name: str, language: Language) -> str:
    if name == MEM:
        return language.gettext(N_("Memory"))
    gpu = name.partition(":")
    return f"GPU {gpu[2].upper()}".strip() if gpu[1] else name.upper()
