"""Every read of jobs that a page, endpoint or command needs; nobody sees what their roles do not show."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, and_, func, select, union_all
from sqlalchemy.orm import Mapped, aliased
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import JobNotFound
from hpc_portal.app.jobs.job_filter import JobFilter, conditions_of
from hpc_portal.app.jobs.lifecycle import JobOrigin, Phase
from hpc_portal.app.jobs.wish import HeldBy, held_at_scheduler
from hpc_portal.app.retention.tables import RemovedJobFiles
from hpc_portal.app.service_accounts.in_force import service_owners
from hpc_portal.app.tables import Job, JobTask, User
from quotas.tables import Organisation, Project
from schedulers.jobspec import JobSpec
from schedulers.jobstate import JobState

T = TypeVar("T")

OVER = (Phase.ENDED, Phase.SETTLED, Phase.REFUSED)
"""Phases of jobs of which nothing runs or will run."""
_MOST_SCOPES = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list, and the cursor to ask for what follows; None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One line of a list."""

    id: UUID
    name: str
    template: str | None
    project: str
    """Account name."""
    project_id: UUID
    organisation: str
    """The organisation's slug."""
    organisation_id: UUID
    user: str
    user_id: UUID
    scheduler: str
    """The cluster's name."""
    partition: str
    is_array: bool
    is_external: bool
    phase: Phase
    state: JobState
    state_reason: str
    exit_code: int | None
    exit_signal: int | None
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    settled_at: datetime | None
    cancel_requested_at: datetime | None
    held_by: HeldBy | None
    tasks_total: int
    tasks_running: int
    tasks_completed: int
    tasks_failed: int
    tasks_cancelled: int
    estimated_vnd: int
    charged_vnd: int
    resources: dict[str, Any]
    """Of the ResourceRequest, as JSON: what was asked beyond the defaults."""

    @property
    def origin(self) -> JobOrigin:
        """How it got to its cluster."""
        return JobOrigin.EXTERNAL if self.is_external else JobOrigin.PORTAL

    @property
    def tasks_ended(self) -> int:
        """Tasks that will not run again."""
        return self.tasks_completed + self.tasks_failed + self.tasks_cancelled

    @property
    def tasks_pending(self) -> int:
        """Tasks that wait for their first or next run."""
        return self.tasks_total - self.tasks_running - self.tasks_ended

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs or will run."""
        return self.phase in OVER

    @property
    def holder(self) -> HeldBy | None:
        """Who keeps what waits of it from starting, be it here or at the scheduler itself."""
        return None if self.is_over else self.held_by or held_at_scheduler(self.state_reason)


@dataclass(frozen=True, slots=True)
class JobDetail(JobSummary):
    """All that is known of one job."""

    spec: JobSpec
    parameters: dict[str, Any] | None
    workspace: str
    """Relative to the workspace root."""
    cluster_user: str
    """That it was sent as; before that, its person's here."""
    scheduler_job_id: str | None
    dispatched_at: datetime | None
    priority: int
    service_owners: str
    """Who answers for the service account that submitted it, by user name; "" where a person did."""
    files_removed_at: datetime | None
    """When its folder was deleted, as files of jobs are not kept for ever; None: it was not."""
    files_kept_days: int | None
    """The rule by which it was: so many days after the job was charged."""

    @property
    def nice(self) -> int:
        """How much later than others it starts, as it was asked for last; negative: it overtakes them."""
        return self.spec.nice - self.priority


@dataclass(frozen=True, slots=True)
class TaskRun:
    """The newest attempt of one task that was started."""

    task_index: int
    attempt: int
    state: JobState
    is_requeued: bool
    reason: str
    exit_code: int | None
    exit_signal: int | None
    nodes: tuple[str, ...]
    placed_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    elapsed_seconds: int | None
    allocated_tres: dict[str, int]
    cpu_seconds: float
    max_rss_mib: int
    energy_joules: int | None
    gpu_busy_seconds: float | None
    charged_vnd: int


def _of_removal(column: Mapped[Any]) -> ScalarSelect[Any]:
    is_its = col(RemovedJobFiles.job_id) == col(Job.id)
    return select(column).where(is_its).correlate(Job).scalar_subquery()


