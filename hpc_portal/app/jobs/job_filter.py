"""What a list of jobs is narrowed to, and the conditions on `job` that this means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlmodel import Session, col

from hpc_portal.app.ids import first_id_at
from hpc_portal.app.jobs.lifecycle import JobOrigin
from hpc_portal.app.tables import Job, User
from quotas.tables import Project
from schedulers.jobstate import JobState

_CLOCK_SLACK = timedelta(minutes=1)
"""Between the clock in a job's id and the one in `submitted_at`."""
_NO_JOB_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What a list is narrowed to; empty fields narrow nothing."""

    states: Sequence[JobState] = ()
    project: str = ""
    """Account name."""
    user: str = ""
    """User name of who submitted."""
    name: str = ""
    """Part of the job's name, in any case."""
    whole_name: str = ""
    templates: Sequence[str] = ()
    submitted_after: datetime | None = None
    cluster: str = ""
    origin: JobOrigin | None = None
    job_ids: Sequence[UUID] = ()


def conditions_of(session: Session, wanted: JobFilter) -> list[ColumnElement[bool]]:
    """On `job`. Names become ids first, so that each filter is served by an index."""
    found = list(_conditions_on_what_it_is(wanted))
    if wanted.states:
        found.append(col(Job.state).in_(wanted.states))
    if wanted.project:
        project_id = select(col(Project.id)).where(col(Project.account) == wanted.project)
        found.append(col(Job.project_id).in_(list(session.connection().execute(project_id).scalars())))
    if wanted.user:
        user_id = select(col(User.id)).where(col(User.username) == wanted.user)
        found.append(col(Job.user_id).in_(list(session.connection().execute(user_id).scalars())))
    if wanted.submitted_after and wanted.submitted_after > _NO_JOB_BEFORE:
        found.append(col(Job.id) >= first_id_at(wanted.submitted_after - _CLOCK_SLACK))
        found.append(col(Job.submitted_at) >= wanted.submitted_after)
    if wanted.cluster:
        found.append(col(Job.scheduler) == wanted.cluster)
    if wanted.origin:
        found.append(col(Job.is_external).is_(wanted.origin is JobOrigin.EXTERNAL))
    if wanted.job_ids:
        found.append(col(Job.id).in_(wanted.job_ids))
    return found


def _conditions_on_what_it_is(wanted: JobFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.name:
        yield func.lower(col(Job.name)).contains(wanted.name.lower(), autoescape=True)
    if wanted.whole_name:
        yield col(Job.name) == wanted.whole_name
    if wanted.templates:
        yield col(Job.template).in_(wanted.templates)
