"""Track: observe in batches and write state, reason, times and exit codes, each change once."""

import functools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs import lifecycle
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.give_up import given_up
from hpc_portal.app.jobs.lifecycle import KnownRun, Phase, Progress, RunId
from hpc_portal.app.jobs.write_each import write_each
from hpc_portal.app.tables import Job, JobTask
from schedulers.jobstate import JobSnapshot, JobState, StateFlag, TaskSnapshot

log = structlog.get_logger()

_FULL_LOOK_SECONDS = 60.0
_CHUNK = 500
_MOST_RUNS = 5000
"""Of one job in one transaction; PostgreSQL takes at most 65,535 parameters in a statement."""


@dataclass
class Tracker:
    """What the tracking loop remembers between two looks; all of it can be rebuilt from the database."""

    cursor: int | None = None
    looked_at_all_at: datetime | None = None
    unknown_since: dict[str, datetime] = field(default_factory=dict)
    """Jobs that every look for everything missed since then, by the scheduler's id."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look brought."""

    runs_ended: int = 0
    jobs_ended: frozenset[UUID] = frozenset()

    def __or__(self, other: "Seen") -> "Seen":
        return Seen(self.runs_ended + other.runs_ended, self.jobs_ended | other.jobs_ended)


async def track_once(context: ControllerContext, tracker: Tracker) -> Seen:
    """One look at the scheduler, written down.

    Once a minute it asks for everything again, so that nothing stays unseen for good. A job whose
    observation cannot be written waits for that.

    Raises:
        LeaseLost: another controller is active; nothing was written.
        SchedulerUnavailable: nothing was learned.
    """
    now = context.clock.now()
    last = tracker.looked_at_all_at
    is_full = tracker.cursor is None or last is None or (now - last).total_seconds() > _FULL_LOOK_SECONDS
    tracked = context.tracked
    if is_full:
        tracked.replace(await context.read(lambda connection: _jobs_under_way(connection, context)))
    fresh = tracked.fresh
    observation = await context.scheduler.observe(tracked.jobs, since=None if is_full else tracker.cursor)
    seen = {tracked.jobs[key]: snapshot for key, snapshot in observation.jobs.items() if key in tracked.jobs}
    if is_full:
        tracker.looked_at_all_at = now
        if unknown := set(tracked.jobs) - set(observation.jobs):
            log.warning("track.unknown_to_scheduler", count=len(unknown), some=sorted(unknown)[:20])
        tracker.unknown_since = {key: tracker.unknown_since.get(key, now) for key in unknown}
        seen |= await given_up(context, tracker.unknown_since, at=now)
    elif fresh:
        whole = await context.scheduler.observe(fresh, since=None)
        seen |= {tracked.jobs[key]: snapshot for key, snapshot in whole.jobs.items()}
    result = Seen()
    for chunk in _chunks(seen):
        written, _ = await write_each(context, chunk, functools.partial(_write, at=now))
        for part in written:
            result |= part
    tracker.cursor = observation.cursor
    tracked.looked_at = now
    tracked.recorded(fresh)
    if result.jobs_ended:
        await context.scheduler.forget(tracked.drop(result.jobs_ended))
    return result


def _jobs_under_way(connection: Connection, context: ControllerContext) -> dict[str, UUID]:
    rows = connection.execute(
        select(col(Job.scheduler_job_id), col(Job.id)).where(
            col(Job.phase) == Phase.TRACKED,
            col(Job.scheduler) == context.scheduler.name,
            ~col(Job.is_external),
        )
    )
    return {scheduler_job_id: job_id for scheduler_job_id, job_id in rows if scheduler_job_id}


def _chunks(seen: Mapping[UUID, JobSnapshot]) -> list[dict[UUID, JobSnapshot]]:
    """Jobs in groups of about `_CHUNK` runs, so that no transaction grows without bound."""
    chunks: list[dict[UUID, JobSnapshot]] = []
    size = _CHUNK
    for job_id, snapshot in seen.items():
        for part in _parts(snapshot):
            if size >= _CHUNK or job_id in chunks[-1]:
                chunks.append({})
                size = 0
            chunks[-1][job_id] = part
            size += 1 + len(part.tasks)
    return chunks


