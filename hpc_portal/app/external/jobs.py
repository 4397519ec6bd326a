"""The rows of jobs from outside: find those that changed, write them, and say so in the journal of events."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.events import Event
from hpc_portal.app.external.claim import Tenant
from hpc_portal.app.external.shape import KnownTask, external_id, external_spec, summarise
from hpc_portal.app.files.workspace import workspace_path
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, JobTask
from schedulers.external import ExternalRun

_CHUNK = 500
_LONGEST_PARTITION = 64
"""Of a job that waits, Slurm lists every partition that it may go to."""
_FACTS = ("state", "started_at", "ended_at", "exit_code", "exit_signal", "reason")
_TASK_COLUMNS = (*_FACTS, "elapsed_seconds", "allocated_tres", "cpu_seconds", "max_rss_mib")


@dataclass(frozen=True, slots=True)
class ExternalJob:
    """A job from outside, and what the accounting tells of its tasks."""

    id: UUID
    tenant: Tenant
    runs: Sequence[ExternalRun]

    @property
    def tasks(self) -> Sequence[ExternalRun]:
        """Without what stands for the part of an array that never started."""
        return [run for run in self.runs if run.task_index is not None]


def as_jobs(cluster: str, runs: Iterable[tuple[ExternalRun, Tenant]]) -> list[ExternalJob]:
    """Runs by the job that they belong to, the oldest job first."""
    found: dict[UUID, list[tuple[ExternalRun, Tenant]]] = defaultdict(list)
    for run, tenant in runs:
        found[external_id(cluster, run.scheduler_job_id, run.submitted_at)].append((run, tenant))
    return [
        ExternalJob(job_id, members[0][1], [run for run, _ in members])
        for job_id, members in sorted(found.items())
    ]


def changed_jobs(connection: Connection, jobs: Sequence[ExternalJob]) -> list[ExternalJob]:
    """Those of which something is not stored yet as the accounting tells it, or not settled."""
    rows = _job_rows(connection, [job.id for job in jobs])
    tasks = _task_rows(connection, [job.id for job in jobs])
    return [job for job in jobs if job.id not in rows or _differs(job, rows[job.id], tasks[job.id])]


def _differs(job: ExternalJob, row: Mapping[str, Any], tasks: Mapping[int, Mapping[str, Any]]) -> bool:
    for run in job.tasks:
        stored = tasks.get(run.task_index or 0)
        if stored is None:
            if _has_row(run):
                return True
        elif (run.ended_at and stored["settled_at"] is None) or any(
            stored[name] != value for name, value in _task_values(run).items()
        ):
            return True
    values = _job_values(job, tasks)
    if row["phase"] is Phase.SETTLED:
        values.pop("phase")
    return any(row[name] != value for name, value in values.items())


def write_job(connection: Connection, cluster: str, job: ExternalJob, *, at: datetime) -> None:
    """Store a job and its tasks as the accounting tells them; what it costs is not written here."""
    row = _job_rows(connection, [job.id]).get(job.id)
    if row is None:
        connection.execute(insert(Job).values(_new_job(cluster, job)))
    tasks = _task_rows(connection, [job.id])[job.id]
    for run in job.tasks:
        if _has_row(run):
            _write_task(connection, job.id, run, tasks.get(run.task_index or 0), at=at)
    values = _job_values(job, _task_rows(connection, [job.id])[job.id])
    connection.execute(update(Job).where(col(Job.id) == job.id).values(values))
    events.record(connection, list(_told(job, row, values)), at=at)


def settle_job(connection: Connection, job: ExternalJob, *, at: datetime) -> None:
    """Close a job that ended, if every run of it is settled."""
    open_run = select(1).where(col(JobTask.job_id) == job.id, col(JobTask.settled_at).is_(None)).exists()
    closed = connection.execute(
        update(Job)
        .where(col(Job.id) == job.id, col(Job.phase) == Phase.ENDED, ~open_run)
        .values(phase=Phase.SETTLED, settled_at=at)
        .returning(col(Job.charged_vnd))
    ).first()
    if closed is not None:
        facts = {"charged_vnd": closed.charged_vnd}
        events.record(connection, [Event(job.id, job.tenant.project_id, "job.settled", facts)], at=at)


def _told(job: ExternalJob, before: Mapping[str, Any] | None, values: Mapping[str, Any]) -> Iterator[Event]:
    if before is None:
        facts = {"name": external_spec(job.runs[0]).name, "is_external": True}
        yield Event(job.id, job.tenant.project_id, "job.submitted", facts)
    if before is None or any(before[name] != values[name] for name in _TOLD):
        facts = {"reason": values["state_reason"], **{name: values[name] for name in _TOLD}}
        yield Event(job.id, job.tenant.project_id, "job.state", facts)


_TOLD = (
    "state",
    "exit_code",
    "exit_signal",
    "tasks_total",
    "tasks_running",
    "tasks_completed",
    "tasks_failed",
    "tasks_cancelled",
)


_UNTOLD = ("phase", "partition", "state_reason", "started_at", "ended_at")


def _new_job(cluster: str, job: ExternalJob) -> dict[str, Any]:
    run, tenant = job.runs[0], job.tenant
    spec = external_spec(run)
    return {
        "id": job.id,
        "organisation_id": tenant.organisation_id,
        "project_id": tenant.project_id,
        "user_id": tenant.user_id,
        "name": spec.name,
        "spec": spec.model_dump(mode="json", exclude_defaults=True),
        "workspace": workspace_path(
            organisation=tenant.organisation,
            account=run.account,
            cluster_user=run.cluster_user,
            job_id=job.id,
        ),
        "partition": "",
        "is_array": run.is_array,
        "is_external": True,
        "phase": Phase.TRACKED,
        "scheduler": cluster,
        "scheduler_job_id": run.scheduler_job_id,
        "submitted_at": run.submitted_at,
        "dispatched_at": run.submitted_at,
        "tasks_total": 1,
    }


def _job_values(job: ExternalJob, tasks: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    known = {index: KnownTask(**{name: row[name] for name in _FACTS}) for index, row in tasks.items()}
    known |= {
        run.task_index: KnownTask(run.state, None, None, reason=run.reason)
        for run in job.tasks
        if run.task_index is not None and run.task_index not in known
    }
    never = [run for run in job.runs if run.task_index is None]
    summary = summarise(
        known.values(),
        is_array=job.runs[0].is_array,
        waiting=sum(run.tasks for run in never if run.ended_at is None),
        dropped=sum(run.tasks for run in never if run.ended_at is not None),
    )
    return {"partition": job.runs[0].partition[:_LONGEST_PARTITION], **summary}


def _has_row(run: ExternalRun) -> bool:
    """What waits has no row, as everywhere."""
    return run.started_at is not None or run.ended_at is not None


def _write_task(
    connection: Connection, job_id: UUID, run: ExternalRun, stored: Mapping[str, Any] | None, *, at: datetime
) -> None:
    values = _task_values(run)
    if stored is None:
        key = {"job_id": job_id, "task_index": run.task_index, "placed_at": run.started_at or at}
        placement = {"nodes": list(run.nodes)}
        connection.execute(insert(JobTask).values(**key, placement=placement, **values))
    elif any(stored[name] != value for name, value in values.items()):
        connection.execute(
            update(JobTask)
            .where(col(JobTask.job_id) == job_id, col(JobTask.task_index) == run.task_index)
            .values(placement={"nodes": list(run.nodes)}, **values)
        )


def _task_values(run: ExternalRun) -> dict[str, Any]:
    values = {name: getattr(run, name) for name in _TASK_COLUMNS}
    values["elapsed_seconds"] = run.elapsed_seconds if run.ended_at else None
    values["allocated_tres"] = dict(run.allocated_tres)
    return values


def _job_rows(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    columns = [col(Job.id), *(getattr(Job, name) for name in (*_UNTOLD, *_TOLD))]
    found: dict[UUID, Mapping[str, Any]] = {}
    for some in _chunks(job_ids):
        rows = connection.execute(select(*columns).where(col(Job.id).in_(some))).mappings()
        found |= {row["id"]: dict(row) for row in rows}
    return found


def _task_rows(
    connection: Connection, job_ids: Sequence[UUID]
) -> Mapping[UUID, Mapping[int, Mapping[str, Any]]]:
    columns = [col(JobTask.job_id), col(JobTask.task_index), col(JobTask.settled_at)]
    columns += [getattr(JobTask, name) for name in _TASK_COLUMNS]
    found: dict[UUID, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for some in _chunks(job_ids):
        rows = connection.execute(select(*columns).where(col(JobTask.job_id).in_(some))).mappings()
        for row in rows:
            found[row["job_id"]][row["task_index"]] = dict(row)
    return found


def _chunks(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
