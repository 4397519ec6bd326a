"""Server-sent events for browsers and scripts: job events and growing logs, resumable by Last-Event-ID."""

import asyncio
import contextlib
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
from hpc_portal.app.files.read_log import LogWindow
from hpc_portal.app.jobs.logs import LogSource, has_task_ended, read_log_from
from hpc_portal.app.jobs.queries import is_visible
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import find_actor

ALIVE_SECONDS = 15
_LOG_POLL_SECONDS = (0.2, 1.0)
"""Between two looks at a log that grows, and at one that is silent."""
_ASK_AGAIN_SECONDS = 10.0
"""Whether the task has ended is asked when something happened to the job, and at least so often."""
_LINES_PER_MESSAGE = 2000
_RETRY_MILLISECONDS = 2000


StillAllowed = Callable[[], Awaitable[bool]]
"""Asked about each quarter of a minute: whether the reader may still see what the stream tells."""


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
    hub: EventHub, topic: Topic, *, after: int | None, still_allowed: StillAllowed
) -> AsyncIterator[bytes]:
    """`event: job` with its JSON for each event; `event: resync` when too much was missed to tell.

    Ends with `event: end` when the reader may see it no longer; reconnecting then tells why.
    """
    yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
    checked_at = time.monotonic()
    async for batch in hub.follow(topic, after=after, alive_seconds=ALIVE_SECONDS):
        if time.monotonic() - checked_at >= ALIVE_SECONDS:
            checked_at = time.monotonic()
            if not await still_allowed():
                yield message("end", json.dumps({"reason": "access ended"}))
                return
        if batch.is_gap:
            yield message("resync", "{}", event_id=batch.sequence)
        elif batch.events:
            yield b"".join(message("job", event.json, event_id=event.sequence) for event in batch.events)
        else:
            yield ALIVE


async def log_messages(
    services: Services,
    hub: EventHub,
    source: LogSource,
    *,
    first_line: int,
    still_allowed: StillAllowed,
) -> AsyncIterator[bytes]:
    """`event: lines` with `{first, lines}` as the log grows; the id is the number of the next line.

    Ends with `event: end` when the task has ended and all of its log was sent. What follows a last newline is
    sent only then, so that no line is ever sent twice.
    """
    yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
    next_line, pause = first_line, _LOG_POLL_SECONDS[0]
    ended, asked_at, checked_at = False, -_ASK_AGAIN_SECONDS, time.monotonic()
    async with hub.watch(Topic(job_id=source.job_id)) as stirred:
        while not hub.is_closed:
            now = time.monotonic()
            if not ended and (stirred.is_set() or now - asked_at >= _ASK_AGAIN_SECONDS):
                stirred.clear()
                ended, asked_at = await anyio.to_thread.run_sync(_has_ended, services, source), now
            window = await anyio.to_thread.run_sync(_read, source, next_line, ended)
            if window.lines:
                next_line, pause = window.next_line, _LOG_POLL_SECONDS[0]
                content = {"first": window.first_line, "lines": window.lines}
                yield message("lines", json.dumps(content, ensure_ascii=False), event_id=next_line)
            elif ended:
                yield message("end", json.dumps({"reason": "task ended"}), event_id=next_line)
                return
            if now - checked_at >= ALIVE_SECONDS:
                checked_at = now
                if not await still_allowed():
                    yield message("end", json.dumps({"reason": "access ended"}), event_id=next_line)
                    return
                yield ALIVE
            if window.is_at_end and not ended:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stirred.wait(), pause)
                pause = min(pause * 1.3, _LOG_POLL_SECONDS[1])


def _sees(services: Services, actor: Actor, topic: Topic) -> bool:
    if topic.job_id is not None:
        with services.reading() as session:
            return is_visible(session, actor, topic.job_id)
    visible = visible_topic(services, actor).project_ids
    return visible is None or (topic.project_ids is not None and topic.project_ids <= visible)


def _read(source: LogSource, next_line: int, ended: bool) -> LogWindow:  # noqa: FBT001 - called through a thread
    return read_log_from(source, next_line, _LINES_PER_MESSAGE, has_ended=ended)


def _has_ended(services: Services, source: LogSource) -> bool:
    with services.reading() as session:
        return has_task_ended(session, source.job_id, source.task_index)
