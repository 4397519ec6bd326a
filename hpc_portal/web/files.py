"""What a job left in its folder: listed, and sent as it is."""

from mimetypes import guess_type
from pathlib import PurePosixPath
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.list_files import list_files
from hpc_portal.app.files.preview import preview_file
from hpc_portal.app.files.read_file import read_file
from hpc_portal.app.files.zip_folder import zip_folder
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.attachment import zip_attachment
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.job import show_tab

router = APIRouter(include_in_schema=False)

_SHOWN_INLINE = ("text/plain", "image/png", "image/jpeg", "image/gif", "image/webp")
"""Nothing that could run as a page of ours: the rest is only offered for saving."""


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
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    root = services.settings.effective_workspace_root
    try:
        listing = list_files(root, job.workspace, path, after=after)
    except FileNotInWorkspace:
        if path:
            raise
        return show_tab(request, job, "files", {"entries": (), "path": "", "parent": "", "next_after": None})
    parent = str(PurePosixPath(path).parent) if path else ""
    facts = {
        "entries": listing.entries,
        "path": path,
        "parent": "" if parent == "." else parent,
        "next_after": listing.next_after,
    }
    return show_tab(request, job, "files", facts)


@router.get("/jobs/{job_id}/preview")
def look(
    request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID, path: str
) -> Response:
    """What a file looks like, beside what can be done with it."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    found = preview_file(services.settings.effective_workspace_root, job.workspace, path)
    folder, _, name = path.strip("/").rpartition("/")
    facts = {"preview": found, "path": path.strip("/"), "folder": folder, "name": name}
    return show_tab(request, job, "files", facts, template="preview")


@router.get("/jobs/{job_id}/zip")
def send_folder(actor: CurrentActor, services: PortalServices, job_id: UUID, path: str = "") -> Response:
    """A folder with all that is below it, as a zip file."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    pieces = zip_folder(services.settings.effective_workspace_root, job.workspace, path)
    return zip_attachment(pieces, job=job.name, path=path)


@router.get("/jobs/{job_id}/files/{path:path}")
def send(actor: CurrentActor, services: PortalServices, job_id: UUID, path: str) -> Response:
    """The file's bytes."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    opened = read_file(services.settings.effective_workspace_root, job.workspace, path)
    name = PurePosixPath(path).name
    media_type = "text/plain" if name.endswith((".out", ".log")) else guess_type(name)[0]
    place = "inline" if media_type in _SHOWN_INLINE else "attachment"
    headers = {
        "content-length": str(opened.size_bytes),
        "content-disposition": f"{place}; filename*=UTF-8''{quote(name)}",
    }
    if media_type not in _SHOWN_INLINE:
        media_type = "application/octet-stream"
    return StreamingResponse(opened.pieces, media_type=media_type, headers=headers)
