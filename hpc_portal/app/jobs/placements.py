"""Placements written ahead: the Dask backend's memory, in the portal's own tables.

A `job_task` row is inserted before its process is started. The table's key makes a second start of the same
run impossible, and pending tasks of an array have no rows: 100,000 of them cost nothing at submit.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Connection, exists, or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased
from sqlmodel import col

from hpc_portal.app import events, leases
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.limits_at_start import limits_at_start
from hpc_portal.app.jobs.pay_ahead import pay_ahead
from hpc_portal.app.jobs.submissions import SUBMISSIONS, submission_of
from hpc_portal.app.jobs.wish import ChangeKind, ChangeState
from hpc_portal.app.leases import LeaseLost
from hpc_portal.app.licenses.supply import license_supplies
from hpc_portal.app.tables import Job, JobChange, JobTask
from quotas.errors import QuotaError
from quotas.roll_hold import rolling_jobs
from quotas.top_up import top_up_hold
from schedulers.cluster import LicenseSupply
from schedulers.dask.placement import BUDGET, ConcurrentLimits
from schedulers.dask.queue import LimitGroup
from schedulers.dask.store import Placed, Placement, StoredJob, StoredRun
from schedulers.jobspec import ArraySpec
from schedulers.jobstate import JobState

log = structlog.get_logger()


class DatabasePlacementStore:
    """The `PlacementStore` of one cluster; `attach` gives it the context that the controller won later.

    `license_shares` are the most of each licence feature that the cluster may use; see `license_supplies`.
    """

    def __init__(self, license_shares: Mapping[str, int] | None = None) -> None:
        self._context: ControllerContext | None = None
        self._shares = license_shares or {}

    def attach(self, context: ControllerContext) -> None:
        """Say whose jobs these are and under which lease placements are written."""
        self._context = context

    @property
    def _attached(self) -> ControllerContext:
        if self._context is None:
            message = "the placement store has no context yet"
            raise RuntimeError(message)
        return self._context

    async def load(self) -> Sequence[StoredJob]:
        """All jobs that this cluster has: TRACKED, or DISPATCHING with at least one placement."""
        context = self._attached
        return await context.read(lambda connection: _load(connection, context))

    async def place(self, placements: Sequence[Placement]) -> Placed:
        """Write them in one transaction; a task that ran before is placed again only when that is paid for.

        Raises:
            LeaseLost: another controller is active; nothing was written.
        """
        context = self._attached
        return await context.write(lambda connection: _place(connection, placements, context))

    async def require_right(self) -> None:
        """Make sure that the lease is still ours.

        Raises:
            LeaseLost: another controller is active, and the runs on the nodes may be its own.
        """
        lease = self._attached.lease
        if not await self._attached.read(lambda connection: leases.is_held(connection, lease)):
            raise LeaseLost(lease.name)

    async def limits(self) -> Mapping[LimitGroup, ConcurrentLimits]:
        """What organisations, projects and people may hold at once."""
        return await self._attached.read(limits_at_start)

    async def licenses(self) -> Mapping[str, LicenseSupply]:
        """What the licence servers leave to the cluster, and what of it is kept for projects."""
        return await self._attached.read(lambda connection: license_supplies(connection, self._shares))


def _load(connection: Connection, context: ControllerContext) -> list[StoredJob]:
    placed = aliased(JobTask)
    has_runs = exists().where(col(placed.job_id) == col(Job.id))
    under_way = (
        col(Job.scheduler) == context.scheduler.name,
        or_(col(Job.phase) == Phase.TRACKED, (col(Job.phase) == Phase.DISPATCHING) & has_runs),
    )
    changes = _load_changes(connection, under_way)
    runs: dict[UUID, list[StoredRun]] = defaultdict(list)
    for row in connection.execute(
        select(
            col(JobTask.job_id),
            col(JobTask.task_index),
            col(JobTask.attempt),
            col(JobTask.state),
            col(JobTask.is_requeued),
            col(JobTask.ended_at),
            col(JobTask.placement),
            col(JobTask.placed_at),
            col(JobTask.started_at),
        )
        .join(Job, col(Job.id) == col(JobTask.job_id))
        .where(*under_way)
    ):
        requeued_at = changes.requeued_at.get(row.job_id)
        runs[row.job_id].append(
            StoredRun(
                task_index=row.task_index,
                attempt=row.attempt,
                state=row.state,
                is_requeued=row.is_requeued,
                has_ended=row.ended_at is not None,
                placement=row.placement,
                placed_at=row.placed_at.timestamp(),
                has_started=row.started_at is not None,
                is_to_requeue=requeued_at is not None and row.placed_at < requeued_at,
            )
        )
    stored: list[StoredJob] = []
    for row in connection.execute(SUBMISSIONS.where(*under_way).order_by(col(Job.id))):
        try:
            submission = submission_of(row, context)
        except ValueError:  # written by another version of the portal; everybody else's jobs must start
            log.exception("placements.unreadable_job", job_id=str(row.id))
            continue
        is_unwanted = row.cancel_requested_at is not None
        stored.append(
            StoredJob(
                submission,
                tuple(runs[row.id]),
                cancel_requested=is_unwanted,
                cancelled_tasks=tuple(changes.cancelled_tasks[row.id]),
                has_new_walltime=row.id in changes.new_walltime,
            )
        )
    return stored


@dataclass(slots=True)
class _Changes:
    """What was asked of jobs under way, by job, whether or not the scheduler had heard of it."""

    cancelled_tasks: dict[UUID, list[ArraySpec]] = field(default_factory=lambda: defaultdict(list))
    requeued_at: dict[UUID, datetime] = field(default_factory=dict)
    """The latest wish."""
    new_walltime: set[UUID] = field(default_factory=set)


def _load_changes(connection: Connection, under_way: Sequence[ColumnElement[bool]]) -> _Changes:
    found = _Changes()
    rows = connection.execute(
        select(col(JobChange.job_id), col(JobChange.kind), col(JobChange.facts), col(JobChange.requested_at))
        .join(Job, col(Job.id) == col(JobChange.job_id))
        .where(*under_way, col(JobChange.state) != ChangeState.REFUSED)
        .order_by(col(JobChange.sequence))
    )
    for row in rows:
        match row.kind:
            case ChangeKind.CANCEL_TASKS:
                found.cancelled_tasks[row.job_id].append(ArraySpec(expression=row.facts["tasks"]))
            case ChangeKind.REQUEUE:
                found.requeued_at[row.job_id] = row.requested_at
            case ChangeKind.WALLTIME:
                found.new_walltime.add(row.job_id)
            case _:
                pass  # it stands in the job's own row
    return found


def _place(connection: Connection, placements: Sequence[Placement], context: ControllerContext) -> Placed:
    now = context.clock.now()
    again = [placement for placement in placements if placement.restarts]
    wanted = {placement.job_id for placement in placements}
    startable = set(
        connection.execute(
            select(col(Job.id))
            .where(
                col(Job.id).in_(wanted),
                col(Job.phase).in_([Phase.DISPATCHING, Phase.TRACKED]),
                col(Job.cancel_requested_at).is_(None),
            )
            .order_by(col(Job.id))
            .with_for_update(read=True)
        ).scalars()
    )
    if again or rolling_jobs(connection, wanted):
        events.take_turns(connection)  # money may move
    waiting = _unfunded(connection, [one for one in again if one.job_id in startable], at=now)
    payable, short = pay_ahead(connection, [one for one in placements if one.job_id in startable], at=now)
    waiting = short | waiting
    shares: dict[int, dict[str, Any]] = {}
    rows = [
        {
            "job_id": placement.job_id,
            "task_index": placement.task_index,
            "attempt": placement.attempt,
            "state": JobState.PENDING,
            "placement": shares.setdefault(id(placement.share), placement.share.to_json()),
            "placed_at": now,
        }
        for placement in payable
        if not (placement.restarts and placement.job_id in waiting)
    ]
    if not rows:
        return Placed([], waiting)
    inserted = connection.execute(_INSERT_NEW[connection.dialect.name], rows)
    written = {(row.job_id, row.task_index, row.attempt) for row in inserted}
    return Placed([placement for placement in placements if placement.key in written], waiting)


def _unfunded(connection: Connection, again: Sequence[Placement], *, at: datetime) -> dict[UUID, str]:
    """Jobs whose tasks must not run again now, and why: what they used is not settled, or not set aside anew.

    What a requeued run used was taken from the hold. Settling tops it up again where the budget allows; where
    it did not, this tries it until it does. Tasks of rolling holds are paid for one by one, see `pay_ahead`.
    """
    if not again:
        return {}
    tasks = sorted({(placement.job_id, placement.task_index) for placement in again})
    unsettled = (
        select(col(JobTask.job_id))
        .distinct()
        .where(
            tuple_(col(JobTask.job_id), col(JobTask.task_index)).in_(tasks),
            col(JobTask.settled_at).is_(None),
        )
    )
    waiting = dict.fromkeys(connection.execute(unsettled).scalars(), "")
    jobs = {placement.job_id for placement in again}
    for job_id in sorted(jobs - waiting.keys() - rolling_jobs(connection, jobs)):
        try:
            top_up_hold(connection, job_id=job_id, at=at)
        except QuotaError as problem:
            log.info("placements.unfunded", job_id=str(job_id), problem=str(problem))
            waiting[job_id] = BUDGET
    return waiting


_KEY = (col(JobTask.job_id), col(JobTask.task_index), col(JobTask.attempt))
_INSERT_NEW = {
    "postgresql": postgresql.insert(JobTask).on_conflict_do_nothing().returning(*_KEY),
    "sqlite": sqlite.insert(JobTask).on_conflict_do_nothing().returning(*_KEY),
}
