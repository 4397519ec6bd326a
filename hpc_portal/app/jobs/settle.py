"""Settle: charge what ended runs used, release the rest, and close jobs, each exactly once."""

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, exists, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.lock_jobs import lock_jobs
from hpc_portal.app.jobs.origin import ORIGIN, origin_of
from hpc_portal.app.jobs.provisional import flag_provisional, seen_usage, without_record
from hpc_portal.app.jobs.refs import REF, ref_of
from hpc_portal.app.jobs.trace_job import SettledJob, tell_settled
from hpc_portal.app.jobs.write_each import write_each
from hpc_portal.app.tables import Job, JobTask
from hpc_portal.app.telemetry.instruments import RUNS_SETTLED, WAIT_SECONDS
from quotas.end_states import load_end_rules
from quotas.fold_usage import UsageBatch
from quotas.money import Vnd
from quotas.release import close_hold
from quotas.runs import RunUsage
from quotas.settle import settle_runs
from schedulers.jobstate import JobUsage
from schedulers.protocol import Feature, RunKey
from schedulers.tres import times

T = TypeVar("T")
R = TypeVar("R")

KnownUsage: TypeAlias = Mapping[RunKey, JobUsage]

_BATCH = 500
_SET_ASIDE = timedelta(minutes=1)
_NOT_METERED = timedelta(seconds=5)


class SettleStep:
    """The controller's settling; remembers which jobs cannot be settled, so that they stop nobody else."""

    def __init__(self, context: ControllerContext) -> None:
        self._context = context
        self._set_aside: dict[UUID, datetime] = {}
        """Jobs that the ledger refused to settle, or that nobody has metered; and when to try again."""

    async def __call__(self) -> bool:
        """Settle one batch of ended runs and ended jobs; True when there may be more.

        Raises:
            LeaseLost: another controller is active; nothing was written.
        """
        context, now = self._context, self._context.clock.now()
        self._set_aside = {job_id: until for job_id, until in self._set_aside.items() if until > now}
        rows = await context.read(self._unsettled)
        missing = [row for row in rows if row.elapsed_seconds is None]
        known = await _ask_usage(context, missing) if missing else {}
        lost = await self._settle_for_now([row for row in missing if run_id(row) not in known])
        known = {**known, **lost}
        ready = [row for row in rows if row.elapsed_seconds is not None or run_id(row) in known]
        if ready:
            await self._settle(ready, known)
        ended = await context.read(self._ended)
        if ended:
            closed = await self._write({row.id: row for row in ended}, functools.partial(_close, at=now))
            tell_settled(itertools.chain.from_iterable(closed), cluster=context.scheduler.name)
        if len(rows) < _BATCH:
            return len(ended) == _BATCH
        # What the cluster has not accounted yet must not fill every batch.
        unknown = {row.job_id for row in rows} - {row.job_id for row in ready}
        self._set_aside |= dict.fromkeys(unknown, now + _NOT_METERED)
        return True

    async def _settle_for_now(self, missing: Sequence[AnyRow]) -> KnownUsage:
        """The usage, as the portal saw it, of runs that their cluster does not account; they are flagged."""
        context, now = self._context, self._context.clock.now()
        lost = without_record(missing, now=now)
        if not lost:
            return {}
        seen = await context.read(lambda connection: seen_usage(connection, lost))
        cluster = context.scheduler.name
        await context.write(lambda connection: flag_provisional(connection, cluster, lost, at=now))
        return {run_id(row): seen[row.job_id, row.task_index, row.attempt] for row in lost}

    def _unsettled(self, connection: Connection) -> Sequence[AnyRow]:
        unsettled = _unsettled_runs(self._context)
        if self._set_aside:
            unsettled = unsettled.where(col(JobTask.job_id).not_in(self._set_aside))
        return connection.execute(unsettled).all()

    def _ended(self, connection: Connection) -> Sequence[AnyRow]:
        """Ended jobs of which every run is settled."""
        open_run = exists().where(col(JobTask.job_id) == col(Job.id), col(JobTask.settled_at).is_(None))
        ended = select(col(Job.id)).where(
            col(Job.phase) == Phase.ENDED,
            col(Job.scheduler) == self._context.scheduler.name,
            ~col(Job.is_external),
            ~open_run,
        )
        if self._set_aside:
            ended = ended.where(col(Job.id).not_in(self._set_aside))
        return connection.execute(ended.order_by(col(Job.id)).limit(_BATCH)).all()

    async def _settle(self, rows: Sequence[AnyRow], known: KnownUsage) -> None:
        by_job: dict[UUID, list[AnyRow]] = defaultdict(list)
        for row in rows:
            by_job[row.job_id].append(row)
        await self._write(by_job, functools.partial(_settle, known=known, at=self._context.clock.now()))
        settled = [row for row in rows if row.job_id not in self._set_aside]
        cluster = self._context.scheduler.name
        RUNS_SETTLED.labels(cluster).inc(len(settled))
        for row in settled:
            if row.started_at and row.attempt == 0:
                WAIT_SECONDS.labels(cluster).observe((row.started_at - row.submitted_at).total_seconds())

    async def _write(
        self, jobs: Mapping[UUID, T], write: Callable[[Connection, Mapping[UUID, T]], R]
    ) -> list[R]:
        """What `write` returned; jobs that the ledger refuses are set aside for a while."""
        written, refused = await write_each(self._context, jobs, write)
        until = self._context.clock.now() + _SET_ASIDE
        self._set_aside |= dict.fromkeys(refused, until)
        return written


