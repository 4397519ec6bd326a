"""What a use of resources costs: one rounding per line item, and never a guess for what has no price."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from quotas.checks import require_whole
from quotas.errors import InvalidAmount, UnpricedResource
from quotas.money import Vnd, divide_half_up, split
from quotas.subsidies import NO_SUBSIDY, Subsidy
from schedulers import tres
from schedulers.tres import Tres, TresAmounts, require_tres, times

DEAREST_VND_PER_HOUR = 10**12
"""A million millions for an hour of anything is a slip of the pen."""
_SECONDS_PER_HOUR = 3600
_MIB_PER_GIB = 1024
_UNPRICED = frozenset({tres.NODE, "billing"})
"""What Slurm counts and nobody pays for: nodes are paid for by what they hold."""


@dataclass(frozen=True, slots=True)
class PriceItem:
    """What an hour of one resource costs; zero is a price, too: it says that the resource is free."""

    tres: Tres
    rate_vnd_per_hour: Vnd
    """For one unit: a CPU, a GPU, a licence; for `mem`, one GiB."""
    partition: str | None = None
    """None for all partitions; a partition's own price goes before it."""

    def __post_init__(self) -> None:
        require_tres(self.tres)
        if self.tres in _UNPRICED:
            raise InvalidAmount(self.tres, "is not priced: its CPUs, memory, GPUs and licences are")
        require_whole(self.tres, self.rate_vnd_per_hour, most=DEAREST_VND_PER_HOUR)


@dataclass(frozen=True, slots=True)
class PriceList:
    """A published version of the prices."""

    id: int
    version: int
    items: tuple[PriceItem, ...]
    _rates: dict[tuple[Tres, str | None], Vnd] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rates = {(item.tres, item.partition): item.rate_vnd_per_hour for item in self.items}
        if len(rates) != len(self.items):
            raise InvalidAmount("price list", "a resource has two prices in one partition")
        object.__setattr__(self, "_rates", rates)

    def rate(self, name: Tres, partition: str) -> Vnd:
        """The price of an hour of one unit.

        Raises:
            UnpricedResource: the list has none. Nothing is free by accident.
        """
        found = self._rates.get((name, partition))
        if found is None:
            found = self._rates.get((name, None))
        if found is None:
            raise UnpricedResource(name, partition, self.version)
        return found


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line of a bill."""

    tres: Tres
    tres_seconds: int
    rate_vnd_per_hour: Vnd
    list_vnd: Vnd
    subsidy_vnd: Vnd = 0

    @property
    def vnd(self) -> Vnd:
        """Net: what is to be paid."""
        return self.list_vnd - self.subsidy_vnd


@dataclass(frozen=True, slots=True)
class PricedLines:
    """A bill: list price, subsidy and net of it are the sums of those of its lines."""

    lines: tuple[PricedLine, ...]

    @property
    def list_vnd(self) -> Vnd:
        """The list price."""
        return sum(line.list_vnd for line in self.lines)

    @property
    def subsidy_vnd(self) -> Vnd:
        """The part of it that is not asked for."""
        return sum(line.subsidy_vnd for line in self.lines)

    @property
    def total(self) -> Vnd:
        """Net: what is to be paid."""
        return self.list_vnd - self.subsidy_vnd


def price(
    tres_seconds: TresAmounts, partition: str, price_list: PriceList, subsidy: Subsidy = NO_SUBSIDY
) -> PricedLines:
    """Price a use. More use never costs less, so a price of what was asked bounds that of what is used.

    The list price is rounded once for each line, the subsidy once for all of them; it is then cut in
    proportion to the lines, so that no line is below zero and the lines sum up exactly.

    A typed GPU is paid for by its type; the part of `gres/gpu` that no type accounts for by its own price.
    Where users may ask for a GPU of any type, price `gres/gpu` like the dearest one.

    Raises:
        UnpricedResource: something that is used, other than `node` and `billing`, has no price.
        InvalidAmount: an amount is negative.
    """
    lines = tuple(
        _line(name, amount, price_list.rate(name, partition)) for name, amount in _billable(tres_seconds)
    )
    total = sum(line.list_vnd for line in lines)
    if not (part := subsidy.of(total)):
        return PricedLines(lines)
    parts = split(part, [line.list_vnd for line in lines])
    return PricedLines(
        tuple(replace(line, subsidy_vnd=share) for line, share in zip(lines, parts, strict=True))
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """The most that a job can use and cost, if no run of it is requeued."""

    unit: Mapping[Tres, int]
    """TRES x seconds of one array task (or the whole job) that runs until its walltime."""
    units: int
    unit_price: PricedLines

    @property
    def tres_seconds(self) -> dict[Tres, int]:
        """TRES x seconds of all tasks."""
        return times(self.unit, self.units)

    @property
    def vnd(self) -> Vnd:
        """The net price of all tasks: of one, as rounded, times their number."""
        return self.unit_price.total * self.units

    @property
    def list_vnd(self) -> Vnd:
        """The list price of all tasks."""
        return self.unit_price.list_vnd * self.units

    @property
    def subsidy_vnd(self) -> Vnd:
        """The subsidy of all tasks."""
        return self.unit_price.subsidy_vnd * self.units


def estimate(  # noqa: PLR0913 - the facts of an estimate, by keyword
    request: TresAmounts,
    *,
    walltime_seconds: int,
    tasks: int,
    partition: str,
    price_list: PriceList,
    subsidy: Subsidy = NO_SUBSIDY,
) -> Estimate:
    """An upper bound of use and price, before anything runs.

    Raises:
        UnpricedResource: something that is asked for has no price.
        InvalidAmount: a number is negative, or the walltime or the number of tasks is zero.
    """
    for name, value in (("walltime_seconds", walltime_seconds), ("tasks", tasks)):
        if value < 1:
            raise InvalidAmount(name, "must be at least 1, not %(value)s", value=value)
    unit = times(request, walltime_seconds)
    return Estimate(unit=unit, units=tasks, unit_price=price(unit, partition, price_list, subsidy))


def _billable(amounts: TresAmounts) -> Iterator[tuple[Tres, int]]:
    typed_gpus = sum(_typed_gpu_amounts(amounts))
    for name in sorted(amounts):
        amount = amounts[name]
        if amount < 0:
            raise InvalidAmount(name, "must not be negative: %(value)s", value=amount)
        if name == tres.GPU:
            amount -= typed_gpus
        if amount > 0 and name not in _UNPRICED:
            yield name, amount


def _typed_gpu_amounts(amounts: TresAmounts) -> Iterable[int]:
    return (amount for name, amount in amounts.items() if name.startswith(f"{tres.GPU}:"))


def _line(name: Tres, amount: int, rate: Vnd) -> PricedLine:
    units_per_hour = _SECONDS_PER_HOUR * (_MIB_PER_GIB if name == tres.MEM else 1)
    return PricedLine(name, amount, rate, divide_half_up(amount * rate, units_per_hour))
