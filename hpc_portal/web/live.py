"""The one event stream of a page: its jobs, and what else it shows that changes; the bell's number always."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.event_hub import Topic
from hpc_portal.app.jobs.queries import require_visible
from hpc_portal.app.live_marks import Watched
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, Events, PortalServices
from hpc_portal.sse import (
    WriteFigures,
    job_messages,
    may_still_see,
    resume_point,
    sse_response,
    visible_topic,
)
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_figures import FigureMessages

router = APIRouter(include_in_schema=False)


@router.get("/live")
async def follow(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    hub: Events,
    job: UUID | None = None,
    jobs: bool = False,  # noqa: FBT001, FBT002 - as it stands in URLs
    also: Annotated[list[Watched], Query()] = [],  # noqa: B006 - FastAPI makes a new one
    after: int | None = None,
) -> Response:
    """Events of one job, of all that the reader sees (`jobs`) or of none, and what `also` names."""
    topic = await asyncio.to_thread(_topic, services, actor, job, every_job=jobs, watched=frozenset(also))
    return sse_response(
        job_messages(
            hub,
            topic,
            after=resume_point(request, after),
            still_allowed=may_still_see(request, topic),
            write_figures=_write_figures(request),
        )
    )


def _write_figures(request: Request) -> WriteFigures:
    pages = pages_of(request)
    language = pages.language(request)
    written: FigureMessages = request.app.state.figure_messages
    return written.writer(language, partial(pages.fragment, language))


def _topic(
    services: Services, actor: Actor, job: UUID | None, *, every_job: bool, watched: frozenset[Watched]
) -> Topic:
    visible = visible_topic(services, actor).project_ids
    if job is not None:
        with services.reading() as session:
            require_visible(session, actor, job)
    return replace(
        Topic(job_id=job, project_ids=visible if every_job else frozenset()),
        watched=watched | {Watched.NOTICES},
        reader=actor.user_id,
        requests_of=visible if Watched.REQUESTS in watched else frozenset(),
    )