RUNS = select(
    col(JobTask.job_id),
    col(JobTask.task_index),
    col(JobTask.attempt),
    col(JobTask.state),
    col(JobTask.is_requeued),
    col(JobTask.started_at),
    col(JobTask.ended_at),
    col(JobTask.settled_at),
    col(JobTask.elapsed_seconds),
    col(JobTask.allocated_tres),
    col(JobTask.cpu_seconds),
    col(JobTask.max_rss_mib),
    col(JobTask.energy_joules),
    col(JobTask.gpu_busy_seconds),
    col(Job.project_id),
    col(Job.user_id),
    col(Job.scheduler),
    col(Job.template),
    col(Job.submitted_at),
    *REF,
).join(Job, col(Job.id) == col(JobTask.job_id))
"""Stored runs with all that is charged by; add a WHERE."""


def _unsettled_runs(context: ControllerContext) -> Select[*tuple[Any, ...]]:
    return RUNS.where(
        col(JobTask.ended_at).is_not(None),
        col(JobTask.settled_at).is_(None),
        col(Job.scheduler) == context.scheduler.name,
        ~col(Job.is_external),
    ).limit(_BATCH)


def run_id(row: AnyRow) -> RunKey:
    """The scheduler's name of a stored run."""
    return row.job_id, row.task_index, row.attempt


async def _ask_usage(context: ControllerContext, rows: Sequence[AnyRow]) -> KnownUsage:
    """Usage of runs whose end carried none; runs that never started used nothing."""
    found: dict[RunKey, JobUsage] = {
        run_id(row): JobUsage(started_at=None, ended_at=row.ended_at, elapsed_seconds=0, allocated_tres={})
        for row in rows
        if row.started_at is None
    }
    if Feature.METERS_USAGE not in context.scheduler.features:
        jobs = {row.job_id: ref_of(row) for row in rows if row.started_at}
        accounted = await context.scheduler.accounted(jobs.values())
        found |= {key: run.usage for key, run in accounted.items() if run.usage}
    return found


_SETTLED_RUN = (
    update(JobTask)
    .where(
        col(JobTask.job_id) == bindparam("b_job"),
        col(JobTask.task_index) == bindparam("b_index"),
        col(JobTask.attempt) == bindparam("b_attempt"),
    )
    .values(
        settled_at=bindparam("b_at"),
        charged_vnd=bindparam("b_vnd"),
        elapsed_seconds=bindparam("b_elapsed"),
        allocated_tres=bindparam("b_tres"),
        cpu_seconds=bindparam("b_cpu_seconds"),
        max_rss_mib=bindparam("b_max_rss_mib"),
        energy_joules=bindparam("b_energy_joules"),
        gpu_busy_seconds=bindparam("b_gpu_busy_seconds"),
    )
)
_ADD_CHARGE = (
    update(Job)
    .where(col(Job.id) == bindparam("b_job"))
    .values(charged_vnd=col(Job.charged_vnd) + bindparam("b_vnd"))
)


def _settle(
    connection: Connection, by_job: Mapping[UUID, Sequence[AnyRow]], *, known: KnownUsage, at: datetime
) -> None:
    lock_jobs(connection, col(Job.id).in_(list(by_job)))
    events.take_turns(connection)
    usage = UsageBatch()
    charge_runs(connection, by_job, known=known, at=at, usage=usage)
    usage.fold(connection)


