"""Compare the books with a cluster's accounting, day by day and account by account, for 35 days."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import structlog
from pydantic import TypeAdapter
from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.accounting.check_step import begin_check, finish_check
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.tables import ExternalReader, UnclaimedRun
from quotas import discrepancies
from quotas.discrepancies import LONGEST_KEY, Finding
from quotas.slice_run import RecordedRun, city_day, day_begins_at, slice_run
from quotas.tables import Project
from quotas.usage_report import Basis, Dimension, usage_totals
from quotas.usage_tables import NOBODY, DiscrepancyKind
from schedulers import tres
from schedulers.errors import SchedulerUnavailable
from schedulers.external import ExternalJobs, ExternalRun
from schedulers.tres import times

log = structlog.get_logger()

_DAYS = 35
_SETTLED_WITHIN = timedelta(days=4)
"""Records come three days late when slurmdbd was away; younger days are compared another night."""
_RUN = TypeAdapter(ExternalRun)
_MEASURES = ("elapsed_seconds", "cpu_seconds", "gpu_seconds")

Sums: TypeAlias = dict[tuple[date, str], tuple[int, int, int]]
"""By day and account: elapsed, CPU- and GPU-seconds."""


@dataclass(slots=True)
class CompareClusterStep:
    """The controller's nightly comparison with the accounting of its cluster."""

    context: ControllerContext
    source: ExternalJobs

    async def __call__(self) -> bool:
        """Compare if nobody did today; False: no more to do at once.

        Raises:
            LeaseLost: another controller is active; nothing was written.
        """
        context, now = self.context, self.context.clock.now()
        cluster, today = context.scheduler.name, city_day(now)
        since = await context.read(lambda connection: _first_day(connection, cluster, today))
        until = city_day(now - _SETTLED_WITHIN)
        if since is None or since >= until:
            return False
        name = f"cluster:{cluster}"
        if not await context.write(lambda connection: begin_check(connection, name, today)):
            return False
        try:
            theirs = await self._theirs(since, until)
        except SchedulerUnavailable as problem:
            log.warning("accounting.cluster_not_compared", cluster=cluster, problem=str(problem))
            return False
        ours = await context.read(lambda connection: our_sums(connection, cluster, since, until))
        findings = compare(cluster, ours, theirs)
        await context.write(lambda connection: _keep(connection, name, findings, since, until, at=now))
        log.info("accounting.cluster_compared", cluster=cluster, since=str(since), found=len(findings))
        return False

    async def _theirs(self, since: date, until: date) -> Sums:
        """The cluster's sums, asked for day by day: each window has every run that touches it."""
        sums: Sums = {}
        for number in range((until - since).days):
            day = since + timedelta(days=number)
            after = day + timedelta(days=1)
            runs = await self.source.runs(start=day_begins_at(day), end=day_begins_at(after))
            sums |= await asyncio.to_thread(sum_runs, runs, day, after)
        return sums


def sum_runs(runs: Iterable[ExternalRun], since: date, until: date) -> Sums:
    """What ended runs used on each day from `since` up to, not including, `until`, by account. Pure.

    A run that is told of twice counts once.
    """
    sums: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for run in {(run.key, run.submitted_at): run for run in runs}.values():
        if run.started_at is None or run.ended_at is None:
            continue
        for part in slice_run(_recorded(run, run.ended_at)):
            if since <= part.day < until:
                total = sums[part.day, run.account]
                total[0] += part.elapsed_seconds
                total[1] += part.tres_seconds.get(tres.CPU, 0)
                total[2] += part.tres_seconds.get(tres.GPU, 0)
    return {key: (total[0], total[1], total[2]) for key, total in sums.items() if any(total)}


def our_sums(connection: Connection, cluster: str, since: date, until: date) -> Sums:
    """What the books have for a cluster, with what is in suspense."""
    accounts: Mapping[UUID, str] = {
        row.id: row.account for row in connection.execute(select(col(Project.id), col(Project.account)))
    }
    charged = usage_totals(
        connection,
        by=(Dimension.DAY, Dimension.PROJECT),
        since=since,
        until=until,
        where={Dimension.CLUSTER: cluster},
        basis=Basis.OCCURRED,
    )
    records = connection.execute(select(col(UnclaimedRun.record)).where(col(UnclaimedRun.cluster) == cluster))
    sums = sum_runs([_RUN.validate_python(record) for record in records.scalars()], since, until)
    for one in charged:
        key = one.of[Dimension.DAY], accounts.get(one.of[Dimension.PROJECT], "")
        before = sums.get(key, (0, 0, 0))
        used = one.usage
        sums[key] = (
            before[0] + used.elapsed_seconds,
            before[1] + used.cpu_seconds,
            before[2] + used.gpu_seconds,
        )
    return sums


def compare(cluster: str, ours: Sums, theirs: Sums) -> list[Finding]:
    """Where the two differ, one finding for each day and account. Pure."""
    nothing = (0, 0, 0)
    findings = []
    for day, account in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get((day, account), nothing), theirs.get((day, account), nothing)
        if mine != other:
            facts = {
                "cluster": cluster,
                "day": day.isoformat(),
                "account": account,
                "expected": dict(zip(_MEASURES, other, strict=True)),
                "found": dict(zip(_MEASURES, mine, strict=True)),
            }
            key = f"{_prefix(cluster, day)}{account}"[:LONGEST_KEY]
            findings.append(Finding(DiscrepancyKind.CLUSTER_DAY, key, facts))
    return findings


def _first_day(connection: Connection, cluster: str, today: date) -> date | None:
    """The first whole day that was read; None before anything was."""
    began_at = connection.execute(
        select(col(ExternalReader.began_at)).where(col(ExternalReader.cluster) == cluster)
    ).scalar()
    if began_at is None:
        return None
    return max(city_day(began_at) + timedelta(days=1), today - timedelta(days=_DAYS))


def _keep(  # noqa: PLR0913 - what was compared
    connection: Connection, name: str, findings: list[Finding], since: date, until: date, *, at: datetime
) -> None:
    discrepancies.report(connection, findings, at=at)
    found = {finding.key for finding in findings}
    cluster = name.removeprefix("cluster:")
    for number in range((until - since).days):
        prefix = _prefix(cluster, since + timedelta(days=number))
        discrepancies.resolve_gone(connection, DiscrepancyKind.CLUSTER_DAY, found=found, at=at, prefix=prefix)
    facts = {"since": since.isoformat(), "until": until.isoformat(), "found": len(findings)}
    finish_check(connection, name, facts, at=at)


def _prefix(cluster: str, day: date) -> str:
    return f"cluster_day:{cluster}:{day}:"


def _recorded(run: ExternalRun, ended_at: datetime) -> RecordedRun:
    """As far as it is cut into days: whose it is does not matter here."""
    return RecordedRun(
        project_id=NOBODY,
        allocation_id=NOBODY,
        user_id=NOBODY,
        cluster="",
        partition=run.partition,
        workload="",
        state=run.state,
        started_at=run.started_at,
        ended_at=ended_at,
        elapsed_seconds=run.elapsed_seconds,
        tres_seconds=times(run.allocated_tres, run.elapsed_seconds),
        is_charged=True,
        vnd=0,
        subsidy_vnd=0,
        used_cpu_seconds=None,
        gpu_busy_seconds=None,
        peak_mem_mib=None,
        waited_seconds=None,
    )
