"""What differs between two price lists, and what nobody priced; pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from quotas.errors import UnpricedResource
from quotas.money import Vnd
from quotas.pricing import PriceItem, PriceList
from schedulers import tres
from schedulers.cluster import ClusterSnapshot, Partition
from schedulers.tres import Tres


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One price that is new, other or gone."""

    tres: Tres
    partition: str | None
    before: Vnd | None
    """None: it had no price of its own."""
    after: Vnd | None
    """None: it has none any more."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A resource of a cluster that no job could use: it has no price."""

    cluster: str
    partition: str
    tres: Tres


def compare(before: Iterable[PriceItem], after: Iterable[PriceItem]) -> list[PriceChange]:
    """By resource and partition; what is the same is left out."""
    old, new = _rates(before), _rates(after)
    return [
        PriceChange(name, partition or None, old.get((name, partition)), new.get((name, partition)))
        for name, partition in sorted(old.keys() | new.keys())
        if old.get((name, partition)) != new.get((name, partition))
    ]


def unpriced(items: Sequence[PriceItem], clusters: Iterable[ClusterSnapshot]) -> list[Unpriced]:
    """What jobs could ask for on these clusters, and could then not pay for."""
    prices = PriceList(id=0, version=0, items=tuple(items))
    return [
        Unpriced(cluster.name, partition.name, name)
        for cluster in clusters
        for partition in cluster.partitions
        for name in sorted(_resources(cluster, partition))
        if not _has_price(prices, name, partition.name)
    ]


def unknown(items: Iterable[PriceItem], clusters: Collection[ClusterSnapshot]) -> list[PriceItem]:
    """Prices of what no cluster has, or of a partition that none has: probably a slip of the pen."""
    partitions = {partition.name for cluster in clusters for partition in cluster.partitions}
    resources = {
        name
        for cluster in clusters
        for partition in cluster.partitions
        for name in _resources(cluster, partition)
    } | {tres.GPU}
    return [
        item
        for item in items
        if item.tres not in resources or (item.partition and item.partition not in partitions)
    ]


def _rates(items: Iterable[PriceItem]) -> dict[tuple[Tres, str], Vnd]:
    return {(item.tres, item.partition or ""): item.rate_vnd_per_hour for item in items}


def _resources(cluster: ClusterSnapshot, partition: Partition) -> set[Tres]:
    gpu_types = {
        gpu_type
        for node in cluster.nodes
        if node.name in partition.nodes
        for gpu_type, count in node.gpus.items()
        if count
    }
    licenses = {tres.license_tres(item.feature) for item in cluster.licenses}
    any_gpu = {tres.GPU} if gpu_types else set()
    return {tres.CPU, tres.MEM, *any_gpu, *map(tres.gpu_tres, gpu_types), *licenses}


def _has_price(prices: PriceList, name: Tres, partition: str) -> bool:
    try:
        prices.rate(name, partition)
    except UnpricedResource:
        return False
    return True
