"""What a job costs: list price, subsidy and net, line by line."""

from uuid import UUID

from fastapi import APIRouter

from hpc_portal.api.schemas import Reply
from hpc_portal.app.jobs.cost import job_cost
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["jobs"])


class SubsidyPinnedReply(Reply):
    """The subsidy that a job keeps for its whole life."""

    rule_id: int | None
    """null: none applies."""
    basis_points: int
    cap_vnd: int | None
    """At most so much for each run."""


class JobCostLineReply(Reply):
    """One resource of all tasks together; list price less subsidy is what is charged, exactly."""

    tres: str
    rate_vnd_per_hour: int
    estimated_seconds: int
    used_seconds: int
    list_vnd: int
    subsidy_vnd: int
    charged_vnd: int


class JobCostReply(Reply):
    """Held and charged so far."""

    held_vnd: int
    list_vnd: int
    subsidy_vnd: int
    charged_vnd: int
    lines: list[JobCostLineReply]
    price_list_version: int
    """Of the prices that it keeps for its whole life."""
    subsidy: SubsidyPinnedReply


@router.get("/jobs/{job_id}/cost")
def show_cost(services: PortalServices, actor: CurrentActor, job_id: UUID) -> JobCostReply:
    """What is held and was charged, line by line."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        return JobCostReply.model_validate(job_cost(session.connection(), job))
