"""Charges of a project or a job, read for a document: as many as it takes, and whether that is all."""

from collections.abc import Sequence

from sqlmodel import Session

from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs.queries import JobDetail
from hpc_portal.app.reports.charges import Charge, charges_of_days, charges_of_job
from hpc_portal.app.reports.charges_document import MOST_RUNS, Charges, charges_document
from hpc_portal.app.reports.document import Document, Edition
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.phrases import say
from hpc_portal.app.reports.usage_document import days_text


def project_charges(  # noqa: PLR0913 - of what, narrowed to whom, which days
    session: Session, actor: Actor, account: str, days: Period, edition: Edition, *, user: str = ""
) -> Document:
    """Every run of a project that ended on these days.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    found = charges_of_days(session, actor, account, days, user=user, most=MOST_RUNS + 1)
    return charges_document(
        _cut(found),
        edition,
        key=f"charges-{account}-{days.since}-{days.last}",
        subtitle=f"{account} · {days_text(days, edition.language)}",
        facts=[(say("user", edition.language), user)] if user else [],
    )


def job_charges(session: Session, job: JobDetail, edition: Edition) -> Document:
    """Every run that ended of a job that the caller has checked to be visible."""
    found = charges_of_job(session, job.id, most=MOST_RUNS + 1)
    return charges_document(
        _cut(found), edition, key=f"charges-{job.id}", subtitle=f"{job.project} · {job.name}"
    )


def _cut(found: Sequence[Charge]) -> Charges:
    return Charges(found[:MOST_RUNS], is_all=len(found) <= MOST_RUNS)
