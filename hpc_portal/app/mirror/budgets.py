"""What of an allocation a cluster may use: the limits of its two QOS; pure.

Every allocation has two: `<account>_<id>` for the jobs that the portal submits, which it has held budget for,
and `<account>_<id>_direct`, the default, for what people submit with sbatch. Slurm counts what a QOS has used
and never forgets it, so that a limit is always "what was used under it, and what may still be".

* The portal's may use all that was granted: the portal itself holds what each job needs before it submits it.
  Refunds come on top: Slurm goes on counting what was used, and it may be used anew. What expired, was moved
  to another allocation or carried over is no longer there.
* The direct one may use what nobody was promised: what is available, beside what was used directly.

What the portal holds is no longer available, so a direct job cannot take it; and what direct jobs use is
charged to what is available, so the portal cannot promise it again.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from fractions import Fraction
from uuid import UUID

from quotas.amounts import Asset
from quotas.balance import AssetBalance
from quotas.coverage import uncovered
from quotas.money import VND
from quotas.subsidies import WHOLE
from schedulers import tres
from schedulers.mirror import MARK, Budget
from schedulers.tres import Tres

_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3600
_MIB_PER_GIB = 1024
_NEVER_LIMITED = frozenset({tres.NODE, "billing"})


@dataclass(frozen=True, slots=True)
class LowestRates:
    """What an hour of each resource costs in the partition where it is cheapest, in đồng."""

    now: Mapping[Tres, int | Fraction]
    ever: Mapping[Tres, int | Fraction]
    """In any price list: holds keep the prices that they were made at."""

    def net(self, *, subsidy_now: int, subsidy_ever: int) -> "LowestRates":
        """Less subsidies in basis points: money buys so much more. Caps would only make it dearer."""
        return LowestRates(_less(self.now, subsidy_now), _less(self.ever, subsidy_ever))


@dataclass(frozen=True, slots=True)
class AllocationFacts:
    """One allocation, as far as its limits depend on it."""

    id: UUID
    account: str
    is_usable: bool
    """Active, and its period has come: new jobs may use it."""
    by_asset: Mapping[Asset, AssetBalance]
    overdraft: Mapping[Asset, int]
    uncharged: Mapping[Asset, int] = field(default_factory=dict)
    """What runs used that are not paid for, such as NODE_FAIL: Slurm counts it, and nobody owes it."""
    refunded: Mapping[Asset, int] = field(default_factory=dict)
    """What was charged and given back."""
    used_directly: Mapping[Asset, int] = field(default_factory=dict)
    """By jobs from outside the portal, on this cluster, charged or not."""

    @property
    def has_holds(self) -> bool:
        """Whether jobs were promised something of it."""
        return any(amounts.held for amounts in self.by_asset.values())


def portal_qos(account: str, allocation_id: UUID) -> str:
    """The QOS of the portal's own jobs."""
    return f"{account}_{allocation_id.hex[:12]}"


def direct_qos(account: str, allocation_id: UUID) -> str:
    """The QOS of jobs that come past the portal."""
    return f"{portal_qos(account, allocation_id)}_direct"


def budgets_of(facts: AllocationFacts, rates: LowestRates, known: AbstractSet[Tres]) -> tuple[Budget, Budget]:
    """The portal's and the direct QOS of an allocation, limiting what the cluster tracks (`known`)."""
    granted = {
        asset: amounts.granted + facts.refunded.get(asset, 0) + facts.overdraft.get(asset, 0)
        for asset, amounts in facts.by_asset.items()
    }
    free = {
        asset: max(amounts.available + facts.overdraft.get(asset, 0), 0) if facts.is_usable else 0
        for asset, amounts in facts.by_asset.items()
    }
    name = portal_qos(facts.account, facts.id)
    mark = f"{MARK}{facts.id}"
    portal = _minutes(granted, facts.uncharged, rates.ever, known)
    direct = _minutes(free, facts.used_directly, rates.now, known)
    return Budget(name, f"{mark}:portal", portal), Budget(
        direct_qos(facts.account, facts.id), f"{mark}:direct", direct
    )


def _minutes(
    may_use: Mapping[Asset, int],
    counted: Mapping[Asset, int],
    rates: Mapping[Tres, int | Fraction],
    known: AbstractSet[Tres],
) -> dict[Tres, int]:
    """TRES-minutes, rounded down: what was counted already, and what may still be used."""
    limits = {name: may_use[name] for name in may_use if name != VND}
    if VND in may_use:
        for name in known - _NEVER_LIMITED:
            bought = _most_that_money_buys(name, may_use[VND], rates)
            if bought is not None:
                limits[name] = min(limits.get(name, bought), bought)
    limits |= dict.fromkeys(_not_paid_for(may_use.keys(), known), 0)
    limits |= _untyped_gpus(limits, known)
    return {
        name: (amount + counted.get(name, 0)) // _SECONDS_PER_MINUTE
        for name, amount in limits.items()
        if name in known and name not in _NEVER_LIMITED
    }


def _less(rates: Mapping[Tres, int | Fraction], basis_points: int) -> dict[Tres, Fraction]:
    return {name: Fraction(rate) * (WHOLE - basis_points) / WHOLE for name, rate in rates.items()}


def _most_that_money_buys(name: Tres, vnd: int, rates: Mapping[Tres, int | Fraction]) -> int | None:
    """TRES-seconds, if all of the money were spent on this; None for what is free.

    Slurm limits each resource by itself: it stops whoever spends it all on one, and may let pass who spends
    it on several. The dearest resource, GPUs as a rule, is what counts.
    """
    rate = min((rates[priced] for priced in rates if _prices(priced, name)), default=None)
    if rate is None:
        return None if name == tres.MEM else 0
    per_unit = _MIB_PER_GIB if name == tres.MEM else 1
    return vnd * _SECONDS_PER_HOUR * per_unit // rate if rate else None


def _prices(priced: Tres, name: Tres) -> bool:
    """Whether one is paid for at the price of the other; a GPU of no type is one of some type."""
    return priced == name or (name == tres.GPU and priced.startswith(f"{tres.GPU}:"))


def _not_paid_for(assets: AbstractSet[Asset], known: AbstractSet[Tres]) -> Iterator[Tres]:
    """Resources that the allocation has neither a line nor money for."""
    for name in known:
        if name != tres.GPU and uncovered({name: 1}, assets) == name:
            yield name


def _untyped_gpus(limits: Mapping[Tres, int], known: AbstractSet[Tres]) -> dict[Tres, int]:
    """The limit of all GPUs together where only types have one: a request of no type would pass them by."""
    types = [name for name in known if name.startswith(f"{tres.GPU}:")]
    if tres.GPU in limits or not all(name in limits for name in types):
        return {}
    return {tres.GPU: sum(limits[name] for name in types)}
