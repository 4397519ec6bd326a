"""The controller's part of storage: walks the workspaces of projects, one after the other, and in no hurry.

A walk goes on over many steps, each of which looks at a few thousand entries on a thread of the lowest
priority; so a million files delay nothing else. One that a controller did not finish begins anew.
"""

import asyncio
import os
import threading
from collections.abc import Collection, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.files.workspace import project_folder
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.project_files.let_pass import member_uids, shut_out_others
from hpc_portal.app.project_files.sweep import sweep_uploads
from hpc_portal.app.storage.walk import ENTRIES_PER_TURN, walk
from hpc_portal.app.storage.warn import warn
from quotas.measured_storage import Measured, next_to_measure, record_storage
from quotas.tables import Organisation, Project

log = structlog.get_logger()

STORAGE_SECONDS = 5.0
"""Between two looks for a project to measure."""
STORAGE_REST_SECONDS = 0.05
"""Between two steps of a walk: at most half of one core, even where nobody else wants it."""
_LOWEST_PRIORITY = 19


@dataclass(frozen=True, slots=True)
class Walk:
    """A project that is being measured."""

    project_id: UUID
    account: str
    began_at: datetime
    steps: Generator[None, None, Measured]


class MeasureStorageStep:
    """A piece of the walk under way, or the beginning of the next one."""

    def __init__(
        self,
        context: ControllerContext,
        *,
        every: timedelta,
        uploads_kept: timedelta = timedelta(days=1),
        entries_per_turn: int = ENTRIES_PER_TURN,
    ) -> None:
        self._context = context
        self._every = every
        self._uploads_kept = uploads_kept
        self._entries_per_turn = entries_per_turn
        self._walk: Walk | None = None
        self._thread = ThreadPoolExecutor(1, "measure-storage", initializer=_give_way)

    async def __call__(self) -> bool:
        """Whether there is more to do at once.

        Raises:
            LeaseLost: another controller is active; nothing was written.
        """
        if self._walk is None:
            self._walk = await self._context.read(self.next_walk)
            return self._walk is not None
        under_way, self._walk = self._walk, None  # one that fails is not gone on with
        measured = await asyncio.get_running_loop().run_in_executor(self._thread, _go_on, under_way.steps)
        if measured is None:
            self._walk = under_way
            return True
        await self._context.write(
            lambda connection: self.record(
                connection, under_way.project_id, under_way.account, measured, under_way.began_at
            )
        )
        return True

    def next_walk(self, connection: Connection) -> Walk | None:
        """The beginning of the walk that is due, if one is."""
        now = self._context.clock.now()
        project_id = next_to_measure(connection, at=now, every=self._every)
        if project_id is None:
            return None
        row = connection.execute(
            select(col(Project.account), col(Organisation.slug))
            .join(Organisation, col(Organisation.id) == col(Project.organisation_id))
            .where(col(Project.id) == project_id)
        ).one()
        members = member_uids(connection, project_id, uid_base=self._context.cluster_uid_base)
        steps = self._tidy_and_walk(row.slug, row.account, members, now)
        return Walk(project_id, row.account, now, steps)

    def _tidy_and_walk(
        self, organisation: str, account: str, members: Collection[int], now: datetime
    ) -> Generator[None, None, Measured]:
        """First sweep broken uploads away, and shut out the accounts of those who left the project."""
        root = self._context.workspace_root
        try:
            unchanged_since = now - self._uploads_kept
            sweep_uploads(root, organisation=organisation, account=account, unchanged_since=unchanged_since)
            shut_out_others(root, organisation=organisation, account=account, members=members)
        except OSError as error:
            log.warning("storage.untidy", project=account, problem=str(error))
        folder = project_folder(organisation=organisation, account=account)
        return (yield from walk(root, folder, entries_per_turn=self._entries_per_turn))

    def record(
        self, connection: Connection, project_id: UUID, account: str, measured: Measured, began_at: datetime
    ) -> None:
        """Write down what a walk found, and tell people if it came to a threshold."""
        record_storage(connection, project_id, measured, at=began_at)
        warn(connection, project_id, at=self._context.clock.now())
        log.info("storage.measured", project=account, **asdict(measured))


def _go_on(steps: Generator[None, None, Measured]) -> Measured | None:
    """One turn of a walk; what it found, if it is over now."""
    try:
        next(steps)
    except StopIteration as over:
        found: Measured = over.value
        return found
    return None


def _give_way() -> None:
    """Linux keeps a niceness for each thread; nothing else runs on this one."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
