"""Run ended jobs again, several at once: what it would cost, and do it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request
from pydantic import Field

from hpc_portal.api.problems import said_to
from hpc_portal.api.schemas import Body, Reply
from hpc_portal.app.jobs.run_again import MOST_AT_ONCE, MOST_KEY_CHARACTERS, price_again, run_again
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["jobs"])


class AgainBody(Body):
    """Ended jobs, which are submitted once more as they were asked for."""

    job_ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST_AT_ONCE)]


class PricedAgainReply(Reply):
    """An earlier job, and what another run of it costs at most."""

    job_id: UUID
    name: str
    total_vnd: int | None
    """Net; null where it cannot be submitted at all."""
    problem: str
    """Why it would be refused now, taken alone; empty when it would be accepted."""


class AgainPriceReply(Reply):
    """The price of all that would be accepted; nothing was written."""

    jobs: list[PricedAgainReply]
    total_vnd: int
    list_vnd: int
    subsidy_vnd: int
    short: list[str]
    """Projects that can pay for each of their jobs, but not for all of them together."""


class MadeAgainReply(Reply):
    """An earlier job, and the new one."""

    job_id: UUID
    new_job_id: UUID


class NotAgainReply(Reply):
    """An earlier job that was not run again, and why."""

    job_id: UUID
    problem: str


class RanAgainReply(Reply):
    """What was submitted, and what was left out."""

    made: list[MadeAgainReply]
    left_out: list[NotAgainReply]


@router.post("/jobs/run-again/estimate")
def estimate(
    request: Request, services: PortalServices, actor: CurrentActor, body: AgainBody
) -> AgainPriceReply:
    """What it would cost at most to run ended jobs again, each and together; writes nothing."""
    found = price_again(services, actor, body.job_ids)
    return AgainPriceReply(
        jobs=[
            PricedAgainReply(
                job_id=one.job.id,
                name=one.job.name,
                total_vnd=one.estimate.total_vnd if one.estimate else None,
                problem=_said(request, one.refusal),
            )
            for one in found.jobs
        ],
        total_vnd=found.total_vnd,
        list_vnd=found.list_vnd,
        subsidy_vnd=found.subsidy_vnd,
        short=list(found.short),
    )


@router.post("/jobs/run-again")
async def submit_again(
    request: Request,
    services: PortalServices,
    actor: CurrentActor,
    body: AgainBody,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=MOST_KEY_CHARACTERS)],
) -> RanAgainReply:
    """Submit ended jobs once more, in this order, at the prices in force now.

    The `Idempotency-Key` makes each of them once, however often it is sent; those that were refused are tried
    again.
    """
    done = await run_again(services, actor, body.job_ids, key=idempotency_key)
    return RanAgainReply(
        made=[MadeAgainReply(job_id=old, new_job_id=new) for old, new in done.made.items()],
        left_out=[
            NotAgainReply(job_id=left.job.id, problem=_said(request, left.refusal)) for left in done.left_out
        ],
    )


def _said(request: Request, refusal: Exception | None) -> str:
    if refusal is None:
        return ""
    said = said_to(request, refusal)
    return said.detail if said else str(refusal)
