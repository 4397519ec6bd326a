"""Memory that jobs asked for and never touched: of the newest runs, for roll-ups keep no peaks."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fractions import Fraction
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.ids import first_id_at
from hpc_portal.app.reports.document import Amount, Cell, Column, Share, Table
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.phrases import say
from hpc_portal.app.reports.scope import visible_tenants
from hpc_portal.app.reports.written import number
from hpc_portal.app.tables import Job, JobTask
from schedulers import tres
from schedulers.units import CITY_TIME

MOST_RUNS = 20_000
"""Read for one report, the newest first."""
_LONGEST_LIFE = timedelta(days=60)
"""From submission to end: older jobs are not looked for."""


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Of one project: MiB x seconds."""

    project: str
    runs: int
    asked: int
    peak: int
    """As if each run had needed its peak all the time."""

    @property
    def untouched(self) -> int:
        """Asked for, and never needed, not even for a moment."""
        return max(self.asked - self.peak, 0)


def memory_use(connection: Connection, actor: Actor, period: Period) -> list[MemoryUse]:
    """By project of what the actor may see, the most untouched first. What was not measured is left out."""
    begin, end = (datetime.combine(day, time(), CITY_TIME) for day in (period.since, period.until))
    rows = connection.execute(
        select(
            col(Job.project_id),
            col(JobTask.allocated_tres),
            col(JobTask.max_rss_mib),
            col(JobTask.elapsed_seconds),
        )
        .join(Job, col(Job.id) == col(JobTask.job_id))
        .where(
            permissions.visible_jobs(actor),
            col(JobTask.job_id) >= first_id_at(begin - _LONGEST_LIFE),
            col(JobTask.job_id) < first_id_at(end),
            col(JobTask.ended_at) >= begin,
            col(JobTask.ended_at) < end,
            col(JobTask.elapsed_seconds) > 0,
            col(JobTask.max_rss_mib) > 0,
        )
        .order_by(col(JobTask.job_id).desc())
        .limit(MOST_RUNS)
    )
    sums: dict[UUID, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        asked = (row.allocated_tres or {}).get(tres.MEM, 0)
        if asked:
            total = sums[row.project_id]
            total[0] += 1
            total[1] += asked * row.elapsed_seconds
            total[2] += min(row.max_rss_mib, asked) * row.elapsed_seconds
    names = visible_tenants(connection, actor).projects
    found = [MemoryUse(names.get(key, ""), *total) for key, total in sums.items()]
    return sorted(found, key=lambda one: (-one.untouched, one.project))


def memory_table(found: Sequence[MemoryUse], language: str) -> Table:
    """A line for each project. Pure."""
    numbers = (
        ("runs", "runs"),
        ("asked_mib_seconds", "memory_asked"),
        ("peak_mib_seconds", "memory_peak"),
        ("untouched_mib_seconds", "memory_untouched"),
        ("peak_share", "memory_share"),
    )
    rows: list[list[Cell]] = [
        [
            one.project,
            one.runs,
            *(Amount(tres.MEM, amount) for amount in (one.asked, one.peak, one.untouched)),
            Share(one.peak, one.asked),
        ]
        for one in found
    ]
    return Table(
        key="memory",
        title=say("memory_waste", language),
        columns=[
            Column("project", say("project", language)),
            *(Column(key, say(phrase, language), is_number=True) for key, phrase in numbers),
        ],
        rows=rows,
        note=say("memory_note", language, runs=number(Fraction(MOST_RUNS), language)),
    )
