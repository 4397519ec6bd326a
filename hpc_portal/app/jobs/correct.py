"""Correct: what a cluster accounts otherwise after it was charged is posted as a difference, never edited."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import Connection, and_, bindparam, or_, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.settle import KnownUsage, run_id, run_usage
from hpc_portal.app.jobs.write_each import write_each
from hpc_portal.app.tables import Job, JobTask
from quotas.charge import correct_run
from quotas.fold_usage import UsageBatch
from schedulers.errors import SchedulerUnavailable
from schedulers.jobstate import JobUsage

log = structlog.get_logger()

_REREAD = timedelta(days=3)
"""Records come days late when slurmdbd was away, and old ones are revised."""
_JOBS = 200
_CLOCK_SLACK = timedelta(hours=1)
"""Between the clocks of portal and cluster, and between an end and when the portal heard of it."""
_FIRST = UUID(int=0)

_Revised: TypeAlias = tuple[AnyRow, JobUsage]


@dataclass(slots=True)
class CorrectStep:
    """The controller's second look at what runs used, where the scheduler is not its own meter.

    Where jobs from outside are imported or not: this asks for the portal's own jobs only.
    """

    context: ControllerContext
    after: UUID = _FIRST
    """The last job that was compared in this pass."""

    async def __call__(self) -> bool:
        """Compare one batch of jobs with the accounting; True until each was compared once.

        Raises:
            LeaseLost: another controller is active; nothing was written.
        """
        context, now = self.context, self.context.clock.now()
        jobs = await context.read(lambda connection: _jobs_to_compare(connection, self, since=now - _REREAD))
        if not jobs:
            self.after = _FIRST
            return False
        try:
            known = await context.scheduler.usage({job.scheduler_job_id: job.id for job in jobs})
        except SchedulerUnavailable as problem:
            log.warning(
                "correct.accounting_unavailable", scheduler=context.scheduler.name, problem=str(problem)
            )
            return False
        runs = await context.read(lambda connection: _settled_runs(connection, [job.id for job in jobs]))
        by_job: dict[UUID, list[_Revised]] = defaultdict(list)
        for row, usage in _revised(runs, known):
            by_job[row.job_id].append((row, usage))
        if by_job:
            await write_each(context, by_job, lambda connection, some: _correct(connection, some, at=now))
            log.info("correct.runs_revised", scheduler=context.scheduler.name, jobs=len(by_job))
        self.after = jobs[-1].id
        return True


def _jobs_to_compare(connection: Connection, step: CorrectStep, *, since: datetime) -> Sequence[AnyRow]:
    """Under way, or ended a short while ago."""
    return connection.execute(
        select(col(Job.id), col(Job.scheduler_job_id))
        .where(
            col(Job.id) > step.after,
            col(Job.scheduler) == step.context.scheduler.name,
            ~col(Job.is_external),
            col(Job.scheduler_job_id).is_not(None),
            or_(
                and_(col(Job.ended_at).is_(None), col(Job.started_at).is_not(None)),
                col(Job.ended_at) >= since,
            ),
        )
        .order_by(col(Job.id))
        .limit(_JOBS)
    ).all()


def _settled_runs(connection: Connection, job_ids: Sequence[UUID]) -> Sequence[AnyRow]:
    return connection.execute(
        select(
            col(JobTask.job_id),
            col(JobTask.task_index),
            col(JobTask.attempt),
            col(JobTask.state),
            col(JobTask.is_requeued),
            col(JobTask.elapsed_seconds),
            col(JobTask.allocated_tres),
            col(Job.project_id),
            col(Job.user_id),
            col(Job.scheduler),
            col(Job.scheduler_job_id),
            col(Job.template),
            col(Job.submitted_at),
            col(Job.ended_at),
        )
        .join(Job, col(Job.id) == col(JobTask.job_id))
        .where(col(JobTask.job_id).in_(job_ids), col(JobTask.settled_at).is_not(None))
    ).all()


def _revised(rows: Sequence[AnyRow], known: KnownUsage) -> Iterator[_Revised]:
    """Runs of which the accounting tells another amount than they were charged for."""
    for row in rows:
        usage = known.get(run_id(row))
        if usage is None or not _may_be(row, usage):
            continue
        if (usage.elapsed_seconds, dict(usage.allocated_tres)) != (row.elapsed_seconds, row.allocated_tres):
            yield row, usage


def _may_be(row: AnyRow, usage: JobUsage) -> bool:
    """Whether the portal's run is meant; a cluster's numbers may begin anew."""
    started_at = usage.started_at or usage.ended_at
    if started_at < row.submitted_at - _CLOCK_SLACK:
        return False
    return row.ended_at is None or started_at <= row.ended_at + _CLOCK_SLACK


_CORRECTED_RUN = (
    update(JobTask)
    .where(
        col(JobTask.job_id) == bindparam("b_job"),
        col(JobTask.task_index) == bindparam("b_index"),
        col(JobTask.attempt) == bindparam("b_attempt"),
    )
    .values(
        charged_vnd=col(JobTask.charged_vnd) + bindparam("b_vnd"),
        elapsed_seconds=bindparam("b_elapsed"),
        allocated_tres=bindparam("b_tres"),
        cpu_seconds=bindparam("b_cpu_seconds"),
        max_rss_mib=bindparam("b_max_rss_mib"),
        energy_joules=bindparam("b_energy_joules"),
        gpu_busy_seconds=bindparam("b_gpu_busy_seconds"),
    )
)


def _correct(connection: Connection, by_job: Mapping[UUID, Sequence[_Revised]], *, at: datetime) -> None:
    """Post the differences, job by job; the ledger posts each once, however often this is repeated."""
    events.take_turns(connection)
    usage_batch = UsageBatch()
    corrected: list[dict[str, Any]] = []
    told: list[Event] = []
    for job_id in sorted(by_job):
        total = 0
        for row, usage in by_job[job_id]:
            revised = run_usage(row, usage)
            change = correct_run(connection, job_id=job_id, run=revised, at=at, usage=usage_batch).vnd_change
            total += change
            corrected.append(
                {
                    "b_job": job_id,
                    "b_index": row.task_index,
                    "b_attempt": row.attempt,
                    "b_vnd": change,
                    "b_elapsed": usage.elapsed_seconds,
                    "b_tres": dict(usage.allocated_tres),
                    "b_cpu_seconds": usage.cpu_seconds,
                    "b_max_rss_mib": usage.max_rss_mib,
                    "b_energy_joules": usage.energy_joules,
                    "b_gpu_busy_seconds": usage.gpu_busy_seconds,
                }
            )
            facts = {"task_index": row.task_index, "change_vnd": change}
            told.append(Event(job_id, row.project_id, "job.corrected", facts))
        if total:
            charged = col(Job.charged_vnd) + total
            connection.execute(update(Job).where(col(Job.id) == job_id).values(charged_vnd=charged))
    connection.execute(_CORRECTED_RUN, corrected)
    events.record(connection, told, at=at)
    usage_batch.fold(connection)
