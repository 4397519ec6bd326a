"""The controller's part of retention: once an hour it lets go of what is over, a batch at a time."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog

from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.retention.job_files import JOBS_AT_ONCE, has_folder, old_jobs, remove_folder
from hpc_portal.app.retention.removed import mark_removed, take_back
from hpc_portal.app.retention.rows import BATCH, KINDS, RowKind, prune
from hpc_portal.app.settings import RetentionSettings

log = structlog.get_logger()

RETENTION_SECONDS = 60.0
RETENTION_REST_SECONDS = 0.5
"""Between two batches, so that whoever waits for the database comes first."""
_EVERY = timedelta(hours=1)
_FIRST = UUID(int=0)


class RetentionStep:
    """A batch of the round under way, or the beginning of the next one."""

    def __init__(self, context: ControllerContext, settings: RetentionSettings) -> None:
        self._context = context
        self._settings = settings
        self._began_at: datetime | None = None
        self._kinds: list[RowKind] = []
        self._after: UUID | None = None
        """The last job whose folder was looked at; None: this round is done with them."""

    async def __call__(self) -> bool:
        """Whether there is more to do at once.

        Raises:
            LeaseLost: another controller is active; nothing was written.
        """
        now = self._context.clock.now()
        if not self._kinds and self._after is None:
            if self._began_at is not None and now - self._began_at < _EVERY:
                return False
            self._began_at, self._kinds = now, list(KINDS)
            self._after = _FIRST if self._settings.job_files_days else None
        if self._kinds:
            await self._prune_rows(self._kinds[0], now)
        else:
            await self._remove_folders(now)
        return bool(self._kinds) or self._after is not None

    async def _prune_rows(self, kind: RowKind, now: datetime) -> None:
        work = partial(prune, kind=kind, settings=self._settings, at=now)
        gone = await self._context.write(work)
        if gone:
            log.info("retention.pruned", kind=kind.name, rows=gone)
        if gone < BATCH:
            self._kinds.pop(0)

    async def _remove_folders(self, now: datetime) -> None:
        days, after = self._settings.job_files_days, self._after
        assert days  # noqa: S101 - without it no round comes here
        assert after is not None  # noqa: S101 - no round comes here otherwise
        jobs = await self._context.read(lambda connection: old_jobs(connection, now, days=days, after=after))
        root = self._context.workspace_root
        going = await asyncio.to_thread(lambda: [job for job in jobs if has_folder(root, job)])
        if going:
            ids = [job.id for job in going]
            await self._context.write(partial(mark_removed, job_ids=ids, at=now, days=days))
        stayed = []
        for job in going:
            if await asyncio.to_thread(remove_folder, root, job):
                log.info("retention.folder_removed", job_id=str(job.id))
            else:
                stayed.append(job.id)
        if stayed:
            await self._context.write(partial(take_back, job_ids=stayed))
        self._after = jobs[-1].id if len(jobs) == JOBS_AT_ONCE else None
