"""Correct: what a cluster accounts otherwise than it was recorded is posted as a difference, never edited.

Records come late and are revised: a run took longer or ended in another way, or ran at all although its task
was recorded as never started.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import Connection, and_, bindparam, func, or_, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Progress, recount
from hpc_portal.app.jobs.refs import REF, ref_of
from hpc_portal.app.jobs.settle import RUNS, charge_runs, run_id, run_usage, usage_of
from hpc_portal.app.jobs.write_each import write_each
from hpc_portal.app.jobs.write_progress import (
    PROGRESS_COLUMNS,
    UPDATE_PROGRESS,
    progress_of,
    progress_values,
    state_event,
)
from hpc_portal.app.jobs.write_runs import INSERT_RUN, UPDATE_RUN, run_values
from hpc_portal.app.tables import Job, JobTask
from quotas.charge import correct_run
from quotas.end_states import load_end_rules
from quotas.fold_usage import UsageBatch
from quotas.money import Vnd
from schedulers.errors import SchedulerUnavailable
from schedulers.jobstate import JobState, StateFlag, TaskSnapshot
from schedulers.protocol import RunKey

log = structlog.get_logger()

_REREAD = timedelta(days=3)
"""Records come days late when slurmdbd was away, and old ones are revised."""
_JOBS = 200
_FIRST = UUID(int=0)

_Revised: TypeAlias = Mapping[RunKey, TaskSnapshot]
"""Runs of one job as the accounting tells them, of which something else is recorded, or nothing."""


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
            accounted = await context.scheduler.accounted([ref_of(job) for job in jobs])
        except SchedulerUnavailable as problem:
            log.warning(
                "correct.accounting_unavailable", scheduler=context.scheduler.name, problem=str(problem)
            )
            return False
        job_ids = [job.id for job in jobs]
        stored = await context.read(lambda connection: _stored(connection, job_ids))
        over = {job.id for job in jobs if job.ended_at is not None}
        by_job: dict[UUID, dict[RunKey, TaskSnapshot]] = defaultdict(dict)
        for key, run in _revised(accounted, stored, over):
            by_job[key[0]][key] = run
        if by_job:
            await write_each(context, by_job, lambda connection, some: _correct(connection, some, at=now))
            log.info("correct.runs_revised", scheduler=context.scheduler.name, jobs=len(by_job))
        self.after = jobs[-1].id
        return True


def _jobs_to_compare(connection: Connection, step: CorrectStep, *, since: datetime) -> Sequence[AnyRow]:
    """Under way, or ended a short while ago."""
    return connection.execute(
        select(*REF, col(Job.ended_at))
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


def _stored(connection: Connection, job_ids: Collection[UUID]) -> dict[RunKey, AnyRow]:
    return {run_id(row): row for row in connection.execute(RUNS.where(col(JobTask.job_id).in_(job_ids)))}


def _revised(
    accounted: Mapping[RunKey, TaskSnapshot], stored: Mapping[RunKey, AnyRow], over: Collection[UUID]
) -> Iterator[tuple[RunKey, TaskSnapshot]]:
    """Settled runs that are told otherwise, and of jobs that are over those that nobody knows of."""
    for key, run in accounted.items():
        row = stored.get(key)
        if row is None:
            if key[0] in over and run.started_at is not None:
                yield key, run
        elif row.settled_at is not None:
            # That another attempt follows may be known before its record is.
            flags = run.flags | {StateFlag.REQUEUED} if row.is_requeued else run.flags
            told = replace(run, flags=flags)
            if _differs(row, told):
                yield key, told


def _differs(row: AnyRow, run: TaskSnapshot) -> bool:
    usage = run.usage
    return usage is not None and (
        (row.state, row.is_requeued) != (run.state, StateFlag.REQUEUED in run.flags)
        or (usage.elapsed_seconds, dict(usage.allocated_tres)) != (row.elapsed_seconds, row.allocated_tres)
    )


def _correct(connection: Connection, by_job: Mapping[UUID, _Revised], *, at: datetime) -> None:
    """Record what was revised, post the differences, and count the tasks of each job again.

    The ledger posts each difference once, however often this is repeated.
    """
    jobs = {
        row.id: row
        for row in connection.execute(
            select(col(Job.id), col(Job.project_id), col(Job.phase), *PROGRESS_COLUMNS)
            .where(col(Job.id).in_(list(by_job)))
            .order_by(col(Job.id))
            .with_for_update(key_share=True)
        )
    }
    events.take_turns(connection)
    before = _stored(connection, list(jobs))
    usage = UsageBatch()
    told: list[Event] = []
    for job_id, job in jobs.items():
        known = {key for key in by_job[job_id] if key in before and before[key].settled_at is not None}
        new = by_job[job_id].keys() - before.keys() if job.ended_at is not None else set()
        values = {key: run_values(job_id, run, at=at) for key, run in by_job[job_id].items()}
        if known:
            connection.execute(UPDATE_RUN, [values[key] for key in known])
        if new:
            connection.execute(INSERT_RUN, [values[key] for key in new])
        changes = _post(connection, job_id, known=known, new=new, at=at, usage=usage)
        for key, change in sorted(changes.items()):
            facts = {"task_index": key[1], "change_vnd": change}
            told.append(Event(job_id, job.project_id, "job.corrected", facts))
        stood = progress_of(job)
        if (stands := _count_again(connection, job_id, stood)) != stood:
            values_of_job = progress_values(job_id, stands, before=job.phase, phase=job.phase)
            connection.execute(UPDATE_PROGRESS, [values_of_job])
            told.append(state_event(job_id, job.project_id, stands))
    events.record(connection, told, at=at)
    usage.fold(connection)


_CHANGE_CHARGE = (
    update(JobTask)
    .where(
        col(JobTask.job_id) == bindparam("b_job"),
        col(JobTask.task_index) == bindparam("b_index"),
        col(JobTask.attempt) == bindparam("b_attempt"),
    )
    .values(charged_vnd=col(JobTask.charged_vnd) + bindparam("b_vnd"))
)


def _post(  # noqa: PLR0913 - what is posted for one job, each by its name
    connection: Connection,
    job_id: UUID,
    *,
    known: Collection[RunKey],
    new: Collection[RunKey],
    at: datetime,
    usage: UsageBatch,
) -> dict[RunKey, Vnd]:
    """Charge the new runs, and the known ones by the difference; by how much each was changed."""
    rows = _stored(connection, [job_id])
    changes: dict[RunKey, Vnd] = {}
    rules = load_end_rules(connection)
    runs = {key: run_usage(rows[key], usage_of(rows[key], {})) for key in sorted(known)}
    for key, run in runs.items():
        corrected = correct_run(connection, job_id=job_id, run=run, at=at, usage=usage, rules=rules)
        changes[key] = corrected.vnd_change
    if changes:
        values: list[dict[str, Any]] = [
            {"b_job": job_id, "b_index": index, "b_attempt": attempt, "b_vnd": change}
            for (_, index, attempt), change in changes.items()
        ]
        connection.execute(_CHANGE_CHARGE, values)
        charged = col(Job.charged_vnd) + sum(changes.values())
        connection.execute(update(Job).where(col(Job.id) == job_id).values(charged_vnd=charged))
    if new:
        unknown = {job_id: [rows[key] for key in sorted(new)]}
        changes |= charge_runs(connection, unknown, known={}, at=at, usage=usage)
    return changes


def _count_again(connection: Connection, job_id: UUID, progress: Progress) -> Progress:
    """What the stored runs amount to now; a run that went back to the queue is not its task's end."""
    ends = (
        col(JobTask.job_id) == job_id,
        col(JobTask.ended_at).is_not(None),
        ~col(JobTask.is_requeued),
    )
    counts: dict[JobState, int] = dict(
        connection.execute(
            select(col(JobTask.state), func.count()).where(*ends).group_by(col(JobTask.state))
        ).all()
    )
    completed = counts.get(JobState.COMPLETED, 0)
    worst = connection.execute(
        select(func.max(col(JobTask.exit_code)), func.max(col(JobTask.exit_signal))).where(
            *ends, col(JobTask.state) != JobState.COMPLETED
        )
    ).one()
    started_at = connection.execute(
        select(func.min(col(JobTask.started_at))).where(col(JobTask.job_id) == job_id)
    ).scalar()
    last = None
    if not progress.is_array:
        row = connection.execute(
            select(col(JobTask.attempt), col(JobTask.state), col(JobTask.reason))
            .where(*ends)
            .order_by(col(JobTask.attempt).desc())
            .limit(1)
        ).first()
        last = TaskSnapshot(0, row.attempt, row.state, reason=row.reason) if row else None
    return recount(
        progress,
        completed=completed,
        failed=sum(counts.values()) - completed - counts.get(JobState.CANCELLED, 0),
        exit_code=worst[0],
        exit_signal=worst[1],
        started_at=started_at,
        last=last,
    )
