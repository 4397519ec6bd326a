"""The one event stream of a page: its jobs, and what else it shows that changes; its top always."""

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
    WriteDrawn,
    job_messages,
    may_still_see,
    resume_point,
    sse_response,
    visible_topic,
)
from hpc_portal.web.live_messages import LiveMessages
from hpc_portal.web.render import pages_of

router = APIRouter(include_in_schema=False)

_TOP = frozenset([Watched.NOTICES, Watched.TROUBLES, Watched.BALANCE])


@router.get("/live")
async def follow(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    hub: Events,
    job: UUID | None = None,
    jobs: bool = False,  # noqa: FBT001, FBT002 - as it stands in URLs
    also: Annotated[list[Watched], Query()] = [],  # noqa: B006 - FastAPI makes a new one
    balance: UUID | None = None,
    after: int | None = None,
) -> Response:
    """Events of one job, of all that the reader sees (`jobs`) or of none, and what `also` names.

    Of each page its top, with what the project `balance` has left, where the reader may see it.
    """
    topic = await asyncio.to_thread(
        _topic, services, actor, job, every_job=jobs, watched=frozenset(also), balance_of=balance
    )
    return sse_response(
        job_messages(
            hub,
            topic,
            after=resume_point(request, after),
            still_allowed=may_still_see(request, topic),
            write_drawn=write_drawn(request),
        )
    )


def with_top(services: Services, actor: Actor, topic: Topic, *, balance_of: UUID | None) -> Topic:
    """The topic, and what stands at the top of every page; of a balance only one that the reader may see."""
    visible = visible_topic(services, actor).project_ids
    return replace(
        topic,
        watched=topic.watched | _TOP,
        reader=actor.user_id,
        balance_of=balance_of if visible is None or balance_of in visible else None,
    )


def write_drawn(request: Request) -> WriteDrawn:
    """What is told as it is to be shown, in the reader's language."""
    pages = pages_of(request)
    language = pages.language(request)
    written: LiveMessages = request.app.state.live_messages
    return written.writer(language, partial(pages.fragment, language))


def _topic(  # noqa: PLR0913 - what a page follows
    services: Services,
    actor: Actor,
    job: UUID | None,
    *,
    every_job: bool,
    watched: frozenset[Watched],
    balance_of: UUID | None,
) -> Topic:
    visible = visible_topic(services, actor).project_ids
    if job is not None:
        with services.reading() as session:
            require_visible(session, actor, job)
    topic = Topic(
        job_id=job,
        project_ids=visible if every_job else frozenset(),
        watched=watched,
        requests_of=visible if Watched.REQUESTS in watched else frozenset(),
    )
    return with_top(services, actor, topic, balance_of=balance_of)