def _parts(snapshot: JobSnapshot) -> list[JobSnapshot]:
    """A snapshot of many runs as several, to be written in this order: only the last may close the job."""
    if len(snapshot.tasks) <= _MOST_RUNS:
        return [snapshot]
    starts = range(0, len(snapshot.tasks), _MOST_RUNS)
    return [
        replace(
            snapshot,
            tasks=snapshot.tasks[start : start + _MOST_RUNS],
            is_closed=snapshot.is_closed and start == starts[-1],
        )
        for start in starts
    ]


def _write(connection: Connection, seen: Mapping[UUID, JobSnapshot], *, at: datetime) -> Seen:
    """Apply observations to their jobs."""
    jobs = {
        row.id: row
        for row in connection.execute(
            select(
                col(Job.id),
                col(Job.project_id),
                col(Job.is_array),
                *(getattr(Job, name) for name in _PROGRESS),
            )
            .where(col(Job.id).in_(list(seen)), col(Job.phase) == Phase.TRACKED)
            .order_by(col(Job.id))
            .with_for_update()
        )
    }
    known = _known_runs(connection, {job_id: seen[job_id] for job_id in jobs}, jobs)
    updates: list[dict[str, Any]] = []
    inserts: list[dict[str, Any]] = []
    told: list[Event] = []
    progress: dict[UUID, Progress] = {}
    for job_id, row in jobs.items():
        before = _progress_of(row)
        change = lifecycle.apply(before, known[job_id], seen[job_id])
        progress[job_id] = change.progress
        for run in change.runs:
            target = updates if (run.task_index, run.attempt) in known[job_id] else inserts
            target.append(_run_values(job_id, run, at=at))
        if change.requeued:
            told.append(Event(job_id, row.project_id, "job.requeued", {"runs": change.requeued}))
    if updates:
        connection.execute(_UPDATE_RUN, updates)
    if inserts:
        connection.execute(_INSERT_RUN, inserts)
    _close_finished(connection, seen, progress, at=at)
    changed = {job_id: after for job_id, after in progress.items() if after != _progress_of(jobs[job_id])}
    if changed:
        connection.execute(_UPDATE_JOB, [_job_values(job_id, after) for job_id, after in changed.items()])
    told += [
        Event(job_id, jobs[job_id].project_id, "job.state", _facts(after))
        for job_id, after in changed.items()
    ]
    events.record(connection, told, at=at)
    return Seen(
        runs_ended=sum(values["b_ended_at"] is not None for values in (*updates, *inserts)),
        jobs_ended=frozenset(job_id for job_id, after in progress.items() if after.ended_at),
    )


_PROGRESS = (
    "tasks_total",
    "state",
    "state_reason",
    "exit_code",
    "exit_signal",
    "started_at",
    "ended_at",
    "tasks_running",
    "tasks_completed",
    "tasks_failed",
    "tasks_cancelled",
)


def _progress_of(row: AnyRow) -> Progress:
    return Progress(is_array=row.is_array, **{name: getattr(row, name) for name in _PROGRESS})


def _known_runs(
    connection: Connection, seen: Mapping[UUID, JobSnapshot], jobs: Mapping[UUID, AnyRow]
) -> Mapping[UUID, Mapping[RunId, KnownRun]]:
    """The stored rows of exactly the runs that were observed (and, of single jobs, all attempts)."""
    known: dict[UUID, dict[RunId, KnownRun]] = defaultdict(dict)
    columns = select(
        col(JobTask.job_id),
        col(JobTask.task_index),
        col(JobTask.attempt),
        col(JobTask.state),
        col(JobTask.ended_at),
    )
    singles = [job_id for job_id in seen if not jobs[job_id].is_array]
    queries = [columns.where(col(JobTask.job_id).in_(singles))] if singles else []
    queries += [
        columns.where(
            col(JobTask.job_id) == job_id,
            col(JobTask.task_index).in_(sorted({task.task_index for task in snapshot.tasks})),
        )
        for job_id, snapshot in seen.items()
        if jobs[job_id].is_array and snapshot.tasks
    ]
    for query in queries:
        for job_id, task_index, attempt, state, ended_at in connection.execute(query):
            known[job_id][task_index, attempt] = KnownRun(
                is_running=ended_at is None and state in (JobState.RUNNING, JobState.SUSPENDED),
                has_ended=ended_at is not None,
            )
    return known


