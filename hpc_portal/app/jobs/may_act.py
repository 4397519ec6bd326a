"""Which buttons make sense on a job's page: the role allows it, and there is something left to do."""

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs.queries import JobSummary
from hpc_portal.app.jobs.wish import HeldBy
from hpc_portal.app.permissions import Action


def may_change(actor: Actor, job: JobSummary) -> bool:
    """Whether buttons to hold, release and the like make sense: the role allows it, and it goes on here."""
    action = Action.CHANGE_OWN if actor.looks_after(job.user_id) else Action.CHANGE_ANY
    is_allowed = permissions.may(
        actor, action, organisation_id=job.organisation_id, project_id=job.project_id
    )
    goes_on = not job.is_over and not job.is_external and job.cancel_requested_at is None
    return is_allowed and goes_on


def may_hold(actor: Actor, job: JobSummary) -> bool:
    """Whether a button to hold makes sense: something waits, and nobody holds it."""
    return may_change(actor, job) and job.holder is None and job.tasks_pending > 0


def may_release(actor: Actor, job: JobSummary) -> bool:
    """Whether a button to release makes sense; an administrator's hold is released by one only."""
    is_administrators = job.holder is HeldBy.ADMINISTRATOR
    return (
        may_change(actor, job)
        and job.holder is not None
        and (not is_administrators or permissions.may(actor, Action.ADMINISTER_JOBS))
    )


def may_cancel(actor: Actor, job: JobSummary) -> bool:
    """Whether a button to cancel makes sense: the role allows it, and there is something left to cancel."""
    action = Action.CANCEL_OWN if actor.looks_after(job.user_id) else Action.CANCEL_ANY
    is_allowed = permissions.may(
        actor, action, organisation_id=job.organisation_id, project_id=job.project_id
    )
    return is_allowed and not job.is_over and job.cancel_requested_at is None


def may_run_again(actor: Actor, job: JobSummary) -> bool:
    """Whether choosing the job to be run again makes sense: it has ended, and the role allows another."""
    is_allowed = permissions.may(
        actor, Action.SUBMIT, organisation_id=job.organisation_id, project_id=job.project_id
    )
    return is_allowed and job.is_over and not job.is_external
