"""A job's log: the end of it, or the part around a line, and the stream of what is added."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.event_hub import Topic
from hpc_portal.app.files.read_log import LogWindow, open_log, read_lines, read_tail
from hpc_portal.app.jobs.logs import LogSource, LogStream, find_log, has_task_ended
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.results import results_of
from hpc_portal.auth.deps import CurrentActor, Events, PortalServices
from hpc_portal.sse import log_messages, may_still_see, resume_point, sse_response
from hpc_portal.web.job import show_tab
from workloads.template import CampaignCell

router = APIRouter(include_in_schema=False)

LINES_SHOWN = 1000
_BLOCK = 250
_CONTEXT = 200
"""Lines shown before the one that a link points at."""
_LABELS_SHOWN = 2000

_ERROR = re.compile(r"\b(error|fatal|fail(ed|ure)?|traceback|assert(ion)?)\b|TB_ERROR", re.IGNORECASE)
_GOOD = re.compile(r"\b(passed|success(ful)?)\b", re.IGNORECASE)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class ShownLine:
    """One line; numbers start at 1, as editors count."""

    number: int
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class ShownLog:
    """A window of a log, in blocks that a browser lays out only when it shows them."""

    first_line: int
    next_line: int
    is_at_end: bool
    blocks: tuple[tuple[ShownLine, ...], ...]


TaskIndex = Annotated[int | None, Query(ge=0)]


@router.get("/jobs/{job_id}/log")
def show(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    job_id: UUID,
    task: TaskIndex = None,
    file: str = "",
    of: TaskIndex = None,
    line: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """The end of the log, or what is around `line`; `file` counts only for the task it was chosen `of`."""
    file = file if of is None or of == task else ""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    source = find_log(services, actor, job_id, task=task, stream=LogStream.STDOUT)
    errors = find_log(services, actor, job_id, task=task, stream=LogStream.STDERR)
    found = results_of(services, job)
    results, cells = found.results, found.campaign
    written = [
        artefact.path
        for result in results.tasks
        if result.task_index == source.task_index
        for artefact in result.artefacts
        if artefact.kind == "log"
    ]
    files = dict.fromkeys([source.path, errors.path, *written, *([file] if file else [])])
    source = replace(source, path=file or source.path)
    with services.reading() as session:
        has_ended = has_task_ended(session, job_id, source.task_index)
    window = _window(source, line, has_ended=has_ended)
    if window is None and not has_ended:
        window = LogWindow(0, (), 0, is_at_end=True)
    query = {"task": source.task_index, "file": source.path}
    is_live = window is not None and window.is_at_end and not has_ended
    facts = {
        "file": source.path,
        "files": list(files),
        "task": source.task_index if job.is_array else None,
        "task_choices": _labels(cells),
        "log": show_window(window) if window else None,
        "older": urlencode({**query, "line": max(1, window.first_line)}) if window else "",
        "log_stream": f"/jobs/{job_id}/log/live?{urlencode(query)}" if is_live else "",
        "stream": is_live,
    }
    return show_tab(request, job, "log", facts)


@router.get("/jobs/{job_id}/log/live")
async def follow(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    hub: Events,
    job_id: UUID,
    task: TaskIndex = None,
    file: str = "",
    after: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Lines as they are written, from line number `after` on."""

    def find() -> LogSource:
        return find_log(services, actor, job_id, task=task, stream=LogStream.STDOUT)

    source = await asyncio.to_thread(find)
    messages = log_messages(
        services,
        hub,
        replace(source, path=file or source.path),
        first_line=resume_point(request, after) or 0,
        still_allowed=may_still_see(request, Topic(job_id=job_id)),
    )
    return sse_response(messages)


def show_window(window: LogWindow) -> ShownLog:
    """Lines with their numbers and tones, in blocks."""
    lines = [
        ShownLine(number, _ANSI.sub("", text), _tone(text))
        for number, text in enumerate(window.lines, start=window.first_line + 1)
    ]
    blocks = tuple(tuple(lines[start : start + _BLOCK]) for start in range(0, len(lines), _BLOCK))
    return ShownLog(window.first_line, window.next_line, window.is_at_end, blocks)


def _window(source: LogSource, line: int, *, has_ended: bool) -> LogWindow | None:
    """None while there is no file."""
    try:
        with open_log(source.root, source.workspace, source.path) as log:
            if line:
                first = max(0, line - 1 - _CONTEXT)
                return read_lines(log, first, LINES_SHOWN, with_partial=has_ended)
            return read_tail(log, LINES_SHOWN, with_partial=has_ended)
    except FileNotInWorkspace:
        return None


def _tone(text: str) -> str:
    if _ERROR.search(text):
        return "is-error"
    return "is-good" if _GOOD.search(text) else ""


def _labels(cells: Sequence[CampaignCell]) -> list[tuple[int, str]]:
    return [(cell.task_index, f"{cell.row} {cell.column}") for cell in cells[:_LABELS_SHOWN]]
