"""Run again what did not pass: a new job of the same campaign, with the same seeds or with others."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.queries import CampaignView, RunView, get_campaign
from hpc_portal.app.campaigns.record import RerunOf
from hpc_portal.app.campaigns.results import not_passed
from hpc_portal.app.campaigns.tables import CampaignRun, RunKind
from hpc_portal.app.errors import InvalidSubmission, Problem
from hpc_portal.app.jobs.edit_script import generated_script
from hpc_portal.app.jobs.prepare import SubmitRequest
from hpc_portal.app.jobs.submit import SubmittedJob, submit_job
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import IdempotencyKey, Job
from hpc_portal.app.templates.find import template_of_job


@dataclass(frozen=True, slots=True)
class RerunWish:
    """What to run again, and how."""

    new_seeds: bool = False
    with_waves: bool = True
    run: int | None = None
    """Whose failures; None: those of the last run that has any."""


async def rerun_failed(
    services: Services,
    actor: Actor,
    campaign_id: UUID,
    wish: RerunWish,
    *,
    idempotency_key: str | None = None,
) -> SubmittedJob:
    """Submit what did not pass as a new run; it is checked, priced and held like any job.

    Raises:
        CampaignNotFound: there is none, or the actor may not see it.
        InvalidSubmission: nothing failed, or the campaign has cost as much as its cap.
        NotAllowed, BudgetExceeded, LimitExceeded, ...: see `submit_job`; nothing was stored.
    """

    def prepare() -> SubmittedJob | SubmitRequest:
        with services.reading() as session:
            campaign = get_campaign(session, actor, campaign_id)
            permissions.require(
                actor,
                Action.SUBMIT,
                organisation_id=campaign.organisation_id,
                project_id=campaign.project_id,
            )
            made = _made_before(session, actor, campaign, idempotency_key)
            return made or _request(session, campaign, wish, idempotency_key)

    prepared = await asyncio.to_thread(prepare)
    if isinstance(prepared, SubmittedJob):
        return prepared
    return await submit_job(services, actor, prepared)


def _made_before(
    session: Session, actor: Actor, campaign: CampaignView, key: str | None
) -> SubmittedJob | None:
    """The run of this campaign that the same key of the same person made."""
    if key is None:
        return None
    found = (
        session.connection()
        .execute(
            select(col(CampaignRun.job_id))
            .join(IdempotencyKey, col(IdempotencyKey.job_id) == col(CampaignRun.job_id))
            .where(
                col(IdempotencyKey.user_id) == actor.user_id,
                col(IdempotencyKey.key) == key,
                col(CampaignRun.campaign_id) == campaign.id,
            )
        )
        .scalar()
    )
    return SubmittedJob(found, is_new=False) if found else None


def _request(session: Session, campaign: CampaignView, wish: RerunWish, key: str | None) -> SubmitRequest:
    if campaign.stop_cost_vnd is not None and campaign.charged_vnd >= campaign.stop_cost_vnd:
        raise InvalidSubmission([Problem("campaign", "The campaign has cost as much as its cap allows.")])
    run = _run_with_failures(campaign, wish.run)
    indices = not_passed(session, run.job_id) if run else []
    if run is None or not indices:
        raise InvalidSubmission([Problem("campaign", "There is nothing to run again: all passed so far.")])
    template = template_of_job(session.connection(), campaign.template)
    statement = select(col(Job.parameters), col(Job.spec)).where(col(Job.id) == run.job_id)
    job = session.connection().execute(statement).one()
    stored: dict[str, Any] = job.parameters or {}
    is_edited = generated_script(session.connection(), run.job_id) is not None
    attempts = sum(one.kind is RunKind.NEW_SEEDS for one in campaign.runs)
    parameters = template.rerun(
        template.validate(stored),
        indices,
        new_seeds=attempts + 1 if wish.new_seeds else 0,
        waves=wish.with_waves,
    )
    kind = RunKind.NEW_SEEDS if wish.new_seeds else RunKind.SAME_SEEDS
    return SubmitRequest(
        project=campaign.project,
        template=campaign.template,
        parameters=parameters.model_dump(mode="json"),
        script=job.spec["script"] if is_edited else None,
        idempotency_key=key,
        rerun_of=RerunOf(campaign.id, kind, wish.with_waves),
    )


def _run_with_failures(campaign: CampaignView, number: int | None) -> RunView | None:
    if number is not None:
        return campaign.run(number)
    return next((run for run in reversed(campaign.runs) if run.not_passed), None)
