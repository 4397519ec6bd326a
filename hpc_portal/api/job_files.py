"""What a job writes: its logs, results and files."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from hpc_portal.api.job_result_schemas import (
    CampaignCellReply,
    FileReply,
    LogReply,
    MarkerReply,
    MetricReply,
    ResultsReply,
    SeriesReply,
    TableReply,
    TaskResultReply,
)
from hpc_portal.api.schemas import PageReply
from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.list_files import list_files
from hpc_portal.app.files.read_file import OpenedFile, read_file
from hpc_portal.app.jobs import queries
from hpc_portal.app.jobs.logs import LogStream, find_log, read_log
from hpc_portal.app.jobs.results import read_results
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["files of jobs"])

Task = Annotated[int | None, Query(ge=0, lt=2**31)]
FilePath = Annotated[str, Query(min_length=1, max_length=4096)]


@router.get("/jobs/{job_id}/log")
def log(  # noqa: PLR0913 - which log, and which part of it
    *,
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    task: Task = None,
    stream: LogStream = LogStream.STDOUT,
    from_line: Annotated[int | None, Query(ge=0, lt=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> LogReply:
    """Lines of a task's log from a number on; without a number, the last ones. Empty before it starts."""
    source = find_log(services, actor, job_id, task=task, stream=stream)
    window, has_ended = read_log(services, source, from_line, limit)
    return LogReply(
        path=source.path,
        first_line=window.first_line,
        lines=list(window.lines),
        next_line=window.next_line,
        is_at_end=window.is_at_end,
        has_ended=has_ended,
    )


@router.get("/jobs/{job_id}/log/download", response_class=StreamingResponse)
def download_log(
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    task: Task = None,
    stream: LogStream = LogStream.STDOUT,
) -> StreamingResponse:
    """A task's whole log as plain text; empty before it starts."""
    source = find_log(services, actor, job_id, task=task, stream=stream)
    try:
        opened = read_file(source.root, source.workspace, source.path)
    except FileNotInWorkspace:
        opened = OpenedFile(0, iter(()))
    return _sent(opened, source.path, media_type="text/plain; charset=utf-8")


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
    return _sent(opened, path, media_type="application/octet-stream")


def _sent(opened: OpenedFile, path: str, *, media_type: str) -> StreamingResponse:
    """Always as an attachment: what a job wrote must not run as a page of ours."""
    name = quote(path.rpartition("/")[2])
    pieces: Iterator[bytes] = opened.pieces
    return StreamingResponse(
        pieces,
        status_code=HTTPStatus.OK,
        media_type=media_type,
        headers={
            "content-length": str(opened.size_bytes),
            "content-disposition": f"attachment; filename*=UTF-8''{name}",
        },
    )
