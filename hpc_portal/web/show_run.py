"""What a job's page says of the campaign that it is a run of; its matrix is on the campaign's own page."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.queries import CampaignView, RunView, campaign_of_job, get_campaign
from hpc_portal.app.campaigns.results import FailureGroup, failure_groups
from hpc_portal.web.show_campaign import KINDS, legend
from hpc_portal.web.words import Word

_GROUPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ShownRun:
    """The run, and its largest groups of failures."""

    campaign: CampaignView
    run: RunView
    kind: str
    legend: list[tuple[Word, int]]
    groups: list[FailureGroup]


def run_of_job(session: Session, actor: Actor, job_id: UUID) -> ShownRun | None:
    """The run that a job is; None when it belongs to no campaign. The reader may see the job."""
    member = campaign_of_job(session, job_id)
    if member is None:
        return None
    campaign = get_campaign(session, actor, member.campaign_id)
    run = campaign.run(member.number)
    groups = failure_groups(session, job_id, limit=_GROUPS_SHOWN)
    return ShownRun(campaign, run, KINDS[run.kind], legend(run), groups)