def _close_finished(
    connection: Connection,
    seen: Mapping[UUID, JobSnapshot],
    progress: dict[UUID, Progress],
    *,
    at: datetime,
) -> None:
    """End jobs whose scheduler starts nothing more and of which no run is open."""
    candidates = [
        job_id for job_id, after in progress.items() if seen[job_id].is_closed and not after.ended_at
    ]
    if not candidates:
        return
    counts = connection.execute(
        select(col(JobTask.job_id), func.count())
        .where(col(JobTask.job_id).in_(candidates), col(JobTask.ended_at).is_(None))
        .group_by(col(JobTask.job_id))
    )
    open_runs = {job_id: count for job_id, count in counts}  # noqa: C416 - rows are no plain pairs
    for job_id in candidates:
        if not open_runs.get(job_id):
            progress[job_id] = lifecycle.close(progress[job_id], at=at)


_RUN_COLUMNS = (
    "state",
    "is_requeued",
    "reason",
    "exit_code",
    "exit_signal",
    "started_at",
    "ended_at",
    "elapsed_seconds",
    "allocated_tres",
    "cpu_seconds",
    "max_rss_mib",
    "energy_joules",
    "gpu_busy_seconds",
)
_UPDATE_RUN = (
    update(JobTask)
    .where(
        col(JobTask.job_id) == bindparam("b_job"),
        col(JobTask.task_index) == bindparam("b_index"),
        col(JobTask.attempt) == bindparam("b_attempt"),
    )
    .values({name: bindparam(f"b_{name}") for name in _RUN_COLUMNS})
)
_INSERT_RUN = insert(JobTask).values(
    {
        "job_id": bindparam("b_job"),
        "task_index": bindparam("b_index"),
        "attempt": bindparam("b_attempt"),
        "placement": bindparam("b_placement"),
        "placed_at": bindparam("b_placed_at"),
        "settled_at": None,
        "charged_vnd": 0,
        **{name: bindparam(f"b_{name}") for name in _RUN_COLUMNS},
    }
)


def _run_values(job_id: UUID, run: TaskSnapshot, *, at: datetime) -> dict[str, Any]:
    usage = run.usage
    return {
        "b_job": job_id,
        "b_index": run.task_index,
        "b_attempt": run.attempt,
        "b_placement": {"nodes": list(run.nodes)},
        "b_placed_at": run.started_at or at,
        "b_state": run.state,
        "b_is_requeued": StateFlag.REQUEUED in run.flags,
        "b_reason": run.reason,
        "b_exit_code": run.exit_code.code if run.exit_code else None,
        "b_exit_signal": run.exit_code.signal if run.exit_code else None,
        "b_started_at": run.started_at,
        "b_ended_at": (run.ended_at or at) if run.has_ended else None,
        "b_elapsed_seconds": usage.elapsed_seconds if usage else None,
        "b_allocated_tres": dict(usage.allocated_tres) if usage else None,
        "b_cpu_seconds": usage.cpu_seconds if usage else 0.0,
        "b_max_rss_mib": usage.max_rss_mib if usage else 0,
        "b_energy_joules": usage.energy_joules if usage else None,
        "b_gpu_busy_seconds": usage.gpu_busy_seconds if usage else None,
    }


_UPDATE_JOB = (
    update(Job)
    .where(col(Job.id) == bindparam("b_id"), col(Job.phase) == Phase.TRACKED)
    .values(phase=bindparam("b_phase"), **{name: bindparam(f"b_{name}") for name in _PROGRESS})
)


def _job_values(job_id: UUID, after: Progress) -> dict[str, Any]:
    return {
        "b_id": job_id,
        "b_phase": Phase.ENDED if after.ended_at else Phase.TRACKED,
        **{f"b_{name}": getattr(after, name) for name in _PROGRESS},
    }


def _facts(after: Progress) -> dict[str, Any]:
    return {
        "state": after.state,
        "reason": after.state_reason,
        "exit_code": after.exit_code,
        "exit_signal": after.exit_signal,
        "tasks_total": after.tasks_total,
        "tasks_running": after.tasks_running,
        "tasks_completed": after.tasks_completed,
        "tasks_failed": after.tasks_failed,
        "tasks_cancelled": after.tasks_cancelled,
    }
