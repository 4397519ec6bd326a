"""Server-sent events for browsers and scripts: how they are sent, resumed by Last-Event-ID, and ended."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import StreamingResponse

from hpc_portal.app import permissions
from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.event_hub import EventHub, Topic
from hpc_portal.app.jobs.queries import is_visible
from hpc_portal.app.live_marks import Drawn, Marks, Watched
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import find_actor

ALIVE_SECONDS = 15
RETRY = b"retry: 2000\n\n"
"""How many milliseconds a browser waits before it connects again."""

StillAllowed = Callable[[], Awaitable[bool]]
"""Asked about each quarter of a minute: whether the reader may still see what the stream tells."""
WriteDrawn = Callable[[Drawn], bytes]
"""What is to be shown as one message, in the words of whoever reads it."""


def sse_response(messages: AsyncIterator[bytes]) -> StreamingResponse:
    """A stream that proxies neither buffer nor compress."""
    return StreamingResponse(
        messages,
        media_type="text/event-stream",
        headers={"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"},
    )


def resume_point(request: Request, after: int | None) -> int | None:
    """Where to go on: after the last event that the browser saw, else where the page said.

    A Last-Event-ID that is no number is none of ours and is ignored.
    """
    text = request.headers.get("last-event-id", "").strip()
    return int(text) if text.isdecimal() and len(text) < 19 else after  # noqa: PLR2004 - fits 64 bits


def message(event: str, content: str, *, event_id: int | None = None) -> bytes:
    """One message; `content` is a single line, as JSON is."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {event}\ndata: {content}\n\n".encode()


ALIVE = b": alive\n\n"
"""A comment that keeps proxies from closing a silent stream."""


def may_still_see(request: Request, topic: Topic) -> StillAllowed:
    """Whether whoever opened this stream is still signed in and still sees all of the topic."""

    async def ask() -> bool:
        actor = await find_actor(request)
        if actor is None:
            return False
        return await anyio.to_thread.run_sync(_sees, request.app.state.services, actor, topic)

    return ask


def visible_topic(services: Services, actor: Actor) -> Topic:
    """The events of every job that the actor may see."""
    if permissions.may(actor, Action.VIEW):
        return Topic()
    with services.reading() as session:
        return Topic(project_ids=frozenset(item.id for item in list_visible_projects(session, actor)))


async def job_messages(
    hub: EventHub,
    topic: Topic,
    *,
    after: int | None,
    still_allowed: StillAllowed,
    write_drawn: WriteDrawn | None = None,
) -> AsyncIterator[bytes]:
    """`event: job` with its JSON for each event; `event: resync` when too much was missed to tell.

    What the topic watches beside jobs has no id: each stream tells it first as it is, then when it changes,
    as `event: notices` with the number of unread ones, `event: requests`, `event: clusters`, and what
    `write_drawn` makes of the others.
    Ends with `event: end` when the reader may see it no longer; reconnecting then tells why.
    """
    yield RETRY
    checked_at = time.monotonic()
    async for batch in hub.follow(topic, after=after, alive_seconds=ALIVE_SECONDS):
        if time.monotonic() - checked_at >= ALIVE_SECONDS:
            checked_at = time.monotonic()
            if not await still_allowed():
                yield message("end", json.dumps({"reason": "access ended"}))
                return
        if batch.is_gap:
            yield message("resync", "{}", event_id=batch.sequence)
        elif batch.events or batch.marks:
            told = [message("job", event.json, event_id=event.sequence) for event in batch.events]
            yield b"".join([*told, *mark_messages(batch.marks, write_drawn)])
        else:
            yield ALIVE


def mark_messages(marks: Marks, write_drawn: WriteDrawn | None) -> list[bytes]:
    """One for each kind; that somebody else's request or cluster changed is all that is told of it."""
    told: dict[Watched, bytes] = {}
    for (kind, _), mark in marks.items():
        if isinstance(mark, int | str):
            told[kind] = message(kind, json.dumps({"unread": mark}) if kind is Watched.NOTICES else "{}")
        elif write_drawn:
            told[kind] = write_drawn(mark)
    return list(told.values())


def _sees(services: Services, actor: Actor, topic: Topic) -> bool:
    if topic.job_id is not None:
        with services.reading() as session:
            if not is_visible(session, actor, topic.job_id):
                return False
    visible = visible_topic(services, actor).project_ids
    wanted = [topic.requests_of] if topic.job_id is not None else [topic.project_ids, topic.requests_of]
    if topic.balance_of is not None:
        wanted.append(frozenset([topic.balance_of]))
    return visible is None or all(ids is not None and ids <= visible for ids in wanted)
