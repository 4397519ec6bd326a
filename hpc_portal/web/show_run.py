"""What a job's page says of its runs: what they used together, and the campaign that it is a run of."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.queries import CampaignView, RunView, campaign_of_job, get_campaign
from hpc_portal.app.campaigns.results import FailureGroup, failure_groups
from hpc_portal.app.jobs.queries import TaskRun
from hpc_portal.web.show_campaign import KINDS, legend
from hpc_portal.web.words import Word
from schedulers import tres
from schedulers.jobstate import JobState

_GROUPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ShownRun:
    """The run, and its largest groups of failures."""

    campaign: CampaignView
    run: RunView
    kind: str
    legend: list[tuple[Word, int]]
    groups: list[FailureGroup]


@dataclass(frozen=True, slots=True)
class TotalUse:
    """What runs used together, where it is known."""

    nodes: tuple[str, ...]
    cpu_percent: int | None
    gpu_percent: int | None
    max_rss_mib: int
    energy_joules: int


def run_of_job(session: Session, actor: Actor, job_id: UUID) -> ShownRun | None:
    """The run that a job is; None when it belongs to no campaign. The reader may see the job."""
    member = campaign_of_job(session, job_id)
    if member is None:
        return None
    campaign = get_campaign(session, actor, member.campaign_id)
    run = campaign.run(member.number)
    groups = failure_groups(session, job_id, limit=_GROUPS_SHOWN)
    return ShownRun(campaign, run, KINDS[run.kind], legend(run), groups)


def total_of(runs: Sequence[TaskRun]) -> TotalUse:
    """Of the runs of one job that were read."""
    nodes = dict.fromkeys(node for run in runs for node in run.nodes)
    ended = [run for run in runs if run.elapsed_seconds and run.state is not JobState.RUNNING]
    reserved = sum(run.allocated_tres.get("cpu", 0) * (run.elapsed_seconds or 0) for run in ended)
    used = sum(run.cpu_seconds for run in ended)
    measured = [run for run in ended if run.gpu_busy_seconds is not None]
    gpus_held = sum(run.allocated_tres.get(tres.GPU, 0) * (run.elapsed_seconds or 0) for run in measured)
    gpus_busy = sum(run.gpu_busy_seconds or 0 for run in measured)
    return TotalUse(
        nodes=tuple(nodes),
        cpu_percent=round(100 * used / reserved) if reserved and used else None,
        gpu_percent=min(100, round(100 * gpus_busy / gpus_held)) if gpus_held else None,
        max_rss_mib=max((run.max_rss_mib for run in runs), default=0),
        energy_joules=sum(run.energy_joules or 0 for run in runs),
    )
