"""A log as it grows, as server-sent events: every line once and in order, also after a broken connection."""

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.event_hub import EventHub, Topic
from hpc_portal.app.files.log_index import OpenLog, count_lines, open_log
from hpc_portal.app.files.read_log import LogPlace, LogWindow, find_place, read_on, read_open_line, texts
from hpc_portal.app.files.search_log import LogPattern
from hpc_portal.app.files.terminal_text import plain_text
from hpc_portal.app.jobs.logs import LogSource, has_task_ended
from hpc_portal.app.services import Services
from hpc_portal.sse import (
    ALIVE,
    ALIVE_SECONDS,
    RETRY,
    StillAllowed,
    WriteDrawn,
    mark_messages,
    message,
)

_POLL_SECONDS = (0.2, 1.0)
"""Between two looks at a log that grows, and at one that is silent."""
_ASK_AGAIN_SECONDS = 10.0
"""Whether the task has ended is asked when something happened to the job, and at least so often."""
_LINES_PER_MESSAGE = 2000

SEARCHES = anyio.CapacityLimiter(2)
"""Searches at once in this process; the others wait, and pages go on being served."""

Encode = Callable[[LogWindow], Any]
"""Lines as the JSON value that a reader of the stream expects."""


@dataclass(frozen=True, slots=True)
class BesideLog:
    """What the stream of a log tells its page as well, which has no other stream."""

    topic: Topic
    """Of the job, and what is watched."""
    write_drawn: WriteDrawn


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at the file found."""

    window: LogWindow | None
    open_line: str = ""
    was_started_anew: bool = False


def only_matches(pattern: LogPattern) -> Encode:
    """Of each line that holds the pattern its number, from 0, and its text."""

    def encode(window: LogWindow) -> list[tuple[int, str]]:
        numbered = enumerate(texts(window), start=window.first_line)
        return [(number, text) for number, text in numbered if pattern.is_in(plain_text(text))]

    return encode


async def log_messages(  # noqa: C901, PLR0913 - one loop, a branch for each message; all by keyword
    services: Services,
    hub: EventHub,
    source: LogSource,
    *,
    first_line: int,
    still_allowed: StillAllowed,
    encode: Encode = texts,
    kind: str = "lines",
    skips_beyond: int | None = None,
    beside: BesideLog | None = None,
) -> AsyncIterator[bytes]:
    """`event: lines` with `{first, lines}` as the log grows; the id is the number of the next line.

    `event: partial` with `{line, lines}`, of one line, shows what a line without its newline says now.
    `event: restart` tells that the file was started anew, and line 0 comes next. Ends with `event: end` when
    the task has ended and all of its log was sent.

    Args:
        services: the application.
        hub: tells when something happens to the job.
        source: which log.
        first_line: where to start.
        still_allowed: asked now and then.
        encode: how lines are written.
        kind: what messages with lines are called, for readers that get something else in their place.
        skips_beyond: a reader that is further behind than so many lines is shown the end; it asks for those
            between when it wants them. None: every line is sent.
        beside: `event: job` when something happens to the job, at most once a second, and what is watched.
    """
    yield RETRY
    reader = _Reader(source, first_line, skips_beyond)
    pause, open_line = _POLL_SECONDS[0], ""
    ended, asked_at, checked_at = False, -_ASK_AGAIN_SECONDS, time.monotonic()
    topic, write_drawn = (beside.topic, beside.write_drawn) if beside else (Topic(source.job_id), None)
    news = _News(is_wanted=beside is not None)
    async with hub.watch(topic) as follower:
        while not hub.is_closed:
            now = time.monotonic()
            events, marks = follower.take()
            for told in mark_messages(marks, write_drawn):
                yield told
            if news.is_due(bool(events), now):
                yield message("job", "{}")
            if not ended and (events or now - asked_at >= _ASK_AGAIN_SECONDS):
                ended, asked_at = await anyio.to_thread.run_sync(_has_ended, services, source), now
            look = await anyio.to_thread.run_sync(reader.look, ended)
            if look.was_started_anew:
                yield message("restart", "{}", event_id=0)
            if look.window and look.window.lines:
                pause, open_line = _POLL_SECONDS[0], ""
                content = {"first": look.window.first_line, "lines": encode(look.window)}
                yield message(kind, _json(content), event_id=look.window.next_line)
            elif ended:
                yield message("end", _json({"reason": "task ended"}), event_id=reader.line)
                return
            if look.open_line != open_line:
                pause, open_line = _POLL_SECONDS[0], look.open_line
                shown = encode(LogWindow(reader.line, (open_line,), reader.line, is_at_end=True))
                yield message("partial", _json({"line": reader.line, "lines": shown}))
            if now - checked_at >= ALIVE_SECONDS:
                checked_at = now
                if not await still_allowed():
                    yield message("end", _json({"reason": "access ended"}), event_id=reader.line)
                    return
                yield ALIVE
            if (look.window is None or look.window.is_at_end) and not ended:
                await follower.wait(pause)
                pause = min(pause * 1.3, _POLL_SECONDS[1])


class _News:
    """Whether a reader is to be told that something happened to the job: at most once a second."""

    def __init__(self, *, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        self._waits = False
        self._told_at = 0.0

    def is_due(self, has_some: bool, now: float) -> bool:  # noqa: FBT001 - a fact of now
        self._waits = self._waits or (self._is_wanted and has_some)
        if not self._waits or now - self._told_at < _POLL_SECONDS[1]:
            return False
        self._waits, self._told_at = False, now
        return True


class _Reader:
    """Reads on where it stopped, from a file that is opened anew for each look."""

    def __init__(self, source: LogSource, first_line: int, skips_beyond: int | None) -> None:
        self.line = first_line
        self._source = source
        self._skips_beyond = skips_beyond
        self._place: LogPlace | None = None

    def look(self, ended: bool) -> _Look:  # noqa: FBT001 - called through a thread
        try:
            with open_log(self._source.root, self._source.workspace, self._source.path) as log:
                return self._look(log, ended=ended)
        except FileNotInWorkspace:
            return _Look(None)

    def _look(self, log: OpenLog, *, ended: bool) -> _Look:
        anew = self._is_anew(log)
        if anew:
            self._place, self.line = find_place(log, 0), 0
        if self._place is None:
            self._place = find_place(log, self.line)
        if self._place is None:  # a last line that never got its newline was read already
            return _Look(None, was_started_anew=anew)
        window = self._read(log, self._place, ended=ended)
        open_line = read_open_line(log, self._place) if window.is_at_end and not ended else ""
        return _Look(window, open_line, anew)

    def _read(self, log: OpenLog, place: LogPlace, *, ended: bool) -> LogWindow:
        window = read_on(log, place, _LINES_PER_MESSAGE, with_partial=ended)
        if not window.is_at_end and self._skips_beyond is not None:
            total = count_lines(log, with_partial=ended)
            if total - window.next_line > self._skips_beyond:
                place = find_place(log, total - _LINES_PER_MESSAGE // 2) or place
                window = read_on(log, place, _LINES_PER_MESSAGE, with_partial=ended)
        self._place = window.next_place or place
        self.line = self._place.line
        return window

    def _is_anew(self, log: OpenLog) -> bool:
        if self._place is not None:
            return not self._place.is_in(log)
        return self.line > 0 and self.line > count_lines(log, with_partial=True)


def _json(content: Any) -> str:  # noqa: ANN401 - JSON
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _has_ended(services: Services, source: LogSource) -> bool:
    with services.reading() as session:
        return has_task_ended(session, source.job_id, source.task_index)
