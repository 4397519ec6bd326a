"""One look at a project, and what it paid run by run."""

from typing import Annotated

from fastapi import APIRouter, Query

from hpc_portal.api.project_schemas import ChargeReply, ProjectOverviewReply
from hpc_portal.api.schemas import PageReply
from hpc_portal.app.home.project_overview import project_overview
from hpc_portal.app.reports.charges import list_charges
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["projects"])


@router.get("/projects/{account}/overview")
def overview(services: PortalServices, actor: CurrentActor, account: str) -> ProjectOverviewReply:
    """Balance, burn-down with forecast, who used what this month, and what is under way."""
    with services.reading() as session:
        return ProjectOverviewReply.of(project_overview(session, actor, account, at=services.clock.now()))


@router.get("/projects/{account}/charges")
def charges(  # noqa: PLR0913 - who, whose, which part
    *,
    services: PortalServices,
    actor: CurrentActor,
    account: str,
    user: Annotated[str, Query(max_length=64)] = "",
    cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PageReply[ChargeReply]:
    """Every run that ended, the newest in front, each with the formula that its price came from."""
    with services.reading() as session:
        found = list_charges(session, actor, account, user=user, before=cursor, limit=limit)
    return PageReply(
        items=[ChargeReply.model_validate(one) for one in found.items], next_cursor=found.next_cursor
    )