def charge_runs(
    connection: Connection,
    by_job: Mapping[UUID, Sequence[AnyRow]],
    *,
    known: KnownUsage,
    at: datetime,
    usage: UsageBatch,
) -> dict[RunKey, Vnd]:
    """Charge rows of RUNS, job by job; the ledger counts each run key once, however often this is repeated.

    Returns what was charged for the first time. `known` tells the usage of rows that carry none; the caller
    folds the batch, last.
    """
    new: dict[RunKey, Vnd] = {}
    settled: list[dict[str, Any]] = []
    charged: list[dict[str, Any]] = []
    rules = load_end_rules(connection)
    for job_id in sorted(by_job):
        usages = {run_key(row): usage_of(row, known) for row in by_job[job_id]}
        runs = [run_usage(row, usages[run_key(row)]) for row in by_job[job_id]]
        charges = settle_runs(connection, job_id=job_id, runs=runs, at=at, usage=usage, rules=rules)
        cost = {charge.run_key: charge.vnd for charge in charges if charge.is_charged and charge.is_new}
        settled += [
            {
                "b_job": job_id,
                "b_index": row.task_index,
                "b_attempt": row.attempt,
                "b_at": at,
                "b_vnd": cost.get(run_key(row), 0),
                "b_elapsed": usages[run_key(row)].elapsed_seconds,
                "b_tres": dict(usages[run_key(row)].allocated_tres),
                "b_cpu_seconds": usages[run_key(row)].cpu_seconds,
                "b_max_rss_mib": usages[run_key(row)].max_rss_mib,
                "b_energy_joules": usages[run_key(row)].energy_joules,
                "b_gpu_busy_seconds": usages[run_key(row)].gpu_busy_seconds,
            }
            for row in by_job[job_id]
        ]
        new |= {run_id(row): cost.get(run_key(row), 0) for row in by_job[job_id]}
        if total := sum(cost.values()):
            charged.append({"b_job": job_id, "b_vnd": total})
    connection.execute(_SETTLED_RUN, settled)
    if charged:
        connection.execute(_ADD_CHARGE, charged)
    return new


def run_key(row: AnyRow) -> str:
    """The ledger's name of a run: unique for ever and over all clusters."""
    return f"{row.job_id}/{row.task_index}/{row.attempt}"


def usage_of(row: AnyRow, known: KnownUsage) -> JobUsage:
    """What a row of RUNS carries, or else what is known of it."""
    if row.elapsed_seconds is None:
        return known[run_id(row)]
    return JobUsage(
        started_at=row.started_at,
        ended_at=row.ended_at,
        elapsed_seconds=row.elapsed_seconds,
        allocated_tres=row.allocated_tres or {},
        cpu_seconds=row.cpu_seconds,
        max_rss_mib=row.max_rss_mib,
        energy_joules=row.energy_joules,
        gpu_busy_seconds=row.gpu_busy_seconds,
    )


def run_usage(row: AnyRow, usage: JobUsage) -> RunUsage:
    """What the ledger charges a stored run for, given what it used."""
    return RunUsage(
        run_key=run_key(row),
        user_id=row.user_id,
        state=row.state,
        started_at=usage.started_at,
        ended_at=usage.ended_at,
        elapsed_seconds=usage.elapsed_seconds,
        tres_seconds=times(usage.allocated_tres, usage.elapsed_seconds),
        closes_unit=not row.is_requeued,
        cluster=row.scheduler,
        workload=(row.template or "").partition("@")[0],
        used_cpu_seconds=round(usage.cpu_seconds) if usage.cpu_seconds else None,
        gpu_busy_seconds=None if usage.gpu_busy_seconds is None else round(usage.gpu_busy_seconds),
        peak_mem_mib=usage.max_rss_mib or None,
        waited_seconds=_waited_seconds(row, usage),
    )


def _waited_seconds(row: AnyRow, usage: JobUsage) -> int | None:
    """Of the first attempt: when a later one was put back into the queue is not kept."""
    if row.attempt or usage.started_at is None:
        return None
    submitted_at: datetime = row.submitted_at
    return max(round((usage.started_at - submitted_at).total_seconds()), 0)


def _close(connection: Connection, ended: Mapping[UUID, AnyRow], *, at: datetime) -> list[SettledJob]:
    """Close jobs of which every run is settled: release what is still held."""
    jobs = connection.execute(
        select(col(Job.id), col(Job.project_id), col(Job.charged_vnd), col(Job.ended_at), *ORIGIN)
        .where(col(Job.id).in_(list(ended)), col(Job.phase) == Phase.ENDED)
        .order_by(col(Job.id))
        .with_for_update(key_share=True)
    ).all()
    events.take_turns(connection)
    for job in jobs:
        close_hold(connection, job.id, at)
    connection.execute(
        update(Job)
        .where(col(Job.id).in_([job.id for job in jobs]))
        .values(phase=Phase.SETTLED, settled_at=at)
    )
    told = [Event(job.id, job.project_id, "job.settled", {"charged_vnd": job.charged_vnd}) for job in jobs]
    events.record(connection, told, at=at)
    return [SettledJob(job.id, origin_of(job), job.ended_at, at) for job in jobs]
