"""How many jobs are under way, of one person or of all that they see."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.tables import Job
from schedulers.jobstate import JobState


@dataclass(frozen=True, slots=True)
class JobNumbers:
    """How many jobs of one person, or of all they see, stand where."""

    pending: int
    running: int
    tasks_running: int


def count_jobs(
    session: Session, actor: Actor, *, only_own: bool = False, project_id: UUID | None = None
) -> JobNumbers:
    """Jobs under way, of the actor or of all that they may see; of one project, or of all."""
    statement = (
        select(
            func.count().filter(col(Job.state) == JobState.PENDING),
            func.count().filter(col(Job.state) != JobState.PENDING),
            func.coalesce(func.sum(col(Job.tasks_running)), 0),
        )
        .select_from(Job)
        .where(under_way(), permissions.visible_jobs(actor))
    )
    if only_own:
        statement = statement.where(col(Job.user_id) == actor.user_id)
    if project_id is not None:
        statement = statement.where(col(Job.project_id) == project_id)
    pending, running, tasks_running = session.connection().execute(statement).one()
    return JobNumbers(pending, running, tasks_running)
