"""What jobs used of what they asked for, and what to ask for next time."""

from uuid import UUID

from fastapi import APIRouter

from hpc_portal.api.schemas import Reply
from hpc_portal.app.jobs.efficiency import job_efficiency
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.size_from_history import propose_size
from hpc_portal.app.templates.find import find_template, reference_of
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["jobs"])


class RunsUsedReply(Reply):
    """What runs used, those left out that ended within seconds."""

    runs: int
    elapsed_seconds: int
    longest_seconds: int
    average_cores: float
    busiest_cores: float
    peak_mib: int
    """0: not measured."""


class EfficiencyReply(Reply):
    """Of one job; where nothing better is known, enough is what was asked for."""

    used: RunsUsedReply
    cpus_asked: int
    cpus_enough: int
    memory_mib_asked: int
    memory_mib_enough: int
    gpu_busy_share: float | None
    list_vnd: int
    saved_vnd: int


class SizeProposalReply(Reply):
    """From your own newest completed jobs of a template."""

    jobs: int
    used: RunsUsedReply
    cpus: int | None
    memory_mib: int | None
    walltime_seconds: int


@router.get("/jobs/{job_id}/efficiency")
def show_efficiency(services: PortalServices, actor: CurrentActor, job_id: UUID) -> EfficiencyReply | None:
    """What it used and what would have been enough; null before a run ended that says anything."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        found = job_efficiency(session.connection(), job)
    return EfficiencyReply.model_validate(found) if found else None


@router.get("/templates/{name}/size")
def show_size(services: PortalServices, actor: CurrentActor, name: str) -> SizeProposalReply | None:
    """What was enough for your last jobs of this template; null where there are too few to tell."""
    template = find_template(services, actor, name)
    with services.reading() as session:
        found = propose_size(session.connection(), actor, reference_of(template), now=services.clock.now())
    return SizeProposalReply.model_validate(found) if found else None