_RESOURCES = col(Job.spec)["resources"].label("resources")
_JOINED = {
    "project": col(Project.account),
    "organisation": col(Organisation.slug),
    "user": col(User.username),
    "service_owners": service_owners(col(Job.user_id)),
    "files_removed_at": _of_removal(col(RemovedJobFiles.removed_at)),
    "files_kept_days": _of_removal(col(RemovedJobFiles.kept_days)),
    "cluster_user": func.coalesce(col(Job.cluster_user), col(User.cluster_user)),
}


def _columns(kind: type[JobSummary]) -> list[Any]:
    """A column for each field: those of other tables by their name here, the others as in `job`."""
    return [
        _RESOURCES
        if field.name == "resources"
        else _JOINED[field.name].label(field.name)
        if field.name in _JOINED
        else getattr(Job, field.name)
        for field in fields(kind)
    ]


def _select_jobs(kind: type[JobSummary]) -> Select[Any]:
    return (
        select(*_columns(kind))
        .join_from(Job, Project, col(Project.id) == col(Job.project_id))
        .join(Organisation, col(Organisation.id) == col(Job.organisation_id))
        .join(User, col(User.id) == col(Job.user_id))
    )


def list_jobs(
    session: Session, actor: Actor, wanted: JobFilter, *, cursor: UUID | None = None, limit: int = 50
) -> Page[JobSummary]:
    """The jobs that the actor may see, newest first; `cursor` is the last job of the page before."""
    conditions = conditions_of(session, wanted)
    if cursor is not None:
        conditions.append(col(Job.id) < cursor)
    ids = _newest_ids(actor, conditions, limit + 1)
    statement = _select_jobs(JobSummary).where(col(Job.id).in_(ids)).order_by(col(Job.id).desc())
    rows = session.connection().execute(statement).all()
    items = tuple(_summary(row) for row in rows[:limit])
    return Page(items, str(items[-1].id) if len(rows) > limit else None)


def newest_jobs(
    session: Session, actor: Actor, wanted: JobFilter, *, cursor: UUID | None = None, limit: int = 50
) -> Sequence[UUID]:
    """Ids of the jobs that `list_jobs` would tell, newest first."""
    conditions = conditions_of(session, wanted)
    if cursor is not None:
        conditions.append(col(Job.id) < cursor)
    return session.connection().execute(_newest_ids(actor, conditions, limit)).scalars().all()


def jobs_of(session: Session, job_ids: Collection[UUID]) -> list[JobSummary]:
    """These, in any order; that the reader may see them is the caller's to know."""
    if not job_ids:
        return []
    rows = session.connection().execute(_select_jobs(JobSummary).where(col(Job.id).in_(job_ids)))
    return [_summary(row) for row in rows]


def _newest_ids(actor: Actor, conditions: Sequence[ColumnElement[bool]], limit: int) -> Select[Any]:
    """Ids of the newest jobs that fit.

    Each project (or managed organisation) of the actor is read by its own index from its newest end, and the
    few rows of each are merged: an OR over all of them would walk past every other tenant's jobs.
    """
    scopes = permissions.job_scopes(actor)
    if scopes is None or len(scopes) > _MOST_SCOPES:
        return (
            select(col(Job.id))
            .where(permissions.visible_jobs(actor), *conditions)
            .order_by(col(Job.id).desc())
            .limit(limit)
        )
    parts: list[Select[Any]] = [
        select(col(Job.id).label("id")).where(scope, *conditions).order_by(col(Job.id).desc()).limit(limit)
        for scope in scopes
    ] or [select(col(Job.id).label("id")).where(permissions.visible_jobs(actor))]
    merged = union_all(*(select(part.subquery().c.id) for part in parts)).subquery()
    return select(merged.c.id).distinct().order_by(merged.c.id.desc()).limit(limit)


def _summary(row: Row[Any]) -> JobSummary:
    return JobSummary(**{**row._mapping, "resources": row.resources or {}})  # noqa: SLF001 - SQLAlchemy's public name


