"""Track: observe in batches and write state, reason, times and exit codes, each change once."""

import functools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs import lifecycle
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.give_up import given_up
from hpc_portal.app.jobs.lifecycle import KnownRun, Phase, Progress, RunId
from hpc_portal.app.jobs.origin import ORIGIN, origin_of
from hpc_portal.app.jobs.refs import REF, ref_of
from hpc_portal.app.jobs.trace_job import EndedJob, tell_ended
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
from schedulers.errors import SchedulerBroken
from schedulers.jobstate import JobSnapshot, JobState
from schedulers.protocol import Feature, JobRef

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
    unknown_since: dict[UUID, datetime] = field(default_factory=dict)
    """Jobs that every look for everything missed since then."""
    unwritten: set[UUID] = field(default_factory=set)
    """Jobs of which something was told and could not be written: what else changes does not tell it again."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look brought."""

    runs_ended: int = 0
    ended: tuple[EndedJob, ...] = ()

    @property
    def jobs_ended(self) -> frozenset[UUID]:
        """Jobs of which everything has ended."""
        return frozenset(job.job_id for job in self.ended)

    def __or__(self, other: "Seen") -> "Seen":
        return Seen(self.runs_ended + other.runs_ended, self.ended + other.ended)


async def track_once(context: ControllerContext, tracker: Tracker) -> Seen:
    """One look at the scheduler, written down.

    Once a minute it asks for everything again, so that nothing stays unseen for good. A job whose
    observation cannot be written waits for that: without it, the next change alone could be taken for all.

    Raises:
        LeaseLost: another controller is active; nothing was written.
        SchedulerUnavailable: nothing was learned.
        SchedulerBroken: it says that a job is over of which it forgot something; nothing more was written.
    """
    now = context.clock.now()
    last = tracker.looked_at_all_at
    is_full = tracker.cursor is None or last is None or (now - last).total_seconds() > _FULL_LOOK_SECONDS
    tracked = context.tracked
    if is_full:
        tracked.replace(await context.read(lambda connection: _jobs_under_way(connection, context)))
    fresh = tracked.fresh
    observation = await context.scheduler.observe(tracked.jobs, since=None if is_full else tracker.cursor)
    seen = {job_id: snapshot for job_id, snapshot in observation.jobs.items() if job_id in tracked.jobs}
    if is_full:
        if unknown := set(tracked.jobs) - set(observation.jobs):
            some = sorted(tracked.jobs[job_id].scheduler_job_id for job_id in unknown)[:20]
            log.warning("track.unknown_to_scheduler", count=len(unknown), some=some)
        tracker.unknown_since = {job_id: tracker.unknown_since.get(job_id, now) for job_id in unknown}
        seen |= await given_up(context, tracker.unknown_since, at=now)
    else:
        seen = {job_id: snapshot for job_id, snapshot in seen.items() if job_id not in tracker.unwritten}
    if fresh and not is_full:
        whole = await context.scheduler.observe({job_id: tracked.jobs[job_id] for job_id in fresh})
        seen |= whole.jobs
    result = Seen()
    failed: set[UUID] = set()
    write = functools.partial(_write, at=now, is_ours_alone=Feature.OURS_ALONE in context.scheduler.features)
    for chunk in _chunks(seen):
        written, unwritten = await write_each(context, chunk, write)
        failed |= unwritten
        for part in written:
            result |= part
    if is_full:
        tracker.looked_at_all_at = now
        tracker.unwritten.clear()  # what they told was just told again
    tracker.unwritten |= failed
    tracker.cursor = observation.cursor
    tracked.looked_at = now
    tracked.recorded(fresh)
    tell_ended(result.ended, cluster=context.scheduler.name)
    if result.jobs_ended:
        await context.scheduler.forget(tracked.drop(result.jobs_ended))
    return result


def _jobs_under_way(connection: Connection, context: ControllerContext) -> dict[UUID, JobRef]:
    rows = connection.execute(
        select(*REF).where(
            col(Job.phase) == Phase.TRACKED,
            col(Job.scheduler) == context.scheduler.name,
            ~col(Job.is_external),
        )
    )
    return {row.id: ref_of(row) for row in rows if row.scheduler_job_id}


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


