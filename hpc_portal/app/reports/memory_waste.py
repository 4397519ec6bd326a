"""Memory that jobs asked for and never touched: of the newest runs, for roll-ups keep no peaks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.ids import first_id_at
from hpc_portal.app.reports.document import Amount, Cell, Column, Share, Table
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.phrases import say
from hpc_portal.app.reports.scope import names_of_people, visible_tenants
from hpc_portal.app.reports.usage import UsageQuery, matching
from hpc_portal.app.reports.usage_document import dimension_cell, dimension_column
from hpc_portal.app.reports.written import number
from hpc_portal.app.tables import Job, JobTask
from quotas.usage_report import Dimension
from schedulers import tres
from schedulers.units import CITY_TIME

MOST_RUNS = 20_000
"""Read for one report, the newest first."""
_LONGEST_LIFE = timedelta(days=60)
"""From submission to end: older jobs are not looked for."""

Names: TypeAlias = Mapping[Dimension, str | date]
"""What a run or a line is of, in the words of `UsageRow`."""


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Of several runs: MiB x seconds."""

    runs: int = 0
    asked: int = 0
    peak: int = 0
    """As if each run had needed its peak all the time."""

    @property
    def untouched(self) -> int:
        """Asked for, and never needed, not even for a moment."""
        return max(self.asked - self.peak, 0)


@dataclass(frozen=True, slots=True)
class MeasuredRuns:
    """Runs whose peaks are known and that are alike in every respect."""

    of: Names
    use: MemoryUse


def measured_runs(connection: Connection, actor: Actor, query: UsageQuery) -> list[MeasuredRuns]:
    """The newest runs of what is asked that the actor may see; what was not measured is left out.

    Raises:
        NotFound: a filter names what does not exist, or what the actor may not see.
    """
    tenants = visible_tenants(connection, actor)
    begin, end = _instants(query.period)
    rows = connection.execute(
        select(
            *_COLUMNS.values(),
            col(JobTask.allocated_tres),
            col(JobTask.max_rss_mib),
            col(JobTask.elapsed_seconds),
            col(JobTask.ended_at),
        )
        .join(Job, col(Job.id) == col(JobTask.job_id))
        .where(
            permissions.visible_jobs(actor),
            *_conditions(matching(connection, tenants, query.where)),
            col(JobTask.job_id) >= first_id_at(begin - _LONGEST_LIFE),
            col(JobTask.job_id) < first_id_at(end),
            col(JobTask.ended_at) >= begin,
            col(JobTask.ended_at) < end,
            col(JobTask.elapsed_seconds) > 0,
            col(JobTask.max_rss_mib) > 0,
        )
        .order_by(col(JobTask.job_id).desc())
        .limit(MOST_RUNS)
    ).all()
    names: dict[UUID, str] = {**tenants.projects, **tenants.organisations}
    names |= names_of_people(connection, {row.user for row in rows})
    wanted = query.where.get(Dimension.GPU_TYPE)
    return [
        MeasuredRuns(_named(key, names), use)
        for key, use in _add_up_alike(rows).items()
        if wanted is None or key.gpu_type == wanted
    ]


