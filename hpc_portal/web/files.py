"""What a job left in its folder: listed, and sent as it is."""

from http import HTTPStatus
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.files.preview import PreviewKind
from hpc_portal.app.jobs.queries import JobDetail, get_job
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.job import show_tab
from hpc_portal.web.show_files import ShownFolder, listing_facts, preview_facts, send_file, send_zip

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/files")
def show(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    job_id: UUID,
    path: str = "",
    after: str = "",
) -> Response:
    """One folder of the job's workspace; nothing before there is one."""
    job, shown = _folder(services, actor, job_id)
    return show_tab(request, job, "files", listing_facts(shown, path, after))


@router.get("/jobs/{job_id}/preview")
def look(
    request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID, path: str
) -> Response:
    """What a file looks like, beside what can be done with it."""
    job, shown = _folder(services, actor, job_id)
    facts = preview_facts(shown, path)
    if facts["preview"].kind is PreviewKind.WAVES:
        return RedirectResponse(f"{shown.address}/waves?path={quote(path)}", HTTPStatus.SEE_OTHER)
    return show_tab(request, job, "files", facts | {"stream": False}, template="preview")


@router.get("/jobs/{job_id}/zip")
def send_folder(actor: CurrentActor, services: PortalServices, job_id: UUID, path: str = "") -> Response:
    """A folder with all that is below it, as a zip file."""
    return send_zip(_folder(services, actor, job_id)[1], path)


@router.get("/jobs/{job_id}/files/{path:anypath}")
def send(actor: CurrentActor, services: PortalServices, job_id: UUID, path: str) -> Response:
    """The file's bytes."""
    return send_file(_folder(services, actor, job_id)[1], path)


def _folder(services: Services, actor: Actor, job_id: UUID) -> tuple[JobDetail, ShownFolder]:
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    root = services.settings.effective_workspace_root
    return job, ShownFolder(root, job.workspace, f"/jobs/{job_id}", job.name)