def get_job(session: Session, actor: Actor, job_id: UUID) -> JobDetail:
    """One job.

    Raises:
        JobNotFound: there is none, or the actor may not see it.
    """
    statement = _select_jobs(JobDetail).where(col(Job.id) == job_id, permissions.visible_jobs(actor))
    row = session.connection().execute(statement).first()
    if row is None:
        raise JobNotFound(job_id)
    values = {**row._mapping, "resources": row.resources or {}}  # noqa: SLF001 - SQLAlchemy's public name
    return JobDetail(**{**values, "spec": JobSpec.model_validate(row.spec)})


def is_visible(session: Session, actor: Actor, job_id: UUID) -> bool:
    """Whether there is such a job and the actor may see it."""
    statement = select(1).where(col(Job.id) == job_id, permissions.visible_jobs(actor))
    return session.connection().execute(statement).first() is not None


def require_visible(session: Session, actor: Actor, job_id: UUID) -> UUID:
    """The project of a job that the actor may see.

    Raises:
        JobNotFound: there is none, or the actor may not see it.
    """
    statement = select(col(Job.project_id)).where(col(Job.id) == job_id, permissions.visible_jobs(actor))
    found: UUID | None = session.connection().execute(statement).scalar()
    if found is None:
        raise JobNotFound(job_id)
    return found


def list_tasks(  # noqa: PLR0913 - a filter and a page
    session: Session,
    actor: Actor,
    job_id: UUID,
    *,
    states: Sequence[JobState] = (),
    after_index: int = -1,
    limit: int = 200,
) -> Page[TaskRun]:
    """The newest attempt of each task that was ever started, by index.

    Tasks that never started have no row: there are `tasks_pending` of them (with those between two attempts).

    Raises:
        JobNotFound: there is none, or the actor may not see it.
    """
    require_visible(session, actor, job_id)
    later = aliased(JobTask)
    has_later = (
        select(1)
        .where(
            col(later.job_id) == col(JobTask.job_id),
            col(later.task_index) == col(JobTask.task_index),
            col(later.attempt) > col(JobTask.attempt),
        )
        .exists()
    )
    wanted = [col(JobTask.job_id) == job_id, col(JobTask.task_index) > after_index, ~has_later]
    if states:
        wanted.append(col(JobTask.state).in_(states))
    statement = (
        select(JobTask.__table__)  # type: ignore[attr-defined]
        .where(and_(*wanted))
        .order_by(col(JobTask.task_index))
        .limit(limit + 1)
    )
    rows = session.connection().execute(statement).all()
    items = tuple(_task(row) for row in rows[:limit])
    return Page(items, str(items[-1].task_index) if len(rows) > limit else None)


def _task(row: Row[Any]) -> TaskRun:
    return TaskRun(
        task_index=row.task_index,
        attempt=row.attempt,
        state=row.state,
        is_requeued=row.is_requeued,
        reason=row.reason,
        exit_code=row.exit_code,
        exit_signal=row.exit_signal,
        nodes=_nodes(row.placement),
        placed_at=row.placed_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        elapsed_seconds=row.elapsed_seconds,
        allocated_tres=row.allocated_tres or {},
        cpu_seconds=row.cpu_seconds,
        max_rss_mib=row.max_rss_mib,
        energy_joules=row.energy_joules,
        gpu_busy_seconds=row.gpu_busy_seconds,
        charged_vnd=row.charged_vnd,
    )


def _nodes(placement: dict[str, Any]) -> tuple[str, ...]:
    """The nodes of a placement, whichever backend wrote it."""
    return tuple(placement.get("nodes", ()))


def task_states(session: Session, actor: Actor, job_id: UUID) -> dict[int, JobState]:
    """The state of each task that was ever started: the newest attempt's, PENDING between two attempts.

    Raises:
        JobNotFound: there is none, or the actor may not see it.
    """
    require_visible(session, actor, job_id)
    statement = (
        select(col(JobTask.task_index), col(JobTask.state), col(JobTask.is_requeued))
        .where(col(JobTask.job_id) == job_id)
        .order_by(col(JobTask.task_index), col(JobTask.attempt))
    )
    rows = session.connection().execute(statement)
    return {row.task_index: JobState.PENDING if row.is_requeued else row.state for row in rows}
