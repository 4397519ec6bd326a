"""Record the campaign that a job opens, or the run that it adds to one; in the job's own transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select
from sqlmodel import col

from hpc_portal.app.campaigns.tables import Campaign, CampaignRun, RunKind
from workloads.template import StopRule


@dataclass(frozen=True, slots=True)
class RerunOf:
    """The campaign that a job is a rerun of."""

    campaign_id: UUID
    kind: RunKind
    with_waves: bool


@dataclass(frozen=True, slots=True)
class NewRun:
    """A stored job that is a campaign's first run, or a rerun."""

    job_id: UUID
    """Also the id of the campaign that it opens."""
    project_id: UUID
    user_id: UUID
    name: str
    template: str
    rule: StopRule
    rerun_of: RerunOf | None


def record_runs(connection: Connection, runs: Sequence[NewRun], *, at: datetime) -> None:
    """Open a campaign for each first run; give each rerun the next number of its campaign."""
    if first := [run for run in runs if run.rerun_of is None]:
        connection.execute(insert(Campaign), [_campaign_row(run, at) for run in first])
        connection.execute(insert(CampaignRun), [_run_row(run, run.job_id, 0) for run in first])
    for run in runs:
        if run.rerun_of is not None:
            campaign_id = run.rerun_of.campaign_id
            number = _next_number(connection, campaign_id)
            connection.execute(insert(CampaignRun).values(_run_row(run, campaign_id, number)))


def _next_number(connection: Connection, campaign_id: UUID) -> int:
    connection.execute(select(col(Campaign.id)).where(col(Campaign.id) == campaign_id).with_for_update())
    last = select(func.max(col(CampaignRun.number))).where(col(CampaignRun.campaign_id) == campaign_id)
    return int(connection.execute(last).scalar_one()) + 1


def _campaign_row(run: NewRun, at: datetime) -> dict[str, Any]:
    return {
        "id": run.job_id,
        "project_id": run.project_id,
        "user_id": run.user_id,
        "name": run.name,
        "template": run.template,
        "created_at": at,
        "stop_failures": run.rule.failures,
        "stop_cost_vnd": run.rule.cost_vnd,
    }


def _run_row(run: NewRun, campaign_id: UUID, number: int) -> dict[str, Any]:
    return {
        "job_id": run.job_id,
        "campaign_id": campaign_id,
        "number": number,
        "kind": run.rerun_of.kind if run.rerun_of else RunKind.FIRST,
        "with_waves": bool(run.rerun_of and run.rerun_of.with_waves),
    }
