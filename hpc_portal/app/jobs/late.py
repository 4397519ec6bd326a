"""What the portal itself is late with: jobs that no cluster has heard of, and runs that nobody charged."""

from sqlalchemy import ColumnElement
from sqlmodel import col

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, JobTask


def is_undispatched() -> ColumnElement[bool]:
    """Jobs that a cluster should have and has not: neither held here nor waiting for others."""
    return (
        col(Job.phase).in_([Phase.ACCEPTED, Phase.DISPATCHING])
        & col(Job.waits_for_jobs).is_(False)
        & col(Job.held_by).is_(None)
    )


def is_uncharged() -> ColumnElement[bool]:
    """Runs that ended and are not charged."""
    return col(JobTask.ended_at).is_not(None) & col(JobTask.settled_at).is_(None)
