"""What waits for the people who answer for the city."""

from datetime import datetime

from fastapi import APIRouter

from hpc_portal.api.schemas import Reply
from hpc_portal.app.home.attention import Matter, needs_attention
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["administration"])


class WaitingReply(Reply):
    """One matter; a count of 0 says that somebody looked and found nothing."""

    matter: Matter
    count: int
    since: datetime | None
    """When the oldest began to wait; of budgets, when the first ends."""


class AttentionReply(Reply):
    """All of it at one moment."""

    at: datetime
    count: int
    """How many matters have something waiting."""
    waiting: list[WaitingReply]
    clusters_seen_at: datetime | None
    licenses_answered_at: datetime | None


@router.get("/attention")
def show(services: PortalServices, actor: CurrentActor) -> AttentionReply:
    """Requests, refunds, discrepancies, drift, what does not answer; for administrators and auditors."""
    with services.reading() as session:
        return AttentionReply.model_validate(needs_attention(services, session, actor))
