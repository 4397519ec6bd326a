"""Jobs of which nobody can say whether their cluster has them: administrators see them, look, and decide."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hpc_portal.app import audit, events, permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import ChangeImpossible, JobNotFound, Problem
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.queries import JobSummary
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job, User
from quotas.tables import Project
from schedulers.jobstate import JobState
from workloads.template import N_

UNREADABLE = "UnreadableRecord"
"""The reason of a job that a scheduler tells of in a way that cannot be read; it solves itself never."""
_LONG = timedelta(minutes=10)
"""In doubt for so long a job is worth a look, whatever the reason."""


class Decision(StrEnum):
    """What an administrator who has looked at the cluster says."""

    SEND_AGAIN = "send_again"
    """The cluster does not have it: it is sent as if for the first time."""
    END = "end"
    """Nobody needs it any more: it ends as cancelled, without having run. What the cluster has of it, if
    anything, the administrator has cancelled there."""


@dataclass(frozen=True, slots=True)
class DoubtfulJob:
    """One job in doubt."""

    id: UUID
    name: str
    project: str
    user: str
    cluster: str
    cluster_user: str
    submitted_at: datetime
    reason: str


def may_decide_doubt(actor: Actor, job: JobSummary) -> bool:
    """Whether the actor is who decides on this job, and only people can."""
    is_doubtful = job.phase is Phase.DISPATCHING and job.state_reason == UNREADABLE
    return is_doubtful and permissions.may(actor, Action.ADMINISTER_JOBS)


def list_doubtful_jobs(session: Session, actor: Actor, *, now: datetime) -> list[DoubtfulJob]:
    """Those that only people can decide on, and those that have been in doubt for long; oldest first.

    Raises:
        NotAllowed: to anybody but administrators.
    """
    permissions.require(actor, Action.ADMINISTER_JOBS)
    rows = session.connection().execute(
        select(
            col(Job.id),
            col(Job.name),
            col(Project.account),
            col(User.username),
            col(Job.scheduler),
            col(Job.cluster_user),
            col(Job.submitted_at),
            col(Job.state_reason),
        )
        .join(Project, col(Project.id) == col(Job.project_id))
        .join(User, col(User.id) == col(Job.user_id))
        .where(under_way(), col(Job.phase) == Phase.DISPATCHING)
        .order_by(col(Job.id))
    )
    return [
        DoubtfulJob(
            id=row.id,
            name=row.name,
            project=row.account,
            user=row.username,
            cluster=row.scheduler,
            cluster_user=row.cluster_user or "",
            submitted_at=row.submitted_at,
            reason=row.state_reason,
        )
        for row in rows
        if row.state_reason == UNREADABLE or (row.state_reason and row.submitted_at <= now - _LONG)
    ]


def decide_doubt(services: Services, actor: Actor, job_id: UUID, decision: Decision, *, reason: str) -> None:
    """Say what becomes of a job in doubt. Of two who decide at once, the first does.

    Raises:
        JobNotFound: it does not exist.
        NotAllowed: to anybody but administrators.
        ChangeImpossible: it is not in doubt, or not any more; or nobody says why.
    """
    permissions.require(actor, Action.ADMINISTER_JOBS)
    why = reason.strip()
    if not why:
        raise ChangeImpossible(Problem("reason", N_("Say why; it is kept in the audit log.")))
    now = services.clock.now()

    def work(connection: Connection) -> None:
        job = connection.execute(
            select(col(Job.project_id), col(Job.name)).where(col(Job.id) == job_id)
        ).first()
        if job is None:
            raise JobNotFound(job_id)
        if not _decide(connection, job_id, decision, at=now):
            raise ChangeImpossible(Problem("decision", N_("Nobody doubts any more where this job is.")))
        facts = {"by": actor.username, "decision": decision}
        told = [Event(job_id, job.project_id, "job.doubt_decided", facts)]
        if decision is Decision.END:
            told.append(Event(job_id, job.project_id, "job.state", {"state": JobState.CANCELLED}))
        events.record(connection, told, at=now)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="job.doubt_decided",
            subject=str(job_id),
            decision=decision,
            reason=why,
        )

    transact(services.engine, work)
    services.wake.notify()


def _decide(connection: Connection, job_id: UUID, decision: Decision, *, at: datetime) -> bool:
    """False when it is not in doubt, or when a controller is just looking for it."""
    in_doubt = update(Job).where(
        col(Job.id) == job_id,
        col(Job.phase) == Phase.DISPATCHING,
        col(Job.claim_token).is_(None),
        col(Job.state_reason) != "",
    )
    match decision:
        case Decision.SEND_AGAIN:
            decided = in_doubt.values(phase=Phase.ACCEPTED, state_reason="", not_before=None)
        case Decision.END:
            decided = in_doubt.values(
                phase=Phase.ENDED,
                state=JobState.CANCELLED,
                state_reason="",
                ended_at=at,
                tasks_cancelled=col(Job.tasks_total),
            )
    return bool(connection.execute(decided).rowcount)
