"""A process that attaches and removes files, whose children kill themselves before each line of that code."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from uuid import UUID

from hpc_portal.app.actor import Actor
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import create_engine
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.requests import attachment_files, attachments
from hpc_portal.app.requests.attachments import add_attachment, open_attachment, remove_attachment
from hpc_portal.app.requests.queries import get_request
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings
from tests.small_city import SilentWake

_CODE = {attachments.__file__, attachment_files.__file__}
_STEPS = {"add_attachment", "work", "store", "_sync_folder", "remove_attachment", "drop"}
"""The functions that change something, or decide what comes next; others there only compute."""
_FEWEST_LINES = 12
"""Of removing, the shorter way: a trace that sees fewer does not reach into the transaction."""


@dataclass(frozen=True)
class Doom:
    """Where, and in whose name."""

    database_url: str
    attachment_root: Path
    actor: Actor
    request_id: UUID
    content: bytes


def die_before_each_line(doom: Doom) -> None:
    """Ends with the request without attachments, and with files that belong to none."""
    settings = Settings(state_dir=doom.attachment_root.parent, attachment_root=doom.attachment_root)
    engine = create_engine(doom.database_url)
    services = Services(settings, engine, GroupCommit(engine), SilentWake(), SystemClock())
    services.commits.close()  # whoever forks has no threads

    def add() -> UUID:
        return add_attachment(services, doom.actor, doom.request_id, name="plan.pdf", content=doom.content)

    def remove(attached: UUID) -> None:
        remove_attachment(services, doom.actor, doom.request_id, attached)

    def whole() -> list[UUID]:
        """Every attachment that the request has; each can be read."""
        with services.reading() as session:
            found = [shown.id for shown in get_request(session, doom.actor, doom.request_id).attachments]
        for attached in found:
            opened = open_attachment(services, doom.actor, doom.request_id, attached)
            assert b"".join(opened.pieces) == doom.content
        return found

    lines = 0
    while _dies(lines, add, services):
        for attached in whole():
            remove(attached)
        lines += 1
    assert lines > _FEWEST_LINES
    [attached] = whole()
    lines = 0
    while _dies(lines, partial(remove, attached), services):
        if not whole():
            attached = add()
        lines += 1
    assert lines > _FEWEST_LINES
    assert whole() == []
    engine.dispose()


def _dies(lines: int, work: Callable[[], object], services: Services) -> bool:
    """Whether a child that dies after so many lines had not done its work by then."""
    services.engine.dispose()  # a connection belongs to one process
    child = os.fork()
    if child == 0:
        _trace(lines)
        work()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) in {0, -signal.SIGKILL}
    return os.WIFSIGNALED(status)


def _trace(lines: int) -> None:
    left = lines

    def trace(frame: FrameType, event: str, _argument: object) -> object:
        nonlocal left
        if frame.f_code.co_filename not in _CODE or frame.f_code.co_name not in _STEPS:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)  # type: ignore[arg-type]
