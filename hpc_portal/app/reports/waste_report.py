"""What jobs held and did not use, in hours and at list price: by line, and who left the most of it unused."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from heapq import nlargest
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from hpc_portal.app.actor import Actor
from hpc_portal.app.reports.memory_waste import MemoryUse, untouched
from hpc_portal.app.reports.scope import Tenants, visible_tenants
from hpc_portal.app.reports.usage import UsageQuery, asking, named, report_of, require_answerable
from quotas.errors import NoPriceList, UnpricedResource
from quotas.money import Vnd, divide_half_up
from quotas.pricing import PriceList
from quotas.publish_prices import current_price_list
from quotas.usage_report import Dimension, Usage, UsageTotal
from schedulers import tres
from schedulers.tres import Tres

MOST_NAMED = 10
"""Templates and people that are told as the most wasteful."""
_SECONDS_PER_HOUR = 3600
_MIB_PER_GIB = 1024
_TEMPLATES = (Dimension.WORKLOAD,)
_PEOPLE = (Dimension.PROJECT, Dimension.USER)
_PRICED_BY = (Dimension.PROJECT, Dimension.PARTITION, Dimension.GPU_TYPE)
_PRICED = ("cpu_seconds", "gpu_seconds", "mem_mib_seconds")
_RANKED = (
    *_PRICED,
    *("cpu_measured_seconds", "used_cpu_seconds", "gpu_measured_seconds", "gpu_busy_seconds"),
    *("mem_measured_runs", "mem_measured_mib_seconds", "mem_peak_mib_seconds"),
)
"""What tells how much somebody held, and how much of that in vain."""
_TOLD = ("runs", "uncharged_gpu_seconds", "list_vnd", "vnd", *_RANKED)
"""What is told of a line beside it, or puts lines in their order."""


@dataclass(frozen=True, slots=True)
class Waste:
    """Of one line, as far as it was measured; nothing is said about the rest."""

    of: Mapping[Dimension, str | date]
    usage: Usage
    """Only `_TOLD` of it."""
    unused_vnd: Vnd | None
    """What was not used, at the list prices in force now; None where there are none."""

    @property
    def memory(self) -> MemoryUse:
        """Of the runs whose peaks are known."""
        return MemoryUse.of(self.usage)

    @property
    def idle_gpu_seconds(self) -> int:
        """GPUs x seconds that jobs held while nothing ran on them."""
        return _unused(self.usage)[1]

    @property
    def idle_cpu_seconds(self) -> int:
        """The same of CPUs."""
        return _unused(self.usage)[0]

    @property
    def rank(self) -> tuple[int, ...]:
        """The higher, the more wasteful."""
        return _rank(self.unused_vnd, *_unused(self.usage))


@dataclass(frozen=True, slots=True)
class MostWasteful:
    """Those of many who left the most; of their use only `_RANKED`."""

    lines: Sequence[Waste]
    """`MOST_NAMED` at most."""
    of: int
    """How many there are."""


@dataclass(frozen=True, slots=True)
class WasteReport:
    """The answer; in every list the most wasteful first."""

    query: UsageQuery
    lines: Sequence[Waste]
    total: Waste
    templates: MostWasteful
    people: MostWasteful
    """By person and project."""
    covers_all: bool

    @property
    def memory(self) -> Mapping[tuple[str | date, ...], MemoryUse]:
        """By the respects that were asked for, where peaks are known."""
        return {tuple(line.of.values()): line.memory for line in self.lines if line.memory.asked}


def report_waste(connection: Connection, actor: Actor, query: UsageQuery, *, at: datetime) -> WasteReport:
    """Of what the actor may see, from the roll-ups.

    Raises:
        InvalidEntry: too many respects, too many days one by one, or more lines than anybody reads.
        NotFound: a filter names what does not exist, or what the actor may not see.
    """
    require_answerable(query)
    return waste_of(connection, visible_tenants(connection, actor), query, at=at)


def waste_of(connection: Connection, tenants: Tenants, query: UsageQuery, *, at: datetime) -> WasteReport:
    """The same for whoever sees these tenants, of a query that can be answered.

    Raises:
        InvalidEntry: more lines than anybody reads.
        NotFound: a filter names what does not exist, or what is not among the tenants.
    """
    report = report_of(connection, tenants, query, measures=_TOLD)
    ask = asking(connection, tenants, query)
    prices = _Prices.of(connection, ask(by=_PRICED_BY, measures=_PRICED), at=at)
    ids = {account: project_id for project_id, account in tenants.projects.items()}
    lines = [
        prices.judge(row.of, row.usage, ids.get(str(row.of.get(Dimension.PROJECT)))) for row in report.rows
    ]

    def most(*respects: Dimension) -> MostWasteful:
        found = ask(by=respects, measures=_RANKED)
        told = nlargest(MOST_NAMED, found, key=prices.rank)
        names = named(connection, tenants, told)
        ids_told = [one.of.get(Dimension.PROJECT) for one in told]
        return MostWasteful(
            [prices.judge(row.of, row.usage, key) for row, key in zip(names, ids_told, strict=True)],
            len(found),
        )

    return WasteReport(
        query=query,
        lines=sorted(lines, key=attrgetter("rank"), reverse=True),
        total=prices.judge({}, report.total, None),
        templates=most(*_TEMPLATES),
        people=most(*_PEOPLE),
        covers_all=report.covers_all,
    )


def _rank(unused_vnd: Vnd | None, cpu: int, gpu: int, mem: int) -> tuple[int, ...]:
    return unused_vnd or 0, gpu, cpu, mem


def _unused(usage: Usage) -> tuple[int, int, int]:
    """CPUs, GPUs and MiB x seconds that were held in vain."""
    return (
        max(usage.cpu_measured_seconds - usage.used_cpu_seconds, 0),
        max(usage.gpu_measured_seconds - usage.gpu_busy_seconds, 0),
        untouched(usage.mem_measured_mib_seconds, usage.mem_peak_mib_seconds),
    )


@dataclass(frozen=True)
class _Prices:
    """What an hour of each resource costs on average, weighed by what was held: of a project, or of all.

    Roll-ups that tell people apart do not tell partitions apart, and the other way round.
    """

    held: Sequence[UsageTotal]
    """By project, partition and type of GPU."""
    price_list: PriceList | None

    @classmethod
    def of(cls, connection: Connection, held: Sequence[UsageTotal], *, at: datetime) -> "_Prices":
        try:
            return cls(held, current_price_list(connection, at))
        except NoPriceList:
            return cls(held, None)

    def judge(self, of: Mapping[Dimension, Any], usage: Usage, project_id: UUID | None) -> Waste:
        """The line with what its unused part is worth."""
        return Waste(of, usage, self._worth(_unused(usage), project_id))

    def rank(self, one: UsageTotal) -> tuple[int, ...]:
        """Of what is not a line yet: as a line's, and of equals whoever held more is the higher."""
        unused = _unused(one.usage)
        worth = self._worth(unused, one.of.get(Dimension.PROJECT))
        return *_rank(worth, *unused), one.usage.gpu_seconds, one.usage.cpu_seconds

    def _worth(self, unused: tuple[int, int, int], project_id: UUID | None) -> Vnd | None:
        if self.price_list is None:
            return None
        averages = self._averages.get(project_id) or self._averages[None]
        return sum(map(_Average.price, averages, unused))

    @cached_property
    def _averages(self) -> Mapping[UUID | None, Sequence["_Average"]]:
        """By project; None is of all."""
        projects: dict[UUID | None, list[UsageTotal]] = defaultdict(list)
        for one in self.held:
            projects[one.of[Dimension.PROJECT]].append(one)
        projects[None] = list(self.held)
        return {key: self._average(held) for key, held in projects.items()}

    def _average(self, held: Iterable[UsageTotal]) -> Sequence["_Average"]:
        cpu, gpu, mem = _Average(), _Average(), _Average(_SECONDS_PER_HOUR * _MIB_PER_GIB)
        for one in held:
            partition, kind = str(one.of[Dimension.PARTITION]), str(one.of[Dimension.GPU_TYPE])
            cpu.add(one.usage.cpu_seconds, self._rate(tres.CPU, partition))
            mem.add(one.usage.mem_mib_seconds, self._rate(tres.MEM, partition))
            if kind:
                typed = (
                    [f"{tres.GPU}:{name}" for name in kind.split("+")] if kind != "untyped" else [tres.GPU]
                )
                gpu.add(one.usage.gpu_seconds, min(self._rate(name, partition) for name in typed))
        return cpu, gpu, mem

    def _rate(self, name: Tres, partition: str) -> Vnd:
        """0 for what has no price: it costs nothing to leave it unused."""
        key = name, partition
        if key not in self._rates:
            try:
                self._rates[key] = self.price_list.rate(name, partition) if self.price_list else 0
            except UnpricedResource:
                self._rates[key] = 0
        return self._rates[key]

    @cached_property
    def _rates(self) -> dict[tuple[Tres, str], Vnd]:
        """Those that were looked up: each is asked for by every project and type of GPU."""
        return {}


@dataclass(slots=True)
class _Average:
    """An average price, exact until it is asked for money."""

    amounts_per_unit_hour: int = _SECONDS_PER_HOUR
    held: int = 0
    worth: int = 0

    def add(self, amount: int, rate: Vnd) -> None:
        """So much of it was held where an hour of a unit costs so much."""
        self.held += amount
        self.worth += amount * rate

    def price(self, amount: int) -> Vnd:
        """Of a part of what was held; 0 where nothing was."""
        if not self.held:
            return 0
        return divide_half_up(amount * self.worth, self.held * self.amounts_per_unit_hour)
