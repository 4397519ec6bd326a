"""A waveform of a job or among a project's files as a page: drawn by its script, and as a table of values."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.files.waves import WaveSource
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.project_files.place import files_to_see
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.job import show_tab
from hpc_portal.web.project_tabs import project_facts
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_wave_page import WavesQuery, waves_facts

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/waves")
def show(
    request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID, wanted: WavesQuery
) -> Response:
    """Of a job."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    root = services.settings.effective_workspace_root
    source = WaveSource(root, job.workspace, wanted.path.strip("/"), job.project)
    facts, status = waves_facts(source, f"/jobs/{job_id}", wanted, pages_of(request).language(request))
    return show_tab(request, job, "files", facts, template="waves", status=status)


@router.get("/projects/{account}/waves")
def show_of_project(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, wanted: WavesQuery
) -> Response:
    """Of a project's shared files."""
    place = files_to_see(services, actor, account)
    source = WaveSource(place.root, place.folder, wanted.path.strip("/"), account)
    pages = pages_of(request)
    facts, status = waves_facts(source, f"/projects/{account}", wanted, pages.language(request))
    with services.reading() as session:
        _, head = project_facts(session, actor, account, "files")
    return pages.render(request, "files/project_waves.html", {**head, **facts}, status=status)
