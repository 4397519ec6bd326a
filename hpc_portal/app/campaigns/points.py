"""What points of a sweep or of corners achieved, read from the job's workspace as its template parses it."""

from uuid import UUID

from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.corners import CornerTable, corner_table
from hpc_portal.app.campaigns.sweep import SweepView, sweep_view
from hpc_portal.app.errors import NotFound
from hpc_portal.app.jobs.queries import JobDetail, get_job
from hpc_portal.app.jobs.results import results_of
from hpc_portal.app.services import Services
from hpc_portal.app.templates.find import template_of_job
from workloads.errors import WorkloadError
from workloads.template import Parameters


def sweep_of(services: Services, actor: Actor, job_id: UUID) -> tuple[JobDetail, SweepView]:
    """The job and its trials so far.

    Raises:
        JobNotFound: there is no such job, or the actor may not see it.
        NotFound: it is no sweep.
    """
    job, parameters = _read(services, actor, job_id)
    found = sweep_view(parameters, results_of(services, job).results) if parameters else None
    if found is None:
        raise NotFound("sweep", job_id)
    return job, found


def corners_of(services: Services, actor: Actor, job_id: UUID) -> tuple[JobDetail, CornerTable]:
    """The job and its corners that have ended.

    Raises:
        JobNotFound: there is no such job, or the actor may not see it.
        NotFound: it has no corners.
    """
    job, parameters = _read(services, actor, job_id)
    found = corner_table(parameters, results_of(services, job).results) if parameters else None
    if found is None:
        raise NotFound("table of corners of job", job_id)
    return job, found


def _read(services: Services, actor: Actor, job_id: UUID) -> tuple[JobDetail, Parameters | None]:
    """None for parameters that this version of the template no longer takes."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        try:
            template = template_of_job(session.connection(), job.template or "")
            return job, template.validate(job.parameters or {})
        except WorkloadError:
            return job, None
