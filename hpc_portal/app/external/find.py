"""Find jobs from outside in a cluster's accounting: overlapping windows, a durable cursor, nothing twice."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.external.charge import charge_job
from hpc_portal.app.external.claim import Claims, claim_runs
from hpc_portal.app.external.jobs import ExternalJob, as_jobs, changed_jobs, settle_job, write_job
from hpc_portal.app.external.unclaimed import (
    drop_unclaimed,
    is_news,
    keep_unclaimed,
    runs_to_try_again,
)
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.tables import ExternalReader
from schedulers.errors import SchedulerUnavailable
from schedulers.external import ExternalJobs, ExternalRun

log = structlog.get_logger()

_OVERLAP = timedelta(minutes=10)
"""A record becomes visible a little after what it tells of."""
_REREAD = timedelta(days=3)
_REREAD_EVERY = timedelta(hours=1)
"""Records come days late when slurmdbd was away, and old ones are revised."""
_LONGEST_WINDOW = timedelta(hours=6)
_JOBS_PER_TRANSACTION = 100


@dataclass(frozen=True, slots=True)
class _Cursor:
    began_at: datetime
    read_until: datetime
    reread_at: datetime


class FindExternalStep:
    """The controller's reading of one cluster's accounting."""

    def __init__(self, context: ControllerContext, source: ExternalJobs) -> None:
        self._context = context
        self._source = source
        self._cluster = context.scheduler.name

    async def __call__(self) -> bool:
        """Read what is new since the last time; never more to do at once.

        The cursor moves after each window was written for good, so that a controller which dies in between
        reads that window again. Reading twice changes nothing.

        Raises:
            LeaseLost: another controller is active; nothing more was written.
        """
        now = self._context.clock.now()
        cursor = await self._context.read(self._load)
        if cursor is None:
            await self._context.write(lambda connection: self._begin(connection, now))
            return False
        rereads = now - cursor.reread_at >= _REREAD_EVERY
        since = min(cursor.read_until - _OVERLAP, now - _REREAD if rereads else now)
        try:
            for start, end in _windows(max(since, cursor.began_at), now):
                await self._take(await self._source.runs(start=start, end=end))
                await self._context.write(functools.partial(self._advance, end=end))
        except SchedulerUnavailable as problem:
            log.warning("external.accounting_unavailable", cluster=self._cluster, problem=str(problem))
            return False
        if rereads:
            await self._context.write(functools.partial(self._note_reread, at=now))
        await self._take(await self._context.read(lambda conn: runs_to_try_again(conn, self._cluster)))
        return False

    async def _take(self, runs: Sequence[ExternalRun]) -> None:
        """Write what these runs change."""
        if not runs:
            return
        now = self._context.clock.now()
        claims, jobs, has_news = await self._context.read(functools.partial(self._sort, runs=runs))
        for start in range(0, len(jobs), _JOBS_PER_TRANSACTION):
            some = jobs[start : start + _JOBS_PER_TRANSACTION]
            await self._context.write(functools.partial(self._write, jobs=some, at=now))
        if has_news:
            await self._context.write(functools.partial(self._set_aside, claims=claims, at=now))
        if jobs:
            log.info("external.jobs_written", cluster=self._cluster, jobs=len(jobs))

    def _sort(
        self, connection: Connection, *, runs: Sequence[ExternalRun]
    ) -> tuple[Claims, list[ExternalJob], bool]:
        """Whose they are, the jobs to write, and whether anything has to be set aside; only reads."""
        claims = claim_runs(connection, self._cluster, runs)
        jobs = changed_jobs(connection, as_jobs(self._cluster, claims.external))
        return claims, jobs, is_news(connection, self._cluster, claims.unclaimed, claims.own)

    def _write(self, connection: Connection, *, jobs: Sequence[ExternalJob], at: datetime) -> None:
        events.take_turns(connection)
        for job in jobs:
            write_job(connection, self._cluster, job, at=at)
            unpaid = charge_job(connection, self._cluster, job, at=at)
            settle_job(connection, job, at=at)
            missing = {run.key for run, _ in unpaid}
            drop_unclaimed(connection, self._cluster, [run for run in job.tasks if run.key not in missing])
            keep_unclaimed(connection, self._cluster, unpaid, at=at)

    def _set_aside(self, connection: Connection, *, claims: Claims, at: datetime) -> None:
        drop_unclaimed(connection, self._cluster, claims.own)
        keep_unclaimed(connection, self._cluster, claims.unclaimed, at=at)

    def _load(self, connection: Connection) -> _Cursor | None:
        row = connection.execute(
            select(
                col(ExternalReader.began_at), col(ExternalReader.read_until), col(ExternalReader.reread_at)
            ).where(col(ExternalReader.cluster) == self._cluster)
        ).first()
        return None if row is None else _Cursor(*row)

    def _begin(self, connection: Connection, now: datetime) -> None:
        """From now on: what ended before is none of the portal's."""
        connection.execute(
            insert(ExternalReader).values(cluster=self._cluster, began_at=now, read_until=now, reread_at=now)
        )

    def _advance(self, connection: Connection, *, end: datetime) -> None:
        connection.execute(
            update(ExternalReader)
            .where(col(ExternalReader.cluster) == self._cluster, col(ExternalReader.read_until) < end)
            .values(read_until=end)
        )

    def _note_reread(self, connection: Connection, *, at: datetime) -> None:
        connection.execute(
            update(ExternalReader).where(col(ExternalReader.cluster) == self._cluster).values(reread_at=at)
        )


def _windows(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """From start to end in parts that slurmdbd answers quickly."""
    while start < end:
        until = min(start + _LONGEST_WINDOW, end)
        yield start, until
        start = until
