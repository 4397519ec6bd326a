"""What the start page says of a person's own work, beside the lists that other pages have, too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, or_, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.ids import first_id_at
from hpc_portal.app.jobs.job_filter import JobFilter
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.queries import JobSummary, list_jobs
from hpc_portal.app.tables import ApiToken, Job
from schedulers.jobstate import JobState

_LOOKED_BACK = timedelta(days=14)
"""Jobs that were submitted longer ago are not looked through."""
_NO_FAILURE = (JobState.COMPLETED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What somebody who is new has done already."""

    has_project: bool
    has_budget: bool
    """Some project of theirs has some of anything left."""
    has_job: bool
    has_token: bool

    @property
    def are_taken(self) -> bool:
        """Whether there is nothing left to explain; a token is a convenience."""
        return self.has_project and self.has_budget and self.has_job


def failed_since(
    session: Session, actor: Actor, since: datetime, *, at: datetime, limit: int = 5
) -> Sequence[JobSummary]:
    """The actor's own jobs that ended badly or were refused since then, the newest first.

    Of the last two weeks' submissions; one that a person cancelled has not failed.
    """
    ended = and_(
        col(Job.phase).in_((Phase.ENDED, Phase.SETTLED)),
        col(Job.state).not_in(_NO_FAILURE),
        col(Job.ended_at) > since,
    )
    refused = and_(col(Job.phase) == Phase.REFUSED, col(Job.submitted_at) > since)
    ids = session.connection().execute(
        select(col(Job.id))
        .where(
            col(Job.user_id) == actor.user_id,
            col(Job.id) >= first_id_at(at - _LOOKED_BACK),
            permissions.visible_jobs(actor),
            or_(ended, refused),
        )
        .order_by(col(Job.id).desc())
        .limit(limit)
    )
    found = tuple(ids.scalars())
    return list_jobs(session, actor, JobFilter(job_ids=found), limit=limit).items if found else ()


def first_steps(session: Session, actor: Actor, *, has_budget: bool) -> FirstSteps:
    """How far somebody has come."""
    mine = select(
        exists().where(col(Job.user_id) == actor.user_id),
        exists().where(col(ApiToken.user_id) == actor.user_id, col(ApiToken.revoked_at).is_(None)),
    )
    has_job, has_token = session.connection().execute(mine).one()
    return FirstSteps(bool(actor.projects), has_budget, bool(has_job), bool(has_token))
