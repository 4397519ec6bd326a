"""Logs of jobs: read by line number, searched, downloaded; the stream of a log is in `streams`."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from hpc_portal.api.job_result_schemas import LogMatchReply, LogReply, LogSearchReply
from hpc_portal.api.one_form import Flag
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.read_file import OpenedFile, read_file
from hpc_portal.app.files.read_log import texts
from hpc_portal.app.files.search_log import ERRORS, LogPattern, compile_pattern
from hpc_portal.app.jobs.logs import LogSource, LogStream, find_log, read_log, search_log
from hpc_portal.app.services import Services
from hpc_portal.attachment import attachment
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.log_stream import SEARCHES

router = APIRouter(tags=["logs of jobs"])

Task = Annotated[int | None, Query(ge=0, lt=2**31)]
LogPath = Annotated[str, Query(max_length=4096)]
"""Another file of the job's workspace to read as its log."""
SearchText = Annotated[str, Query(max_length=500)]
Line = Annotated[int, Query(ge=0, lt=2**53)]


@router.get("/jobs/{job_id}/log")
def log(  # noqa: PLR0913 - which log, and which part of it
    *,
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    task: Task = None,
    stream: LogStream = LogStream.STDOUT,
    path: LogPath = "",
    from_line: Annotated[int | None, Query(ge=0, lt=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> LogReply:
    """Lines of a task's log from a number on; without a number, the last ones. Empty before it starts."""
    source = source_of(services, actor, job_id, task=task, stream=stream, path=path)
    window, has_ended = read_log(services, source, from_line, limit)
    return LogReply(
        path=source.path,
        first_line=window.first_line,
        lines=texts(window),
        next_line=window.next_line,
        is_at_end=window.is_at_end,
        has_ended=has_ended,
    )


@router.get("/jobs/{job_id}/log/search")
async def search(  # noqa: PLR0913 - which log, and what in it
    *,
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    task: Task = None,
    stream: LogStream = LogStream.STDOUT,
    path: LogPath = "",
    search: SearchText = "",
    regex: Flag = False,
    errors: Flag = False,
    from_line: Line = 0,
    backward: Flag = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> LogSearchReply:
    """Lines that hold `search` (with `regex`, a pattern as RE2 reads it), or with `errors` tell of one.

    Each call looks for about half a second. Unless `is_over`, go on at `next_line`: forwards from that
    line, `backward` from before it. Upper and lower case are the same unless `search` has an upper-case
    letter. Colours and what a progress bar has overwritten are not looked at.
    """
    pattern = pattern_of(search, regex=regex, errors=errors)
    source = await anyio.to_thread.run_sync(
        lambda: source_of(services, actor, job_id, task=task, stream=stream, path=path)
    )
    found = await anyio.to_thread.run_sync(
        lambda: search_log(source, pattern, from_line, limit, backward=backward), limiter=SEARCHES
    )
    return LogSearchReply(
        path=source.path,
        matches=[LogMatchReply.model_validate(match) for match in found.matches],
        next_line=found.next_line,
        is_over=found.is_over,
    )


@router.get("/jobs/{job_id}/log/download", response_class=StreamingResponse)
def download_log(  # noqa: PLR0913 - which log
    *,
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    task: Task = None,
    stream: LogStream = LogStream.STDOUT,
    path: LogPath = "",
) -> StreamingResponse:
    """A task's whole log as plain text; empty before it starts."""
    source = source_of(services, actor, job_id, task=task, stream=stream, path=path)
    try:
        opened = read_file(source.root, source.workspace, source.path)
    except FileNotInWorkspace:
        opened = OpenedFile(0, iter(()))
    return attachment(opened, source.path, media_type="text/plain; charset=utf-8")


def pattern_of(search: str, *, regex: bool, errors: bool) -> LogPattern:
    """What a request looks for."""
    return ERRORS if errors else compile_pattern(search, is_regex=regex)


def source_of(  # noqa: PLR0913 - which log
    services: Services, actor: Actor, job_id: UUID, *, task: int | None, stream: LogStream, path: str
) -> LogSource:
    """The log that a request names: a task's own, or another file of its workspace."""
    source = find_log(services, actor, job_id, task=task, stream=stream)
    return replace(source, path=path) if path else source
