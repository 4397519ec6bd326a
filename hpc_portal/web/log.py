"""A job's log: the end of it, or the part around a line or a match, and the stream of what is added."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from hpc_portal.app.errors import FileNotInWorkspace, InvalidEntry, Problem
from hpc_portal.app.event_hub import Topic
from hpc_portal.app.files.log_index import count_lines, open_log
from hpc_portal.app.files.read_log import LogWindow, empty_window, read_lines, read_tail
from hpc_portal.app.files.search_log import ERRORS, SearchedLog, compile_pattern
from hpc_portal.app.jobs.logs import LogSource, LogStream, find_log, has_task_ended, search_log
from hpc_portal.app.jobs.queries import JobDetail, get_job
from hpc_portal.app.jobs.results import results_of
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, Events, PortalServices
from hpc_portal.log_stream import SEARCHES, BesideLog, log_messages
from hpc_portal.sse import may_still_see, resume_point, sse_response
from hpc_portal.web.job import show_tab
from hpc_portal.web.live import with_top, write_drawn
from hpc_portal.web.show_log import lines_as_json, show_window
from workloads.template import CampaignCell

router = APIRouter(include_in_schema=False)

LINES_SHOWN = 500
_CONTEXT = 200
"""Lines shown before the one that a link points at."""
_LABELS_SHOWN = 2000
_SKIPS_BEYOND = 4000
"""A page that is further behind shows the end; it loads what is between when its reader goes there."""

TaskIndex = Annotated[int | None, Query(ge=0)]
LineNumber = Annotated[int, Query(ge=0, lt=2**53)]


@dataclass(frozen=True, slots=True)
class Sought:
    """What a reader without JavaScript looks for; lines as people count them, from 1."""

    search: str = ""
    regex: bool = False
    errors: bool = False
    from_line: LineNumber = 1
    before: LineNumber = 0
    """Look backwards from before this line."""

    @property
    def is_wanted(self) -> bool:
        """Whether anything is."""
        return bool(self.search) or self.errors


@router.get("/jobs/{job_id}/log")
async def show(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    sought: Annotated[Sought, Depends()],
    job_id: UUID,
    task: TaskIndex = None,
    file: str = "",
    of: TaskIndex = None,
    line: LineNumber = 0,
) -> Response:
    """The end of the log, or what is around `line`; `file` counts only for the task it was chosen `of`."""

    def find() -> tuple[JobDetail, LogSource]:
        with services.reading() as session:
            job = get_job(session, actor, job_id)
        return job, find_log(services, actor, job_id, task=task, stream=LogStream.STDOUT)

    job, written = await anyio.to_thread.run_sync(find)
    chosen = file if of is None or of == task else ""
    source = replace(written, path=chosen or written.path)
    found, wrong = None, None
    if sought.is_wanted:
        try:
            found = await anyio.to_thread.run_sync(_seek, source, sought, limiter=SEARCHES)
        except InvalidEntry as error:
            [wrong] = error.problems
    match = found.matches[0] if found and found.matches else None
    facts = {"sought": sought, "found": found, "wrong": wrong, "line": match.line + 1 if match else line}

    def answer() -> Response:
        files = _files(services, actor, job, source, written)
        return _page(request, services, job, source, {**facts, **files}, wrong=wrong)

    return await anyio.to_thread.run_sync(answer)


@router.get("/jobs/{job_id}/log/lines")
def lines(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    actor: CurrentActor,
    services: PortalServices,
    job_id: UUID,
    task: TaskIndex = None,
    file: str = "",
    first: Annotated[int | None, Query(ge=0, lt=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=2000)] = LINES_SHOWN,
) -> Response:
    """Lines from number `first` on (from 0), without it the last ones, as the page's script shows them."""
    source = _source(services, actor, job_id, task, file)
    with services.reading() as session:
        has_ended = has_task_ended(session, job_id, source.task_index)
    window, total = _read(source, first, limit, has_ended=has_ended) or (empty_window(0), 0)
    return JSONResponse(
        {
            "first": window.first_line,
            "next": window.next_line,
            "total": total,
            "lines": lines_as_json(window),
        }
    )


