"""What happened to a job and what was asked of it, for those who may see the job."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs.queries import Page, require_visible
from hpc_portal.app.jobs.wish import ChangeKind, ChangeState
from hpc_portal.app.tables import JobChange, JobEvent, User


@dataclass(frozen=True, slots=True)
class JobEventRecord:
    """Something that happened to a job."""

    sequence: int
    at: datetime
    kind: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A wish to change a job under way, and what became of it."""

    sequence: int
    job_id: UUID
    kind: ChangeKind
    facts: dict[str, Any]
    requested_by: str
    """User name."""
    requested_at: datetime
    state: ChangeState
    decided_at: datetime | None
    refusal: str


def job_events(
    session: Session, actor: Actor, job_id: UUID, *, after: int = 0, limit: int = 200
) -> Page[JobEventRecord]:
    """What happened to a job, oldest first; the cursor is the last event's sequence.

    Raises:
        JobNotFound: there is none, or the actor may not see it.
    """
    require_visible(session, actor, job_id)
    statement = (
        select(col(JobEvent.sequence), col(JobEvent.at), col(JobEvent.kind), col(JobEvent.facts))
        .where(col(JobEvent.job_id) == job_id, col(JobEvent.sequence) > after)
        .order_by(col(JobEvent.sequence))
        .limit(limit + 1)
    )
    rows = session.connection().execute(statement).all()
    items = tuple(JobEventRecord(row.sequence, row.at, row.kind, row.facts) for row in rows[:limit])
    return Page(items, str(items[-1].sequence) if len(rows) > limit else None)


def list_changes(session: Session, actor: Actor, job_id: UUID, *, limit: int = 100) -> list[ChangeRecord]:
    """What was asked of a job under way, newest first.

    Raises:
        JobNotFound: there is none, or the actor may not see it.
    """
    require_visible(session, actor, job_id)
    statement = (
        select(
            *(
                col(User.username).label("requested_by")
                if field.name == "requested_by"
                else getattr(JobChange, field.name)
                for field in fields(ChangeRecord)
            )
        )
        .join(User, col(User.id) == col(JobChange.requested_by))
        .where(col(JobChange.job_id) == job_id)
        .order_by(col(JobChange.sequence).desc())
        .limit(limit)
    )
    return [ChangeRecord(**row._mapping) for row in session.connection().execute(statement)]  # noqa: SLF001 - SQLAlchemy's public name
