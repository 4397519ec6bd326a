"""Event streams: what happens to jobs, and logs as they grow; resumable by Last-Event-ID."""

from typing import Annotated
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from hpc_portal.api.job_logs import LogPath, SearchText, pattern_of, source_of
from hpc_portal.api.one_form import Flag
from hpc_portal.app.accounts.queries import get_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.event_hub import EventHub, Topic
from hpc_portal.app.files.read_log import texts
from hpc_portal.app.jobs.logs import LogStream
from hpc_portal.app.jobs.queries import require_visible
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, Events, PortalServices
from hpc_portal.log_stream import log_messages, only_matches
from hpc_portal.sse import (
    job_messages,
    may_still_see,
    resume_point,
    sse_response,
    visible_topic,
)

router = APIRouter(tags=["streams"])

After = Annotated[int | None, Query(ge=0, lt=2**63)]
"""The sequence of the last event that is known; a Last-Event-ID goes before it."""


@router.get("/events/stream", response_class=StreamingResponse)
async def follow_everything(
    request: Request, services: PortalServices, actor: CurrentActor, hub: Events, after: After = None
) -> StreamingResponse:
    """Events of every job that you may see."""
    topic = await anyio.to_thread.run_sync(visible_topic, services, actor)
    return _events(request, hub, topic, after)


@router.get("/projects/{account}/events/stream", response_class=StreamingResponse)
async def follow_project(  # noqa: PLR0913 - whose events, and from where
    *,
    request: Request,
    services: PortalServices,
    actor: CurrentActor,
    hub: Events,
    account: str,
    after: After = None,
) -> StreamingResponse:
    """Events of the jobs of one project."""
    topic = await anyio.to_thread.run_sync(_project_topic, services, actor, account)
    return _events(request, hub, topic, after)


@router.get("/jobs/{job_id}/events/stream", response_class=StreamingResponse)
async def follow_job(  # noqa: PLR0913 - whose events, and from where
    *,
    request: Request,
    services: PortalServices,
    actor: CurrentActor,
    hub: Events,
    job_id: UUID,
    after: After = None,
) -> StreamingResponse:
    """Events of one job."""
    await anyio.to_thread.run_sync(_require_visible, services, actor, job_id)
    topic = Topic(job_id=job_id)
    return _events(request, hub, topic, after)


@router.get("/jobs/{job_id}/log/stream", response_class=StreamingResponse)
async def follow_log(  # noqa: PLR0913 - which log, and from where
    *,
    request: Request,
    services: PortalServices,
    actor: CurrentActor,
    hub: Events,
    job_id: UUID,
    task: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
    stream: LogStream = LogStream.STDOUT,
    path: LogPath = "",
    search: SearchText = "",
    regex: Flag = False,
    errors: Flag = False,
    after: Annotated[int, Query(ge=0, lt=2**53)] = 0,
) -> StreamingResponse:
    """A task's log as it grows, from line `after` (counted from 0) on; ends when the task has ended.

    `event: lines` has `{first, lines}`, or, when something is looked for, `event: matches` has
    `{first, lines: [[number, text], ...]}`. The id of each message is the number of the line that comes next,
    so Last-Event-ID resumes exactly. `event: partial` shows a line that has no end yet; `event: restart`
    tells that the job has started the file anew.
    """
    pattern = pattern_of(search, regex=regex, errors=errors) if search or errors else None
    source = await anyio.to_thread.run_sync(
        lambda: source_of(services, actor, job_id, task=task, stream=stream, path=path)
    )
    return sse_response(
        log_messages(
            services,
            hub,
            source,
            first_line=resume_point(request, after) or 0,
            encode=only_matches(pattern) if pattern else texts,
            kind="matches" if pattern else "lines",
            still_allowed=may_still_see(request, Topic(job_id=job_id)),
        )
    )


def _events(request: Request, hub: EventHub, topic: Topic, after: int | None) -> StreamingResponse:
    return sse_response(
        job_messages(
            hub,
            topic,
            after=resume_point(request, after),
            still_allowed=may_still_see(request, topic),
        )
    )


def _project_topic(services: Services, actor: Actor, account: str) -> Topic:
    with services.reading() as session:
        return Topic(project_ids=frozenset([get_project(session, actor, account).id]))


def _require_visible(services: Services, actor: Actor, job_id: UUID) -> None:
    with services.reading() as session:
        require_visible(session, actor, job_id)
