"""Jobs of which nobody can say whether their cluster has them, for administrators."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hpc_portal.api.schemas import ListReply
from hpc_portal.app.jobs.decide_doubt import Decision, DoubtfulJob, decide_doubt, list_doubtful_jobs
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["administration"])


class DoubtBody(BaseModel):
    """What becomes of a job in doubt."""

    decision: Decision
    reason: str = Field(min_length=1, max_length=500)
    """Kept in the audit log."""


@router.get("/doubtful-jobs")
def list_doubtful(services: PortalServices, actor: CurrentActor) -> ListReply[DoubtfulJob]:
    """Those that only people can decide on, and those that have been in doubt for ten minutes."""
    with services.reading() as session:
        return ListReply(items=list_doubtful_jobs(session, actor, now=services.clock.now()))


@router.post("/jobs/{job_id}/doubt", status_code=HTTPStatus.NO_CONTENT)
def decide(services: PortalServices, actor: CurrentActor, job_id: UUID, body: DoubtBody) -> None:
    """Send it again, because its cluster does not have it, or end it."""
    decide_doubt(services, actor, job_id, body.decision, reason=body.reason)