@router.get("/jobs/{job_id}/log/live")
async def follow(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    hub: Events,
    job_id: UUID,
    task: TaskIndex = None,
    file: str = "",
    after: LineNumber = 0,
    balance: UUID | None = None,
) -> Response:
    """Lines as they are written, from line number `after` on, and what changes at the top of the page."""
    source = await asyncio.to_thread(_source, services, actor, job_id, task, file)
    topic = await asyncio.to_thread(with_top, services, actor, Topic(job_id=job_id), balance_of=balance)
    messages = log_messages(
        services,
        hub,
        source,
        first_line=resume_point(request, after) or 0,
        still_allowed=may_still_see(request, topic),
        encode=lines_as_json,
        skips_beyond=_SKIPS_BEYOND,
        beside=BesideLog(topic, write_drawn(request)),
    )
    return sse_response(messages)


def _source(services: Services, actor: CurrentActor, job_id: UUID, task: int | None, file: str) -> LogSource:
    source = find_log(services, actor, job_id, task=task, stream=LogStream.STDOUT)
    return replace(source, path=file or source.path)


def _seek(source: LogSource, sought: Sought) -> SearchedLog:
    """Forwards it starts over at the top when nothing follows."""
    pattern = ERRORS if sought.errors else compile_pattern(sought.search, is_regex=sought.regex)
    if sought.before:
        return search_log(source, pattern, sought.before - 1, 1, backward=True)
    found = search_log(source, pattern, max(0, sought.from_line - 1), 1)
    if found.matches or not found.is_over:
        return found
    return search_log(source, pattern, 0, 1)


def _read(
    source: LogSource, first: int | None, limit: int, *, has_ended: bool
) -> tuple[LogWindow, int] | None:
    """A window and how many lines there are; None while there is no file."""
    try:
        with open_log(source.root, source.workspace, source.path) as log:
            if first is None:
                window = read_tail(log, limit, with_partial=has_ended)
            else:
                window = read_lines(log, first, limit, with_partial=has_ended)
            return window, count_lines(log, with_partial=has_ended)
    except FileNotInWorkspace:
        return None


def _files(
    services: Services, actor: CurrentActor, job: JobDetail, source: LogSource, written: LogSource
) -> dict[str, Any]:
    """What else there is to read of this task, and the names of the others."""
    errors = find_log(services, actor, job.id, task=source.task_index, stream=LogStream.STDERR)
    found = results_of(services, job)
    left = [
        artefact
        for result in found.results.tasks
        if result.task_index == source.task_index
        for artefact in result.artefacts
    ]
    logs = [artefact.path for artefact in left if artefact.kind == "log"]
    return {
        "waves": [artefact.path for artefact in left if artefact.kind == "waveform"],
        "files": list(dict.fromkeys([written.path, errors.path, *logs, source.path])),
        "task_choices": _labels(found.campaign),
    }


def _page(  # noqa: PLR0913 - what was found out so far
    request: Request,
    services: Services,
    job: JobDetail,
    source: LogSource,
    facts: dict[str, Any],
    *,
    wrong: Problem | None,
) -> Response:
    with services.reading() as session:
        has_ended = has_task_ended(session, job.id, source.task_index)
    line = facts["line"]
    read = _read(source, max(0, line - 1 - _CONTEXT) if line else None, LINES_SHOWN, has_ended=has_ended)
    if read is None and not has_ended:
        read = empty_window(0), 0
    log = show_window(*read) if read else None
    query = {"task": source.task_index, "file": source.path}
    is_live = log is not None and not has_ended
    shown = {
        "file": source.path,
        "task": source.task_index if job.is_array else None,
        "log": log,
        "query": urlencode(query),
        "older": max(1, log.first_line - LINES_SHOWN + _CONTEXT + 1) if log and log.first_line else 0,
        "newer": log.next_line + _CONTEXT + 1 if log and log.next_line < log.total else 0,
        "log_stream": f"/jobs/{job.id}/log/live?{urlencode(query)}" if is_live else "",
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return show_tab(request, job, "log", {**facts, **shown}, status=status)


def _labels(cells: Sequence[CampaignCell]) -> list[tuple[int, str]]:
    return [(cell.task_index, f"{cell.row} {cell.column}") for cell in cells[:_LABELS_SHOWN]]
