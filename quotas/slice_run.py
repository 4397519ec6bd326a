"""Cut a run at the city's midnights, so that the parts always sum to the run: exactly, in every measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from quotas.amounts import Asset
from quotas.money import Vnd, split
from schedulers import tres
from schedulers.units import CITY_TIME

_GPU_OF_TYPE = f"{tres.GPU}:"
_LICENCE = tres.license_tres("")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """What roll-ups count of a run; the names are those of `AccountingRecord`'s columns."""

    project_id: UUID
    allocation_id: UUID
    user_id: UUID
    cluster: str
    partition: str
    workload: str
    state: str
    started_at: datetime | None
    ended_at: datetime
    elapsed_seconds: int
    tres_seconds: Mapping[Asset, int]
    is_charged: bool
    vnd: Vnd
    subsidy_vnd: Vnd
    used_cpu_seconds: int | None
    gpu_busy_seconds: int | None
    peak_mem_mib: int | None
    waited_seconds: int | None

    @property
    def gpu_type(self) -> str:
        """Nothing without GPUs, "untyped", or the types it had, joined with "+"."""
        types = sorted(
            name.removeprefix(_GPU_OF_TYPE)
            for name, amount in self.tres_seconds.items()
            if amount and name.startswith(_GPU_OF_TYPE)
        )
        if types:
            return "+".join(types)
        return "untyped" if self.tres_seconds.get(tres.GPU) else ""

    @property
    def has_measured_memory(self) -> bool:
        """Whether it had memory, and it is known how much of it was needed."""
        return self.peak_mem_mib is not None and bool(self.tres_seconds.get(tres.MEM))

    @property
    def peak_mem_mib_seconds(self) -> int:
        """Its peak as if it had lasted, and no more than it was given: more is no saving elsewhere."""
        return min((self.peak_mem_mib or 0) * self.elapsed_seconds, self.tres_seconds.get(tres.MEM, 0))


def recorded_run(record: Mapping[str, Any]) -> RecordedRun:
    """The run in a row of `AccountingRecord`, or in what is about to become one."""
    return RecordedRun(**{name: record[name] for name in RecordedRun.__slots__})


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a run that lies in one day. What counts a run as a whole counts on its last day."""

    day: date
    is_last: bool
    elapsed_seconds: int
    tres_seconds: Mapping[Asset, int]
    vnd: Vnd
    subsidy_vnd: Vnd
    used_cpu_seconds: int
    gpu_busy_seconds: int
    mem_peak_mib_seconds: int


def slice_run(run: RecordedRun) -> list[Slice]:
    """The slices of a run, by day.

    Elapsed seconds are cut by how the time from start to end lies over the days, and all else by those
    whole seconds: a TRES that was held throughout has exactly its count x the slice's seconds. Each cut is
    the difference of two rounded running sums (`quotas.money.split`), so that nothing is lost or made up.
    """
    used_cpu, gpu_busy = run.used_cpu_seconds or 0, run.gpu_busy_seconds or 0
    last = city_day(run.ended_at)
    if not run.elapsed_seconds or run.started_at is None or city_day(run.started_at) >= last:
        whole = (run.elapsed_seconds, run.tres_seconds, run.vnd, run.subsidy_vnd, used_cpu, gpu_busy)
        return [Slice(last, True, *whole, run.peak_mem_mib_seconds)]
    days, weights = _time_by_day(run.started_at, run.ended_at)
    seconds = split(run.elapsed_seconds, weights)
    tres_parts = {name: split(amount, seconds) for name, amount in run.tres_seconds.items()}
    return [
        Slice(
            day=day,
            is_last=number == len(days) - 1,
            elapsed_seconds=part[0],
            tres_seconds={name: parts[number] for name, parts in tres_parts.items() if parts[number]},
            vnd=part[1],
            subsidy_vnd=part[2],
            used_cpu_seconds=part[3],
            gpu_busy_seconds=part[4],
            mem_peak_mib_seconds=part[5],
        )
        for number, (day, *part) in enumerate(
            zip(
                days,
                seconds,
                split(run.vnd, seconds),
                split(run.subsidy_vnd, seconds),
                split(used_cpu, seconds),
                split(gpu_busy, seconds),
                split(run.peak_mem_mib_seconds, seconds),
                strict=True,
            )
        )
    ]


def city_day(at: datetime) -> date:
    """The local day of an instant."""
    return at.astimezone(CITY_TIME).date()


def day_begins_at(day: date) -> datetime:
    """The instant of a local midnight, as UTC."""
    return datetime.combine(day, time(), CITY_TIME).astimezone(UTC)


def licence_seconds(tres_seconds: Mapping[Asset, int]) -> int:
    """Of all licences together."""
    return sum(amount for name, amount in tres_seconds.items() if name.startswith(_LICENCE))


def _time_by_day(start: datetime, end: datetime) -> tuple[Sequence[date], Sequence[int]]:
    """The days from start to end, and how many microseconds of each lie between them."""
    days, weights = [], []
    while start < end:
        day = city_day(start)
        until = min(day_begins_at(day + timedelta(days=1)), end)
        days.append(day)
        weights.append((until - start) // _MICROSECOND)
        start = until
    return days, weights
