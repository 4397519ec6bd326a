"""Collect: read the results of ended tasks once, keep them, and stop runs whose rule says so."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.campaigns.read_results import EndedTask, RunReader, sums_by_test
from hpc_portal.app.campaigns.stop import rule_says_stop, stop_by_rule
from hpc_portal.app.campaigns.tables import Campaign, CampaignResult, CampaignRun, CampaignTest
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, JobTask
from hpc_portal.app.templates.find import template_of_job
from schedulers.jobstate import JobState
from workloads.errors import WorkloadError

log = structlog.get_logger()

_BATCH = 1000
"""Tasks of one run in one transaction."""
_OVER = (Phase.ENDED, Phase.SETTLED, Phase.REFUSED)
_SUMS = ("passed", "failed", "no_verdict", "wall_ms", "covered", "coverage_points")
_KEY = ("job_id", "row_name")


def _adding(new: postgresql.Insert | sqlite.Insert) -> postgresql.Insert | sqlite.Insert:
    """The statement that adds its values to a row that is there already."""
    sums = {name: getattr(CampaignTest, name) + new.excluded[name] for name in _SUMS}
    return new.on_conflict_do_update(index_elements=list(_KEY), set_=sums)


_ADD_SUMS = {
    "postgresql": _adding(postgresql.insert(CampaignTest)),
    "sqlite": _adding(sqlite.insert(CampaignTest)),
}


class CollectStep:
    """The controller's part; remembers the parameters of runs that it is reading."""

    def __init__(self, context: ControllerContext) -> None:
        self._context = context
        self._readers: dict[UUID, RunReader | None] = {}
        """None for a run whose template is gone: of it nothing can be read."""

    async def __call__(self) -> bool:
        """Read one batch of each run that has something new; True when there may be more.

        Raises:
            LeaseLost: another controller is active; nothing was written.
        """
        open_runs = await self._context.read(self._open_runs)
        ids = {row.job_id for row in open_runs}
        self._readers = {job_id: reader for job_id, reader in self._readers.items() if job_id in ids}
        has_more = False
        for row in open_runs:
            has_more |= await self._read_run(row)
        return has_more

    async def _read_run(self, row: AnyRow) -> bool:
        context, now = self._context, self._context.clock.now()
        ended: Sequence[EndedTask] = ()
        if row.tasks_completed + row.tasks_failed > row.results:
            ended = await context.read(lambda connection: _ended_tasks(connection, row.job_id))
        reader = await self._reader(row.job_id) if ended else None
        rows = await asyncio.to_thread(reader.rows, ended, now=now) if reader else []
        is_read = row.phase in _OVER and len(rows) == len(ended) < _BATCH
        if ended and reader is None:  # its template is gone
            is_read = row.phase in _OVER
        is_due = row.has_rule and await context.read(
            lambda connection: rule_says_stop(connection, row.job_id)
        )
        if not (rows or is_read or is_due):
            return False
        values: dict[str, Any] = {"results": col(CampaignRun.results) + len(rows), "is_read": is_read}
        if is_read and (reader := await self._reader(row.job_id)):
            values["metrics"] = await asyncio.to_thread(reader.metrics)
        await context.write(lambda connection: self._write(connection, row, rows, values))
        return len(ended) == _BATCH and bool(rows)

    async def _reader(self, job_id: UUID) -> RunReader | None:
        if job_id not in self._readers:
            job = await self._context.read(
                lambda connection: connection.execute(
                    select(col(Job.template), col(Job.parameters), col(Job.workspace)).where(
                        col(Job.id) == job_id
                    )
                ).one()
            )
            try:
                template = await self._context.read(
                    lambda connection: template_of_job(connection, job.template or "")
                )
                self._readers[job_id] = RunReader.of(
                    job_id, template, job.parameters or {}, self._context.workspace_root / job.workspace
                )
            except WorkloadError as problem:
                log.warning("campaign.cannot_be_read", job_id=str(job_id), problem=str(problem))
                self._readers[job_id] = None
        return self._readers[job_id]

    def _open_runs(self, connection: Connection) -> Sequence[AnyRow]:
        has_rule = or_(
            col(Campaign.stop_failures).is_not(None), col(Campaign.stop_cost_vnd).is_not(None)
        ) & col(CampaignRun.stopped_by).is_(None)
        return connection.execute(
            select(
                col(CampaignRun.job_id),
                col(CampaignRun.results),
                col(Job.project_id),
                col(Job.phase),
                col(Job.tasks_completed),
                col(Job.tasks_failed),
                has_rule.label("has_rule"),
            )
            .join(Campaign, col(Campaign.id) == col(CampaignRun.campaign_id))
            .join(Job, col(Job.id) == col(CampaignRun.job_id))
            .where(~col(CampaignRun.is_read), col(Job.scheduler) == self._context.scheduler.name)
            .where(
                or_(
                    col(Job.tasks_completed) + col(Job.tasks_failed) > col(CampaignRun.results),
                    col(Job.phase).in_(_OVER),
                    has_rule,
                )
            )
            .order_by(col(CampaignRun.job_id))
        ).all()

    def _write(
        self,
        connection: Connection,
        row: AnyRow,
        rows: Sequence[dict[str, Any]],
        values: Mapping[str, Any],
    ) -> None:
        events.take_turns(connection)
        now = self._context.clock.now()
        if rows:
            connection.execute(insert(CampaignResult), list(rows))
            connection.execute(_ADD_SUMS[connection.dialect.name], sums_by_test(rows))
        connection.execute(update(CampaignRun).where(col(CampaignRun.job_id) == row.job_id).values(**values))
        if row.has_rule:
            stop_by_rule(connection, row.job_id, at=now)
        if rows or values["is_read"]:
            read = Event(row.job_id, row.project_id, "campaign.read", {"results": len(rows)})
            events.record(connection, [read], at=now)


def _ended_tasks(connection: Connection, job_id: UUID) -> list[EndedTask]:
    """Tasks that ended for good, have no result yet and were not cancelled: those have none to give."""
    has_result = (
        select(1)
        .where(
            col(CampaignResult.job_id) == col(JobTask.job_id),
            col(CampaignResult.task_index) == col(JobTask.task_index),
        )
        .exists()
    )
    rows = connection.execute(
        select(col(JobTask.task_index), col(JobTask.state), col(JobTask.exit_code), col(JobTask.ended_at))
        .where(
            col(JobTask.job_id) == job_id,
            col(JobTask.ended_at).is_not(None),
            ~col(JobTask.is_requeued),
            col(JobTask.state) != JobState.CANCELLED,
            ~has_result,
        )
        .order_by(col(JobTask.task_index))
        .limit(_BATCH)
    )
    return [EndedTask(row.task_index, row.state, row.exit_code, row.ended_at) for row in rows if row.ended_at]
