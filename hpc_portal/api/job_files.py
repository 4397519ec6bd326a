"""What a job leaves behind: its results and files."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from hpc_portal.api.job_result_schemas import (
    CampaignCellReply,
    FileReply,
    MarkerReply,
    MetricReply,
    PreviewReply,
    ResultsReply,
    SeriesReply,
    TableReply,
    TaskResultReply,
)
from hpc_portal.api.schemas import PageReply
from hpc_portal.app.files.list_files import list_files
from hpc_portal.app.files.preview import preview_file
from hpc_portal.app.files.read_file import read_file
from hpc_portal.app.files.zip_folder import zip_folder
from hpc_portal.app.jobs import queries
from hpc_portal.app.jobs.results import read_results
from hpc_portal.attachment import attachment, zip_attachment
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["files of jobs"])

FilePath = Annotated[str, Query(min_length=1, max_length=4096)]


@router.get("/jobs/{job_id}/results")
def results(services: PortalServices, actor: CurrentActor, job_id: UUID) -> ResultsReply:
    """Verdicts, failures, metrics and curves, as far as the job's workspace tells now."""
    found = read_results(services, actor, job_id)
    return ResultsReply(
        tasks=[TaskResultReply.model_validate(item) for item in found.results.tasks],
        metrics=[MetricReply.model_validate(item) for item in found.results.metrics],
        series=[SeriesReply.model_validate(item) for item in found.results.series],
        markers=[MarkerReply.model_validate(item) for item in found.results.markers],
        tables=[TableReply.model_validate(item) for item in found.results.tables],
        campaign=[CampaignCellReply.model_validate(item) for item in found.campaign],
    )


@router.get("/jobs/{job_id}/files")
def files(  # noqa: PLR0913 - which folder, and which part of it
    *,
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    path: Annotated[str, Query(max_length=4096)] = "",
    cursor: Annotated[str, Query(max_length=255)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> PageReply[FileReply]:
    """The entries of a folder in the job's workspace, by name; links are listed, never followed."""
    with services.reading() as session:
        job = queries.get_job(session, actor, job_id)
    root = services.settings.effective_workspace_root
    listing = list_files(root, job.workspace, path, after=cursor, limit=limit)
    return PageReply(
        items=[FileReply.model_validate(entry) for entry in listing.entries], next_cursor=listing.next_after
    )


@router.get("/jobs/{job_id}/files/content", response_class=StreamingResponse)
def file_content(
    services: PortalServices, actor: CurrentActor, job_id: UUID, path: FilePath
) -> StreamingResponse:
    """One file of the job's workspace."""
    with services.reading() as session:
        job = queries.get_job(session, actor, job_id)
    opened = read_file(services.settings.effective_workspace_root, job.workspace, path)
    return attachment(opened, path, media_type="application/octet-stream")


@router.get("/jobs/{job_id}/files/preview")
def file_preview(services: PortalServices, actor: CurrentActor, job_id: UUID, path: FilePath) -> PreviewReply:
    """What the beginning of a file looks like: text, rows of a table, or that it is an image."""
    with services.reading() as session:
        job = queries.get_job(session, actor, job_id)
    root = services.settings.effective_workspace_root
    return PreviewReply.model_validate(preview_file(root, job.workspace, path))


@router.get("/jobs/{job_id}/files/zip", response_class=StreamingResponse)
def folder_as_zip(
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    path: Annotated[str, Query(max_length=4096)] = "",
) -> StreamingResponse:
    """A folder with all that is below it, but for links."""
    with services.reading() as session:
        job = queries.get_job(session, actor, job_id)
    pieces = zip_folder(services.settings.effective_workspace_root, job.workspace, path)
    return zip_attachment(pieces, whole=job.name, path=path)
