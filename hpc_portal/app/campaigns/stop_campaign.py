"""A person stops a campaign: what runs and what waits of all its runs is cancelled."""

from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import Session, col

from hpc_portal.app import audit, permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.queries import get_campaign
from hpc_portal.app.campaigns.stop import mark_stopped
from hpc_portal.app.campaigns.tables import CampaignRun, StoppedBy
from hpc_portal.app.db import transact
from hpc_portal.app.errors import CampaignNotFound
from hpc_portal.app.jobs.cancel import record_wishes
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job


def stop_campaign(services: Services, actor: Actor, campaign_id: UUID) -> list[UUID]:
    """Ask for every run that goes on to be cancelled; the jobs of which this call recorded the wish.

    Again changes nothing.

    Raises:
        CampaignNotFound: there is none, or the actor may not see it.
        NotAllowed: the actor sees it but may not cancel its jobs.
    """
    now = services.clock.now()

    def work(connection: Connection) -> list[UUID]:
        campaign = get_campaign(Session(connection), actor, campaign_id)
        owners = select(col(Job.user_id)).join(CampaignRun, col(CampaignRun.job_id) == col(Job.id))
        theirs = {actor.user_id, *actor.answers_for}
        others = owners.where(col(CampaignRun.campaign_id) == campaign_id, col(Job.user_id).not_in(theirs))
        is_own = connection.execute(others.limit(1)).first() is None
        permissions.require(
            actor,
            Action.CANCEL_OWN if is_own else Action.CANCEL_ANY,
            organisation_id=campaign.organisation_id,
            project_id=campaign.project_id,
            hidden_as=CampaignNotFound(campaign_id),
        )
        going = [run.job_id for run in campaign.runs if not run.is_over]
        found = record_wishes(connection, col(Job.id).in_(going), by=actor.username, at=now)
        for job_id in sorted(found):
            mark_stopped(connection, job_id, StoppedBy.PERSON, at=now)
        if found:
            audit.record(connection, at=now, actor=actor, action="campaign.stopped", subject=str(campaign_id))
        return sorted(found)

    wished = transact(services.engine, work)
    if wished:
        services.wake.notify()
    return wished
