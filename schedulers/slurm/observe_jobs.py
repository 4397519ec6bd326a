"""Looks at Slurm: one light call for all, details of what changed, slurmdbd for what slurmctld dropped.

A round costs the light call, plus one small call for each record that changed (or one big call when that is
cheaper), plus at most one call to slurmdbd for every hundred records that ended.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from schedulers.errors import SchedulerUnavailable
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.follow_jobs import Book
from schedulers.slurm.read_jobs import Owner, Record, read_past, read_record
from schedulers.slurm.spot_changes import News, States
from schedulers.slurm.wire_accounting import AccountedJob

log = structlog.get_logger()

REASONS_PER_ROUND, REASONS_WHILE_BUSY = 16, 2
"""How many waiting jobs have their reason read again in one round, so that a long queue costs no more; the
second while a burst of jobs is handed to Slurm, which is worth more than a reason some seconds earlier."""
_REASON_SECONDS = 10.0
_READS_AT_ONCE = 8
_WORTH_READING_ALL = 50
"""With fewer changed records than this, single calls are always cheaper than reading everything."""
_ACCOUNTED_AT_ONCE = 100
_ACCOUNTING_PAUSE_SECONDS = 15.0
"""How long slurmdbd is left alone after it did not answer."""
_CLOCK_SKEW = timedelta(hours=1)


class Observer:
    """Keeps a Book up to date. Nothing is fetched twice within `freshness_seconds`, but after `expect`.

    Args:
        client: asks Slurm.
        book: what is known.
        lookback: how far back slurmdbd is asked.
        freshness_seconds: so old may be what is known.
        is_busy: whether Slurm should be spared what can wait.
    """

    def __init__(
        self,
        client: SlurmClient,
        book: Book,
        *,
        lookback: timedelta,
        freshness_seconds: float = 0.2,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client = client
        self._book = book
        self._lookback = lookback
        self._is_busy = is_busy
        self._freshness_seconds = freshness_seconds
        self._lock = asyncio.Lock()
        self._looked_at = -freshness_seconds
        self._looked_for: frozenset[str] = frozenset()
        self._accounting_again_at = 0.0

    def expect(self) -> None:
        """Something was changed by us: the next look must go to Slurm."""
        self._looked_for = frozenset()

    async def look(self, owners: Mapping[str, Owner]) -> None:
        """Bring what is known of these jobs up to date.

        Raises:
            SchedulerUnavailable: slurmctld did not answer. When only slurmdbd does not, what it alone knows
                stays unknown for a while.
        """
        async with self._lock:
            self._book.follow(owners)
            wanted = frozenset(owners)
            now = time.monotonic()
            if wanted <= self._looked_for and now - self._looked_at < self._freshness_seconds:
                return
            try:
                states = States(await self._client.states())
            except SchedulerUnavailable:
                self._book.doubt_all()
                raise
            news = self._book.spot(wanted, states)
            most = REASONS_WHILE_BUSY if self._is_busy() else REASONS_PER_ROUND
            stale = self._book.stale(wanted, now=now, after_seconds=_REASON_SECONDS, most=most)
            ended = await self._read(news, states, stale, now)
            await self._account(wanted, ended, states, now)
            self._looked_at, self._looked_for = now, wanted

    async def records(self, job_ids: Collection[str]) -> dict[str, list[Record]]:
        """All that slurmctld has under these numbers."""
        if len(job_ids) > _WORTH_READING_ALL:
            everything = [read_record(job) for job in await self._client.jobs()]
            return dict(_by_job(everything, job_ids))
        return dict(await self._read_each(sorted(job_ids)))

    async def accounted(self, raw_ids: Sequence[str]) -> list[AccountedJob]:
        """What slurmdbd has of these numbers: an array's own number stands for all of its tasks.

        Raises:
            SchedulerUnavailable: it did not answer.
        """
        end = datetime.now(UTC) + _CLOCK_SKEW
        found: list[AccountedJob] = []
        for start in range(0, len(raw_ids), _ACCOUNTED_AT_ONCE):
            found += await self._client.accounting(
                start=end - self._lookback,
                end=end,
                job_ids=raw_ids[start : start + _ACCOUNTED_AT_ONCE],
            )
        return found

    async def _read(self, news: News, states: States, stale: list[str], now: float) -> dict[str, str]:
        """Read details; the numbers of the runs that ended, with their job."""
        before = self._book.version
        whole = news.whole.union(stale)
        singles = sorted(news.records.keys())
        if len(whole) + len(singles) > max(_WORTH_READING_ALL, states.records // 3):
            everything = [read_record(job) for job in await self._client.jobs()]
            of_jobs = list(_by_job(everything, whole))
            raw_ids = set(singles)
            of_singles = [record for record in everything if record.raw_id in raw_ids]
        else:
            of_jobs = await self._read_each(sorted(whole))
            of_singles = [
                record
                for raw_id, records in await self._read_each(singles)
                for record in records
                if record.raw_id == raw_id
            ]
        for job_id, records in of_jobs:
            self._book.take_whole(job_id, records, states, now=now)
        self._book.take_records(of_singles, news, states)
        seen = [*of_singles, *(record for _, records in of_jobs for record in records)]
        return {record.raw_id: record.job_id for record in seen if self._book.has_ended_since(before, record)}

    async def _read_each(self, job_ids: Sequence[str]) -> list[tuple[str, list[Record]]]:
        slots = asyncio.Semaphore(_READS_AT_ONCE)

        async def read(job_id: str) -> tuple[str, list[Record]]:
            async with slots:
                return job_id, [read_record(job) for job in await self._client.job(job_id)]

        return list(await asyncio.gather(*map(read, job_ids)))

    async def _account(
        self, job_ids: Iterable[str], ended: Mapping[str, str], states: States, now: float
    ) -> None:
        wanted = {**ended, **self._book.to_account(job_ids, states, now=now)}
        if not wanted or now < self._accounting_again_at:
            return
        # No record is asked for twice: it would count as two attempts, each with its charge.
        asked = [raw_id for raw_id, job_id in wanted.items() if raw_id == job_id or job_id not in wanted]
        try:
            accounted = await self.accounted(asked)
        except SchedulerUnavailable as problem:
            log.warning("slurm.accounting_unavailable", problem=str(problem), waiting=len(wanted))
            self._accounting_again_at = time.monotonic() + _ACCOUNTING_PAUSE_SECONDS
            return
        past = read_past(accounted, self._book.owners_of(wanted.values()))
        self._book.take_past(wanted, past, states, now=now)


def _by_job(records: Iterable[Record], job_ids: Collection[str]) -> Iterator[tuple[str, list[Record]]]:
    found: dict[str, list[Record]] = {job_id: [] for job_id in job_ids}
    for record in records:
        if record.job_id in found:
            found[record.job_id].append(record)
    yield from found.items()
