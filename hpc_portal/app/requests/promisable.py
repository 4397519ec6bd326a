"""What the city can still promise in a period: what its clusters can give, less what others were granted.

Capacity is what the clusters have now, times the seconds of the period that are still to come, times a share
that settings name: the rest is maintenance, failures and gaps between jobs. What was granted and not yet used
is taken to be used evenly until its own end; so much of it as falls into the period is taken.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from quotas.amounts import Asset
from quotas.errors import UnpricedResource
from quotas.money import VND
from quotas.pricing import PriceList, price
from quotas.tables import Allocation, AllocationLine, AllocationState, LedgerAccount
from schedulers import tres
from schedulers.cluster import ClusterSnapshot

_OVER = (AllocationState.EXPIRED, AllocationState.CLOSED)


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What of an allocation's line is not used yet: free, or held for jobs."""

    asset: Asset
    valid_from: datetime
    valid_to: datetime
    amount: int


@dataclass(frozen=True, slots=True)
class Promisable:
    """One asset in a period: TRES-seconds or đồng."""

    asset: Asset
    capacity: int
    """After the share for maintenance, failures and gaps is taken off."""
    promised: int

    @property
    def left(self) -> int:
        """What can still be promised; below zero where more was granted than there is."""
        return self.capacity - self.promised


def promisable(  # noqa: PLR0913 - everything that it depends on, all by keyword
    *,
    clusters: Sequence[ClusterSnapshot],
    outstanding: Iterable[Outstanding],
    price_list: PriceList | None,
    valid_from: datetime,
    valid_to: datetime,
    now: datetime,
    availability_percent: int,
) -> dict[Asset, Promisable]:
    """By asset; pure. đồng are what the capacity is worth at list prices; none where it cannot be priced.

    Grants in đồng and grants in hours may be used for the same hours, so read each row for itself.
    """
    begin = max(valid_from, now)
    seconds = max(0, int((valid_to - begin).total_seconds()))
    capacity = {
        asset: count * seconds * availability_percent // 100
        for asset, count in count_assets(clusters).items()
    }
    worth = _worth(capacity, price_list)
    if worth is not None:
        capacity[VND] = worth
    promised: dict[Asset, int] = {}
    for item in outstanding:
        share = _share(item, begin=begin, end=valid_to, now=now)
        for asset in _counted_as(item.asset):
            promised[asset] = promised.get(asset, 0) + share
    return {
        asset: Promisable(asset, amount, promised.get(asset, 0)) for asset, amount in sorted(capacity.items())
    }


def count_assets(clusters: Sequence[ClusterSnapshot]) -> dict[Asset, int]:
    """What all clusters have, also on nodes that are down now: they come back."""
    found: dict[Asset, int] = {}
    for cluster in clusters:
        for node in cluster.nodes:
            parts = {tres.CPU: node.cpus, tres.MEM: node.memory_mib}
            if node.gpus:
                parts[tres.GPU] = sum(node.gpus.values())
                parts |= {tres.gpu_tres(kind): count for kind, count in node.gpus.items() if kind}
            found = tres.add(found, parts)
        found = tres.add(found, {f"license/{item.feature}": item.total for item in cluster.licenses})
    return found


def load_outstanding(connection: Connection, *, begin: datetime, end: datetime) -> list[Outstanding]:
    """What is not used yet of every allocation that lasts into the period."""
    available, held = aliased(LedgerAccount), aliased(LedgerAccount)
    rows = connection.execute(
        select(
            col(AllocationLine.asset),
            col(Allocation.valid_from),
            col(Allocation.valid_to),
            (col(available.balance) + col(held.balance)).label("amount"),
        )
        .join(Allocation, col(Allocation.id) == col(AllocationLine.allocation_id))
        .join(available, col(available.id) == col(AllocationLine.available_id))
        .join(held, col(held.id) == col(AllocationLine.held_id))
        .where(
            col(Allocation.valid_from) < end,
            col(Allocation.valid_to) > begin,
            col(Allocation.state).not_in(_OVER),
        )
    )
    return [Outstanding(*row) for row in rows if row.amount > 0]


def _counted_as(asset: Asset) -> tuple[Asset, ...]:
    """A GPU of a type is also a GPU."""
    return (asset, tres.GPU) if asset.startswith(f"{tres.GPU}:") else (asset,)


def _share(item: Outstanding, *, begin: datetime, end: datetime, now: datetime) -> int:
    """What of it falls into the period, rounded up."""
    start = max(item.valid_from, now)
    whole = int((item.valid_to - start).total_seconds())
    common = int((min(item.valid_to, end) - max(start, begin)).total_seconds())
    if whole <= 0 or common <= 0:
        return 0
    return -(-item.amount * common // whole)


def _worth(capacity: Mapping[Asset, int], price_list: PriceList | None) -> int | None:
    if price_list is None:
        return None
    try:
        return price(capacity, "", price_list).total
    except UnpricedResource:
        return None
