"""Carry out wishes to change jobs under way: tell the scheduler each of them once, and store what it says.

Whatever dies in between leaves the wish behind, and it is told again: the scheduler's side is idempotent.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import Connection, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.apply_change import apply_change, drop_undispatched_tasks, fit_hold
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.refs import REF, ref_of
from hpc_portal.app.jobs.wish import ChangeKind, ChangeState, change_of
from hpc_portal.app.jobs.write_each import write_each
from hpc_portal.app.tables import Job, JobChange
from schedulers import protocol
from schedulers.protocol import Carried, ChangeOutcome, ChangeRequest, Refused
from workloads.template import N_

log = structlog.get_logger()

_BATCH = 500
OVER = N_("The job had ended before.")

_Decided: TypeAlias = tuple[AnyRow, ChangeOutcome]


class ChangeStep:
    """The controller's part. Wishes for a job that is just being handed over wait for that."""

    def __init__(self, context: ControllerContext) -> None:
        self._context = context

    async def __call__(self) -> bool:
        """Carry out one batch of wishes, oldest first; True when there may be more.

        Raises:
            LeaseLost: another controller is active.
            SchedulerUnavailable: the wishes stay and are told again.
        """
        rows = await self._context.read(self._open)
        if not rows:
            return False
        there = [row for row in rows if row.phase is Phase.TRACKED]
        outcomes: dict[int, ChangeOutcome] = {
            row.sequence: Carried() if row.phase is Phase.ACCEPTED else Refused(OVER)
            for row in rows
            if row.phase is not Phase.TRACKED
        }
        if there:
            told = [ChangeRequest(ref_of(row), _change(row)) for row in there]
            answers = await self._context.scheduler.change(told)
            outcomes |= {row.sequence: answer for row, answer in zip(there, answers, strict=True)}
        decided: dict[UUID, list[_Decided]] = defaultdict(list)
        for row in rows:
            decided[row.job_id].append((row, outcomes[row.sequence]))
        _, unwritten = await write_each(self._context, decided, self._write)
        return len(rows) == _BATCH and not unwritten

    def _open(self, connection: Connection) -> Sequence[AnyRow]:
        return connection.execute(
            select(
                col(JobChange.sequence),
                col(JobChange.job_id),
                *REF,
                col(JobChange.kind),
                col(JobChange.facts),
                col(JobChange.requested_at),
                col(Job.phase),
                col(Job.project_id),
            )
            .join(Job, col(Job.id) == col(JobChange.job_id))
            .where(
                col(JobChange.decided_at).is_(None),
                col(Job.scheduler) == self._context.scheduler.name,
                col(Job.phase) != Phase.DISPATCHING,
            )
            .order_by(col(JobChange.sequence))
            .limit(_BATCH)
        ).all()

    def _write(self, connection: Connection, decided: Mapping[UUID, Sequence[_Decided]]) -> None:
        now = self._context.clock.now()
        phases = {
            row.id: row.phase
            for row in connection.execute(
                select(col(Job.id), col(Job.phase))
                .where(col(Job.id).in_(list(decided)))
                .order_by(col(Job.id))
                .with_for_update(key_share=True)
            )
        }
        events.take_turns(connection)
        told: list[Event] = []
        for job_id in sorted(decided):
            for row, outcome in decided[job_id]:
                if row.phase is Phase.ACCEPTED and phases[job_id] is not Phase.ACCEPTED:
                    continue  # it was handed over meanwhile: the scheduler must be told
                told += _write_one(connection, row, outcome, at=now)
        events.record(connection, told, at=now)


def _change(row: AnyRow) -> protocol.JobChange:
    return change_of(row.kind, row.facts, requested_at=row.requested_at)


def _write_one(connection: Connection, row: AnyRow, outcome: ChangeOutcome, *, at: datetime) -> list[Event]:
    is_carried = isinstance(outcome, Carried)
    refusal = "" if isinstance(outcome, Carried) else outcome.reason
    written = connection.execute(
        update(JobChange)
        .where(col(JobChange.sequence) == row.sequence, col(JobChange.decided_at).is_(None))
        .values(
            state=ChangeState.CARRIED if is_carried else ChangeState.REFUSED, decided_at=at, refusal=refusal
        )
    )
    if not written.rowcount:
        return []
    said = {"change": row.kind, **row.facts}
    if not is_carried:
        log.info("change.refused", job_id=str(row.job_id), change=row.kind, reason=refusal)
        if row.kind is ChangeKind.WALLTIME:
            fit_hold(connection, row.job_id, at=at)
        return [Event(row.job_id, row.project_id, "job.change_refused", {**said, "reason": refusal})]
    told = [Event(row.job_id, row.project_id, "job.changed", said)]
    change = _change(row)
    if isinstance(change, protocol.CancelTasks) and row.phase is Phase.ACCEPTED:
        if state := drop_undispatched_tasks(connection, row.job_id, change, at=at):
            told.append(Event(row.job_id, row.project_id, "job.state", {"state": state}))
    else:
        apply_change(connection, row.job_id, change, at=at)
    return told
