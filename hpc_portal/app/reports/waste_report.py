"""What jobs held and did not use, in hours and at list price: by line, and who left the most of it unused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

from sqlalchemy import Connection

from hpc_portal.app.actor import Actor
from hpc_portal.app.reports.memory_waste import MemoryUse
from hpc_portal.app.reports.scope import visible_tenants
from hpc_portal.app.reports.usage import UsageQuery, UsageReport, UsageRow, report_of, require_answerable
from quotas.errors import NoPriceList, UnpricedResource
from quotas.money import Vnd, divide_half_up
from quotas.pricing import PriceList
from quotas.publish_prices import current_price_list
from quotas.usage_report import Dimension, Usage
from schedulers import tres
from schedulers.tres import Tres

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


@dataclass(frozen=True, slots=True)
class Waste:
    """Of one line, as far as it was measured; nothing is said about the rest."""

    of: Mapping[Dimension, str | date]
    usage: Usage
    unused_vnd: Vnd | None
    """What was not used, at the list prices in force now; None where there are none."""

    @property
    def memory(self) -> MemoryUse:
        """Of the runs whose peaks are known."""
        return MemoryUse.of(self.usage)

    @property
    def idle_gpu_seconds(self) -> int:
        """GPUs x seconds that jobs held while nothing ran on them."""
        return max(self.usage.gpu_measured_seconds - self.usage.gpu_busy_seconds, 0)

    @property
    def idle_cpu_seconds(self) -> int:
        """The same of CPUs."""
        return max(self.usage.cpu_measured_seconds - self.usage.used_cpu_seconds, 0)

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """The higher, the more wasteful."""
        return self.unused_vnd or 0, self.idle_gpu_seconds, self.idle_cpu_seconds, self.memory.untouched


@dataclass(frozen=True, slots=True)
class WasteReport:
    """The answer; in every list the most wasteful first."""

    query: UsageQuery
    lines: Sequence[Waste]
    total: Waste
    templates: Sequence[Waste]
    """By template, all of them; of their use only `_RANKED`."""
    people: Sequence[Waste]
    """By person and project, likewise."""
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
    tenants = visible_tenants(connection, actor)
    report = report_of(connection, tenants, query)
    held = report_of(connection, tenants, replace(query, by=_PRICED_BY), measures=_PRICED).rows
    prices = _Prices.of(connection, held, at=at)

    def judge(found: UsageReport) -> list[Waste]:
        return sorted(map(prices.judge, found.rows), key=lambda line: line.rank, reverse=True)

    def by(*respects: Dimension) -> list[Waste]:
        return judge(report_of(connection, tenants, replace(query, by=respects), measures=_RANKED))

    return WasteReport(
        query=query,
        lines=judge(report),
        total=prices.judge(UsageRow({}, report.total)),
        templates=by(*_TEMPLATES),
        people=by(*_PEOPLE),
        covers_all=report.covers_all,
    )


@dataclass(frozen=True)
class _Prices:
    """What an hour of each resource costs on average, weighed by what was held: of a project, or of all.

    Roll-ups that tell people apart do not tell partitions apart, and the other way round.
    """

    held: Sequence[UsageRow]
    """By project, partition and type of GPU."""
    price_list: PriceList | None

    @classmethod
    def of(cls, connection: Connection, held: Sequence[UsageRow], *, at: datetime) -> "_Prices":
        try:
            return cls(held, current_price_list(connection, at))
        except NoPriceList:
            return cls(held, None)

    def judge(self, row: UsageRow) -> Waste:
        """The line with what its unused part is worth."""
        line = Waste(row.of, row.usage, None)
        if self.price_list is None:
            return line
        averages = self._averages.get(row.of.get(Dimension.PROJECT), self._averages[None])
        unused = (line.idle_cpu_seconds, line.idle_gpu_seconds, line.memory.untouched)
        return Waste(row.of, row.usage, sum(map(_Average.price, averages, unused)))

    @cached_property
    def _averages(self) -> Mapping[str | date | None, Sequence["_Average"]]:
        """By project; None is of all."""
        projects: dict[str | date | None, list[UsageRow]] = {None: list(self.held)}
        for row in self.held:
            projects.setdefault(row.of[Dimension.PROJECT], []).append(row)
        return {key: self._average(rows) for key, rows in projects.items()}

    def _average(self, rows: Iterable[UsageRow]) -> Sequence["_Average"]:
        cpu, gpu, mem = _Average(), _Average(), _Average(_SECONDS_PER_HOUR * _MIB_PER_GIB)
        for row in rows:
            partition, kind = str(row.of[Dimension.PARTITION]), str(row.of[Dimension.GPU_TYPE])
            cpu.add(row.usage.cpu_seconds, self._rate(tres.CPU, partition))
            mem.add(row.usage.mem_mib_seconds, self._rate(tres.MEM, partition))
            if kind:
                typed = [f"{tres.GPU}:{one}" for one in kind.split("+")] if kind != "untyped" else [tres.GPU]
                gpu.add(row.usage.gpu_seconds, min(self._rate(one, partition) for one in typed))
        return cpu, gpu, mem

    def _rate(self, name: Tres, partition: str) -> Vnd:
        """0 for what has no price: it costs nothing to leave it unused."""
        try:
            return self.price_list.rate(name, partition) if self.price_list else 0
        except UnpricedResource:
            return 0


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
