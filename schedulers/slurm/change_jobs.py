"""Changes of jobs under way: hold, release, requeue, walltime, nice, cancelled tasks."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from schedulers.array_tasks import compact
from schedulers.errors import SchedulerRefused, SchedulerUnavailable, SubmitUncertain
from schedulers.protocol import (
    CancelTasks,
    Carried,
    ChangeOutcome,
    ChangeRequest,
    HoldJob,
    JobChange,
    Refused,
    ReleaseJob,
    RequeueJob,
    SetNice,
    SetWalltime,
)
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.errors import SlurmRefused, TokenRefused
from schedulers.slurm.read_jobs import Owner, Record, read_record
from schedulers.slurm.wrapper import REQUEUE_SIGNAL

_SECONDS_PER_MINUTE = 60
_UPDATES_AT_ONCE = 8
_OVER = "The job is not in the queue any more."
_ATTEMPTS, _ATTEMPT_SECONDS = 20, 0.5
_NOT_REQUEUED = (
    "The job did not go back into the queue. Slurm's REST interface cannot requeue before API v0.0.45, so "
    "the job's own script has to do it: it may not be requeued, or its node cannot run scontrol."
)


@dataclass(frozen=True, slots=True)
class Changer:
    """Acts as the job's own user where Slurm lets users do a thing, else as the administrator.

    Users may not give a running job more time, nor undo an administrator's hold: what the portal has allowed
    beyond that needs `admin_user`, an operator of the cluster.
    """

    client: SlurmClient
    admin_user: str | None

    async def change(self, request: ChangeRequest, owner: Owner) -> ChangeOutcome:
        """Make one change; `owner` tells whose job it must be.

        Raises:
            SchedulerUnavailable: it may have been made.
        """
        job_id = request.job.scheduler_job_id
        records = [read_record(job) for job in await self.client.job(job_id)] if job_id.isdecimal() else []
        alive = [
            record
            for record in records
            if record.job_id == job_id and not record.state.has_ended and owner.may_be(record.owner)
        ]
        if not alive:
            return Refused(_OVER)
        try:
            await self._make(job_id, alive, request.change)
        except SchedulerRefused as no:
            return Refused(no.reason)
        except SubmitUncertain as problem:
            raise SchedulerUnavailable(str(problem)) from problem
        return Carried()

    async def _make(self, job_id: str, alive: list[Record], change: JobChange) -> None:
        user = alive[0].owner.user
        waiting = [record for record in alive if record.state.waits]
        match change:
            case HoldJob(by_administrator):
                await self._update(waiting, {"hold": True}, user, as_admin=by_administrator)
            case ReleaseJob(by_administrator):
                held = [record for record in waiting if record.reason.startswith("JobHeld")]
                await self._update(held, {"hold": False}, user, as_admin=by_administrator)
            case RequeueJob(started_before):
                runs = [record for record in alive if _started(record, before=started_before)]
                if runs:
                    await self._requeue(job_id, runs, user)
            case SetWalltime(walltime_seconds):
                minutes = -(-walltime_seconds // _SECONDS_PER_MINUTE)
                await self._require_partition_allows(alive[0].partition, minutes)
                await self._set_walltime(alive, minutes, user)
            case SetNice(nice):
                await self._update(waiting, {"nice": nice}, user, as_admin=nice < 0)
            case CancelTasks(tasks):
                await self.client.cancel([f"{job_id}_[{compact(tasks.indices())}]"], user=user)
            case _:
                assert_never(change)

    async def _update(
        self, records: Iterable[Record], changes: dict[str, object], user: str, *, as_admin: bool = False
    ) -> None:
        """Record by record: Slurm applies a change of an array to what of it never started only."""
        if as_admin:
            user = self.admin_user or user
        slots = asyncio.Semaphore(_UPDATES_AT_ONCE)

        async def update(raw_id: str) -> None:
            async with slots:
                try:
                    await self.client.update(raw_id, changes, user=user)
                except TokenRefused as problem:
                    if not as_admin:
                        raise
                    raise SchedulerRefused(str(problem)) from problem

        await asyncio.gather(*(update(record.raw_id) for record in records))

    async def _requeue(self, job_id: str, runs: Sequence[Record], user: str) -> None:
        raw_ids = [run.raw_id for run in runs]
        try:
            await self.client.requeue(raw_ids, user=user)
        except SlurmRefused as no:
            if no.numbers:  # Slurm's own no, not that the API version lacks the call
                raise
        else:
            return
        for _ in range(_ATTEMPTS):
            # Again and again: a script that has only just started does not listen yet.
            await self.client.cancel(raw_ids, user=user, signal=REQUEUE_SIGNAL, script_only=True)
            await asyncio.sleep(_ATTEMPT_SECONDS)
            now = {record.raw_id: record for record in map(read_record, await self.client.job(job_id))}
            if all(_is_put_back(now.get(run.raw_id), run) for run in runs):
                return
        raise SchedulerRefused(_NOT_REQUEUED)

    async def _require_partition_allows(self, name: str, minutes: int) -> None:
        """An administrator's change goes beyond a partition's limit without a word; ours never shall."""
        for partition in await self.client.partitions():
            longest = partition.maximums.time
            if partition.name == name and isinstance(longest, int) and minutes > longest:
                raise SchedulerRefused(f"Partition {name} allows {longest} minutes, not {minutes}.")

    async def _set_walltime(self, records: list[Record], minutes: int, user: str) -> None:
        changes: dict[str, object] = {"time_limit": {"set": True, "infinite": False, "number": minutes}}
        try:
            await self._update(records, changes, user)
        except SchedulerRefused:
            if self.admin_user is None:
                raise
            await self._update(records, changes, user, as_admin=True)


def _is_put_back(now: Record | None, run: Record) -> bool:
    """Whether this run is over, to run again or for good; a state that we cannot read says neither."""
    return now is None or now.attempt > run.attempt or now.state.waits or now.state.base.is_terminal


def _started(record: Record, *, before: datetime | None) -> bool:
    at = record.run.started_at if record.run else None
    return at is not None and (before is None or at < before)
