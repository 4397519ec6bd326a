"""What a job achieved: its template reads the workspace; answers are kept for a while, reading takes time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs import queries
from hpc_portal.app.jobs.queries import JobDetail
from hpc_portal.app.services import Services
from hpc_portal.app.templates.find import template_of_job
from workloads.errors import InvalidParameters, TemplateNotFound
from workloads.template import CampaignCell, Results

_MOST_KEPT = 64
_RUNNING_SECONDS = 3.0
_OVER_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class JobResults:
    """Results, and the matrix of a campaign; both empty for a job without a template."""

    results: Results
    campaign: Sequence[CampaignCell]


NO_RESULTS = JobResults(Results(), ())


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    found: JobResults
    progress: tuple[str, int]


_kept: OrderedDict[UUID, _Kept] = OrderedDict()
_lock = threading.Lock()


def read_results(services: Services, actor: Actor, job_id: UUID) -> JobResults:
    """What the job's workspace tells now; a running job has partial results.

    Raises:
        JobNotFound: there is no such job, or the actor may not see it.
    """
    with services.reading() as session:
        job = queries.get_job(session, actor, job_id)
    return results_of(services, job)


def results_of(services: Services, job: JobDetail) -> JobResults:
    """What the workspace of a job tells now; that the reader may see the job is the caller's to know."""
    job_id = job.id
    progress = (job.phase.value, job.tasks_ended)
    with _lock:
        kept = _kept.get(job_id)
    if kept and kept.until > time.monotonic() and kept.progress == progress:
        return kept.found
    found = _read(services, job)
    seconds = _OVER_SECONDS if job.is_over else _RUNNING_SECONDS
    with _lock:
        _kept[job_id] = _Kept(time.monotonic() + seconds, found, progress)
        _kept.move_to_end(job_id)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return found


def _read(services: Services, job: JobDetail) -> JobResults:
    if job.template is None:
        return JobResults(Results(), ())
    try:
        with services.engine.connect() as connection:
            template = template_of_job(connection, job.template)
        parameters = template.validate(job.parameters or {})
    except (TemplateNotFound, InvalidParameters):  # the job is older than this version of the template
        return JobResults(Results(), ())
    workspace = services.settings.effective_workspace_root / job.workspace
    return JobResults(template.parse(workspace, parameters), template.campaign(parameters))
