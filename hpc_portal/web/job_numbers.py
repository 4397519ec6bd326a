"""A job in numbers: what its template measured, and what it used over time; each tab is a URL of its own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app.jobs.efficiency import job_efficiency
from hpc_portal.app.jobs.queries import get_job, list_tasks
from hpc_portal.app.jobs.results import results_of
from hpc_portal.app.jobs.utilisation import run_use
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.job import RUNS_SHOWN, show_tab
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_efficiency import show_efficiency
from hpc_portal.web.show_results import show_curves
from hpc_portal.web.show_run import total_of
from hpc_portal.web.show_run_use import show_run_use

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/metrics")
def show_metrics(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """Figures, curves and tables, as far as the job has come."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    results = results_of(services, job).results
    return show_tab(request, job, "metrics", {"results": results, "curves": show_curves(results.series)})


@router.get("/jobs/{job_id}/utilisation")
def show_utilisation(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    job_id: UUID,
    task: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
) -> Response:
    """CPU, memory and GPUs over time, and in total; of an array one task, and all together."""
    language = pages_of(request).language(request)
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        use = run_use(session, services.settings.effective_workspace_root, job, task)
        runs = list_tasks(session, actor, job_id, limit=RUNS_SHOWN).items
        efficiency = job_efficiency(session.connection(), job) if job.is_over else None
    facts = {
        "task": use.task_index if use else task,
        "has_started": use is not None,
        "plots": show_run_use(use, job.spec.resources, language) if use else [],
        "total": total_of(runs),
        "efficiency": show_efficiency(efficiency, language) if efficiency else None,
    }
    return show_tab(request, job, "utilisation", facts)