def _write(
    connection: Connection, seen: Mapping[UUID, JobSnapshot], *, at: datetime, is_ours_alone: bool
) -> Seen:
    """Apply observations to their jobs."""
    jobs = {
        row.id: row
        for row in connection.execute(
            select(
                col(Job.id),
                col(Job.project_id),
                col(Job.submitted_at),
                col(Job.cancel_requested_at),
                *ORIGIN,
                *PROGRESS_COLUMNS,
            )
            .where(col(Job.id).in_(list(seen)), col(Job.phase) == Phase.TRACKED)
            .order_by(col(Job.id))
            .with_for_update(key_share=True)
        )
    }
    known = _known_runs(connection, {job_id: seen[job_id] for job_id in jobs}, jobs)
    updates: list[dict[str, Any]] = []
    inserts: list[dict[str, Any]] = []
    told: list[Event] = []
    progress: dict[UUID, Progress] = {}
    for job_id, row in jobs.items():
        before = progress_of(row)
        change = lifecycle.apply(before, known[job_id], seen[job_id])
        progress[job_id] = change.progress
        for run in change.runs:
            target = updates if (run.task_index, run.attempt) in known[job_id] else inserts
            target.append(run_values(job_id, run, at=at))
        if change.requeued:
            told.append(Event(job_id, row.project_id, "job.requeued", {"runs": change.requeued}))
    if updates:
        connection.execute(UPDATE_RUN, updates)
    if inserts:
        connection.execute(INSERT_RUN, inserts)
    closed = _close_finished(connection, seen, progress, at=at)
    if is_ours_alone:
        _require_cancelled({job_id: jobs[job_id] for job_id in closed})
    changed = {job_id: after for job_id, after in progress.items() if after != progress_of(jobs[job_id])}
    if changed:
        values = [
            progress_values(
                job_id,
                after,
                before=Phase.TRACKED,
                phase=Phase.ENDED if after.ended_at else Phase.TRACKED,
            )
            for job_id, after in changed.items()
        ]
        connection.execute(UPDATE_PROGRESS, values)
    told += [state_event(job_id, jobs[job_id].project_id, after) for job_id, after in changed.items()]
    events.record(connection, told, at=at)
    return Seen(
        runs_ended=sum(values["b_ended_at"] is not None for values in (*updates, *inserts)),
        ended=tuple(
            EndedJob(
                job_id=job_id,
                origin=origin_of(jobs[job_id]),
                state=after.state,
                tasks=after.tasks_total,
                submitted_at=jobs[job_id].submitted_at,
                started_at=after.started_at,
                ended_at=after.ended_at,
            )
            for job_id, after in progress.items()
            if after.ended_at
        ),
    )


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
) -> list[UUID]:
    """End jobs whose scheduler starts nothing more and of which no run is open.

    Returns which they are; a part of each never ran.
    """
    candidates = [
        job_id for job_id, after in progress.items() if seen[job_id].is_closed and not after.ended_at
    ]
    if not candidates:
        return []
    counts = connection.execute(
        select(col(JobTask.job_id), func.count())
        .where(col(JobTask.job_id).in_(candidates), col(JobTask.ended_at).is_(None))
        .group_by(col(JobTask.job_id))
    )
    open_runs = {job_id: count for job_id, count in counts}  # noqa: C416 - rows are no plain pairs
    closed = [job_id for job_id in candidates if not open_runs.get(job_id)]
    for job_id in closed:
        progress[job_id] = lifecycle.close(progress[job_id], at=at)
    return closed


def _require_cancelled(jobs: Mapping[UUID, AnyRow]) -> None:
    """What nobody else could cancel was cancelled here, or it was forgotten."""
    if forgotten := sorted(str(job_id) for job_id, row in jobs.items() if row.cancel_requested_at is None):
        message = f"nobody cancelled what never ran of {', '.join(forgotten)}"
        raise SchedulerBroken(message)
