"""Stop a run early: the tasks that wait are taken back, those that run may end; each run is stopped once."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.campaigns.tables import Campaign, CampaignRun, CampaignTest, RunKind, StoppedBy
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.wish import ChangeKind, ChangeState
from hpc_portal.app.tables import Job, JobChange, JobTask
from schedulers.array_tasks import compact
from schedulers.jobspec import JobSpec

_UNDER_WAY = (Phase.ACCEPTED, Phase.DISPATCHING, Phase.TRACKED)

_RUNS = (
    select(
        col(CampaignRun.job_id),
        col(CampaignRun.campaign_id),
        col(CampaignRun.kind),
        col(Campaign.user_id),
        col(Campaign.stop_failures),
        col(Campaign.stop_cost_vnd),
        col(Job.project_id),
        col(Job.spec),
    )
    .join(Campaign, col(Campaign.id) == col(CampaignRun.campaign_id))
    .join(Job, col(Job.id) == col(CampaignRun.job_id))
    .where(
        col(CampaignRun.stopped_by).is_(None),
        col(Job.phase).in_(_UNDER_WAY),
        col(Job.cancel_requested_at).is_(None),
    )
)


def rule_says_stop(connection: Connection, job_id: UUID) -> bool:
    """Whether `stop_by_rule` would stop the run now."""
    row = connection.execute(_RUNS.where(col(CampaignRun.job_id) == job_id)).first()
    return row is not None and _why(connection, row) is not None


def stop_by_rule(connection: Connection, job_id: UUID, *, at: datetime) -> StoppedBy | None:
    """Stop the run of this job if its campaign's rule says so and it is not stopped; why, when it was now.

    The wish to cancel what waits is stored as any other of its owner's and carried out by the controller.
    """
    row = connection.execute(_RUNS.where(col(CampaignRun.job_id) == job_id)).first()
    if row is None:
        return None
    why = _why(connection, row)
    if why is None or not mark_stopped(connection, job_id, why, at=at):
        return None
    if waiting := compact(_never_started(connection, row)):
        connection.execute(
            insert(JobChange).values(
                job_id=job_id,
                kind=ChangeKind.CANCEL_TASKS,
                facts={"tasks": waiting, "rule": why},
                requested_by=row.user_id,
                requested_at=at,
                state=ChangeState.REQUESTED,
            )
        )
    events.record(connection, [Event(job_id, row.project_id, "campaign.stopped", {"rule": why})], at=at)
    return why


def mark_stopped(connection: Connection, job_id: UUID, why: StoppedBy, *, at: datetime) -> bool:
    """Write down why a run is stopped; False when it was before."""
    marked = connection.execute(
        update(CampaignRun)
        .where(col(CampaignRun.job_id) == job_id, col(CampaignRun.stopped_by).is_(None))
        .values(stopped_by=why, stopped_at=at)
    )
    return bool(marked.rowcount)


def cost_vnd(connection: Connection, campaign_id: UUID) -> int:
    """What all runs of a campaign were charged so far."""
    total = (
        select(func.coalesce(func.sum(col(Job.charged_vnd)), 0))
        .join(CampaignRun, col(CampaignRun.job_id) == col(Job.id))
        .where(col(CampaignRun.campaign_id) == campaign_id)
    )
    return int(connection.execute(total).scalar_one())


def _why(connection: Connection, row: AnyRow) -> StoppedBy | None:
    if row.stop_cost_vnd is not None and cost_vnd(connection, row.campaign_id) >= row.stop_cost_vnd:
        return StoppedBy.COST
    if row.stop_failures is not None and row.kind is RunKind.FIRST:
        failures = select(
            func.coalesce(func.sum(col(CampaignTest.failed) + col(CampaignTest.no_verdict)), 0)
        ).where(col(CampaignTest.job_id) == row.job_id)
        if connection.execute(failures).scalar_one() >= row.stop_failures:
            return StoppedBy.FAILURES
    return None


def _never_started(connection: Connection, row: AnyRow) -> Iterator[int]:
    spec = JobSpec.model_validate(row.spec)
    started = set(
        connection.execute(select(col(JobTask.task_index)).where(col(JobTask.job_id) == row.job_id)).scalars()
    )
    return (index for index in spec.task_indices() if index not in started)
