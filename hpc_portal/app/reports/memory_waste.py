"""Memory that jobs asked for and never touched: of the newest runs, for roll-ups keep no peaks."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Connection, Text, case, cast, func, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.ids import first_id_at
from hpc_portal.app.reports.document import Amount, Cell, Column, Share, Table
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.phrases import say
from hpc_portal.app.reports.scope import Tenants, names_of_people
from hpc_portal.app.reports.usage import UsageQuery, matching
from hpc_portal.app.reports.usage_document import dimension_cell, dimension_column
from hpc_portal.app.reports.written import number
from hpc_portal.app.tables import Job, JobTask
from quotas.slice_run import city_day
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


def measured_runs(
    connection: Connection,
    actor: Actor,
    tenants: Tenants,
    query: UsageQuery,
    told_apart: Iterable[Dimension],
) -> list[MeasuredRuns]:
    """The newest runs of what is asked, of these tenants and as far as the actor may see them.

    They are told apart by these respects; what was not measured is left out. The database adds up what is
    alike: there are far fewer kinds of runs than runs, except where days are told apart.

    Raises:
        NotFound: a filter names what does not exist, or what the actor may not see.
    """
    begin, end = _instants(query.period)
    wanted = query.where.get(Dimension.GPU_TYPE)
    respects = {*told_apart, *([] if wanted is None else [Dimension.GPU_TYPE])}
    columns = {key: column for key, column in _COLUMNS.items() if respects.intersection(_READ_FROM[key])}
    newest = (
        select(
            *columns.values(),
            cast(col(JobTask.allocated_tres)[tres.MEM].as_integer(), BigInteger).label("asked"),
            col(JobTask.max_rss_mib).label("peak"),
            col(JobTask.elapsed_seconds).label("seconds"),
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
        .order_by(col(JobTask.job_id).desc(), col(JobTask.task_index).desc(), col(JobTask.attempt).desc())
        .limit(MOST_RUNS)
        .subquery()
    )
    alike = [newest.c[key] for key in columns]
    needed = case((newest.c.peak < newest.c.asked, newest.c.peak), else_=newest.c.asked)
    rows = connection.execute(
        select(
            *alike,
            func.count(),
            func.sum(newest.c.asked * newest.c.seconds),
            func.sum(needed * newest.c.seconds),
        )
        .where(newest.c.asked > 0)
        .group_by(*alike)
    ).all()
    names: dict[UUID, str] = {**tenants.projects, **tenants.organisations}
    if "user" in columns:
        names |= names_of_people(connection, {row.user for row in rows})
    found = []
    for row in rows:
        of = _named(dict(zip(columns, row, strict=False)), respects, names)
        if wanted is None or of[Dimension.GPU_TYPE] == wanted:
            found.append(MeasuredRuns(of, MemoryUse(*map(int, row[len(columns) :]))))
    return found


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


_PLAIN = (
    *(Dimension.ORGANISATION, Dimension.PROJECT, Dimension.USER),
    *(Dimension.CLUSTER, Dimension.PARTITION, Dimension.STATE),
)
"""Respects that are a column's value, or the name of the id in it."""
_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "organisation": col(Job.organisation_id).label("organisation"),
    "project": col(Job.project_id).label("project"),
    "user": col(Job.user_id).label("user"),
    "cluster": col(Job.scheduler).label("cluster"),
    "partition": col(Job.partition).label("partition"),
    "template": col(Job.template).label("template"),
    "state": col(JobTask.state).label("state"),
    "ended_at": col(JobTask.ended_at).label("ended_at"),
    "allocated": cast(col(JobTask.allocated_tres), Text).label("allocated"),
}
_READ_FROM: Mapping[str, Collection[Dimension]] = {
    **{key.value: [key] for key in _PLAIN},
    "template": [Dimension.WORKLOAD],
    "ended_at": [Dimension.DAY, Dimension.MONTH],
    "allocated": [Dimension.GPU_TYPE],
}
"""Which respects a column tells."""


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
        elif key in _PLAIN:
            column = _COLUMNS[key.value]
            found.append(column.in_(value) if isinstance(value, list) else column == value)
    return found


def _named(row: Mapping[str, Any], respects: Iterable[Dimension], names: Mapping[UUID, str]) -> Names:
    """What a row of `_COLUMNS` is of, in the words of `UsageRow`."""
    of: dict[Dimension, str | date] = {}
    for key in respects:
        match key:
            case Dimension.WORKLOAD:
                of[key] = (row["template"] or "").partition("@")[0]
            case Dimension.DAY:
                of[key] = city_day(row["ended_at"])
            case Dimension.MONTH:
                of[key] = city_day(row["ended_at"]).replace(day=1)
            case Dimension.GPU_TYPE:
                of[key] = _gpu_type(json.loads(row["allocated"]))
            case _:
                value = row[key.value]
                of[key] = names.get(value, "") if isinstance(value, UUID) else str(value)
    return of


def _gpu_type(allocated: Mapping[str, int]) -> str:
    """As roll-ups name it: "" without GPUs, "untyped", or the types joined with "+"."""
    prefix = f"{tres.GPU}:"
    types = sorted(name.removeprefix(prefix) for name, count in allocated.items() if count and prefix in name)
    return "+".join(types) or ("untyped" if allocated.get(tres.GPU) else "")
