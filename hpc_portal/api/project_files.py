"""The files that a project's people share: list, look at, download, rename, delete; and uploads."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from hpc_portal.api.job_result_schemas import FileReply, PreviewReply
from hpc_portal.api.one_form import Flag
from hpc_portal.api.project_files_schemas import (
    DeletedReply,
    FolderBody,
    MoveBody,
    PathReply,
    UploadedReply,
    UploadReply,
)
from hpc_portal.api.schemas import PageReply
from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.list_files import Listing, list_files
from hpc_portal.app.files.preview import preview_file
from hpc_portal.app.files.read_file import read_file
from hpc_portal.app.files.zip_folder import zip_folder
from hpc_portal.app.project_files.make_folder import make_folder
from hpc_portal.app.project_files.move import move_file
from hpc_portal.app.project_files.place import FilesPlace, files_to_see
from hpc_portal.app.project_files.receive import WantedPart, cancel_upload, received_bytes
from hpc_portal.app.project_files.remove import remove_file
from hpc_portal.app.project_files.search import search_files
from hpc_portal.attachment import attachment, zip_attachment
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.receive_upload import receive_part

router = APIRouter(tags=["files of projects"])

FilePath = Annotated[str, Query(min_length=1, max_length=4096)]
FolderPath = Annotated[str, Query(max_length=4096)]
Bytes = Annotated[int, Query(ge=0, le=2**62)]


@router.get("/projects/{account}/files")
def files(  # noqa: PLR0913 - which folder, and which part of it
    *,
    services: PortalServices,
    actor: CurrentActor,
    account: str,
    path: FolderPath = "",
    search: Annotated[str, Query(max_length=255)] = "",
    cursor: Annotated[str, Query(max_length=255)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> PageReply[FileReply]:
    """The entries of a folder, by name; or, with `search`, files anywhere whose path has that in it."""
    place = files_to_see(services, actor, account)
    if search:
        found, _ = search_files(place.root, place.folder, search, limit=limit)
        return PageReply(items=[FileReply.model_validate(entry) for entry in found], next_cursor=None)
    listing = _list(place, path, cursor, limit)
    return PageReply(
        items=[FileReply.model_validate(entry) for entry in listing.entries], next_cursor=listing.next_after
    )


@router.get("/projects/{account}/files/content", response_class=StreamingResponse)
def file_content(
    services: PortalServices, actor: CurrentActor, account: str, path: FilePath
) -> StreamingResponse:
    """One file."""
    place = files_to_see(services, actor, account)
    opened = read_file(place.root, place.folder, path)
    return attachment(opened, path, media_type="application/octet-stream")


@router.get("/projects/{account}/files/preview")
def file_preview(services: PortalServices, actor: CurrentActor, account: str, path: FilePath) -> PreviewReply:
    """What the beginning of a file looks like: text, rows of a table, or that it is an image."""
    place = files_to_see(services, actor, account)
    return PreviewReply.model_validate(preview_file(place.root, place.folder, path))


@router.get("/projects/{account}/files/zip", response_class=StreamingResponse)
def folder_as_zip(
    services: PortalServices, actor: CurrentActor, account: str, path: FolderPath = ""
) -> StreamingResponse:
    """A folder with all that is below it, but for links."""
    place = files_to_see(services, actor, account)
    return zip_attachment(zip_folder(place.root, place.folder, path), whole=account, path=path)


@router.delete("/projects/{account}/files")
def delete(services: PortalServices, actor: CurrentActor, account: str, path: FilePath) -> DeletedReply:
    """Delete a file, or a folder with all that is below it, for good."""
    return DeletedReply.model_validate(remove_file(services, actor, account, path))


@router.post("/projects/{account}/files/folders", status_code=HTTPStatus.CREATED)
def new_folder(services: PortalServices, actor: CurrentActor, account: str, body: FolderBody) -> PathReply:
    """Make a folder; one that is there stays."""
    return PathReply(path=str(make_folder(services, actor, account, body.path)))


@router.post("/projects/{account}/files/moves")
def move(services: PortalServices, actor: CurrentActor, account: str, body: MoveBody) -> PathReply:
    """Rename a file or folder, or move it; nothing is ever overwritten."""
    return PathReply(path=str(move_file(services, actor, account, body.path, body.to)))


@router.get("/projects/{account}/uploads/{upload_id}")
def upload(services: PortalServices, actor: CurrentActor, account: str, upload_id: UUID) -> UploadReply:
    """How much of an upload of one's own is there: where to go on after a break. 0 when nothing is."""
    return UploadReply(received_bytes=received_bytes(services, actor, account, upload_id))


@router.put("/projects/{account}/uploads/{upload_id}")
async def upload_part(  # noqa: PLR0913 - what a part is
    *,
    request: Request,
    services: PortalServices,
    actor: CurrentActor,
    account: str,
    upload_id: UUID,
    path: FilePath,
    size_bytes: Bytes,
    offset: Bytes = 0,
    overwrite: Flag = False,
) -> UploadedReply:
    """Send a file, or a part of it, as the bytes of the body: at most 64 MiB at once.

    Choose a UUID for each file. Send the first part with `offset` 0 and each further one where the last one
    ended; the file appears when `size_bytes` are there. The same part again is refused with the state 409,
    and so is a file whose name another one has, unless `overwrite` is set.
    """
    wanted = WantedPart(upload_id, path, size_bytes, offset, overwrite=overwrite)
    receipt = await receive_part(request, services, actor, account, wanted)
    return UploadedReply.model_validate(receipt)


@router.delete("/projects/{account}/uploads/{upload_id}", status_code=HTTPStatus.NO_CONTENT)
def cancel(services: PortalServices, actor: CurrentActor, account: str, upload_id: UUID) -> None:
    """Throw away what came of an upload; nothing to throw away is no error."""
    cancel_upload(services, actor, account, upload_id)


def _list(place: FilesPlace, path: str, cursor: str, limit: int) -> Listing:
    try:
        return list_files(place.root, place.folder, path, after=cursor, limit=limit)
    except FileNotInWorkspace:
        if path.strip("/"):
            raise
        return Listing((), None)  # nobody shared a file yet