def add_up_by(
    runs: Iterable[MeasuredRuns], by: Sequence[Dimension]
) -> dict[tuple[str | date, ...], MemoryUse]:
    """Their sums, by the values of `by` in its order."""
    sums: dict[tuple[str | date, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for run in runs:
        total = sums[tuple(run.of[key] for key in by)]
        for place, amount in enumerate((run.use.runs, run.use.asked, run.use.peak)):
            total[place] += amount
    return {key: MemoryUse(*total) for key, total in sums.items()}


def memory_table(
    found: Mapping[tuple[str | date, ...], MemoryUse], by: Sequence[Dimension], language: str
) -> Table:
    """A line for each combination, the most untouched first. Pure."""
    numbers = (
        ("runs", "runs"),
        ("asked_mib_seconds", "memory_asked"),
        ("peak_mib_seconds", "memory_peak"),
        ("untouched_mib_seconds", "memory_untouched"),
        ("peak_share", "memory_share"),
    )
    ordered = sorted(found.items(), key=lambda one: (-one[1].untouched, tuple(map(str, one[0]))))
    rows: list[list[Cell]] = [
        [
            *(dimension_cell(key, value, language) for key, value in zip(by, values, strict=True)),
            use.runs,
            *(Amount(tres.MEM, amount) for amount in (use.asked, use.peak, use.untouched)),
            Share(use.peak, use.asked),
        ]
        for values, use in ordered
    ]
    return Table(
        key="memory",
        title=say("memory_waste", language),
        columns=[
            *(dimension_column(key, language) for key in by),
            *(Column(key, say(phrase, language), is_number=True) for key, phrase in numbers),
        ],
        rows=rows,
        note=say("memory_note", language, runs=number(Fraction(MOST_RUNS), language)),
    )


_COLUMNS: Mapping[Dimension, ColumnElement[Any]] = {
    Dimension.ORGANISATION: col(Job.organisation_id).label("organisation"),
    Dimension.PROJECT: col(Job.project_id).label("project"),
    Dimension.USER: col(Job.user_id).label("user"),
    Dimension.CLUSTER: col(Job.scheduler).label("cluster"),
    Dimension.PARTITION: col(Job.partition).label("partition"),
    Dimension.WORKLOAD: col(Job.template).label("workload"),
    Dimension.STATE: col(JobTask.state).label("state"),
}
_READ: Mapping[Dimension, Callable[[Any], str]] = {
    Dimension.WORKLOAD: lambda template: (template or "").partition("@")[0],
    Dimension.STATE: str,
}


def _instants(period: Period) -> tuple[datetime, datetime]:
    begin, end = (datetime.combine(day, time(), CITY_TIME) for day in (period.since, period.until))
    return begin, end


def _conditions(where: Mapping[Dimension, object]) -> list[ColumnElement[bool]]:
    """What roll-ups are narrowed by, of runs; types of GPUs are looked at afterwards."""
    found: list[ColumnElement[bool]] = []
    for key, value in where.items():
        if key is Dimension.WORKLOAD:
            template = col(Job.template)
            exact = template == value if value else template.is_(None)
            found.append(exact | template.startswith(f"{value}@", autoescape=True) if value else exact)
        elif key in _COLUMNS:
            column = _COLUMNS[key]
            found.append(column.in_(value) if isinstance(value, list) else column == value)
    return found


class _Alike(NamedTuple):
    """What runs have in common."""

    values: tuple[Any, ...]
    """Of `_COLUMNS`, as the database has them."""
    day: date
    gpu_type: str


def _add_up_alike(rows: Iterable[Row[*tuple[Any, ...]]]) -> dict[_Alike, MemoryUse]:
    """First of all: there are far fewer kinds of runs than runs."""
    sums: dict[_Alike, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        if asked := (row.allocated_tres or {}).get(tres.MEM, 0):
            day = row.ended_at.astimezone(CITY_TIME).date()
            total = sums[_Alike(tuple(row[: len(_COLUMNS)]), day, _gpu_type(row.allocated_tres))]
            total[0] += 1
            total[1] += asked * row.elapsed_seconds
            total[2] += min(row.max_rss_mib, asked) * row.elapsed_seconds
    return {key: MemoryUse(*total) for key, total in sums.items()}


def _named(key: _Alike, names: Mapping[UUID, str]) -> Names:
    of: dict[Dimension, str | date] = {
        Dimension.DAY: key.day,
        Dimension.MONTH: key.day.replace(day=1),
        Dimension.GPU_TYPE: key.gpu_type,
    }
    for dimension, value in zip(_COLUMNS, key.values, strict=True):
        is_id = isinstance(value, UUID)
        of[dimension] = names.get(value, "") if is_id else _READ.get(dimension, str)(value)
    return of


def _gpu_type(allocated: Mapping[str, int]) -> str:
    """As roll-ups name it: "" without GPUs, "untyped", or the types joined with "+"."""
    prefix = f"{tres.GPU}:"
    types = sorted(name.removeprefix(prefix) for name, count in allocated.items() if count and prefix in name)
    return "+".join(types) or ("untyped" if allocated.get(tres.GPU) else "")
