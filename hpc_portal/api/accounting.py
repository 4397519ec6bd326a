"""The months of the books, and what does not add up; for administrators and auditors."""

from datetime import date
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from hpc_portal.api.accounting_schemas import (
    CheckReply,
    ClosedReply,
    CloseMonthBody,
    DiscrepancyDecisionBody,
    DiscrepancyReply,
    MonthReply,
)
from hpc_portal.api.schemas import ListReply, PageReply
from hpc_portal.app.accounting.months import close_next_month, list_months
from hpc_portal.app.accounting.work_list import decide, last_checks, work_list
from hpc_portal.auth.deps import CurrentActor, PortalServices
from quotas.usage_tables import DiscrepancyKind, DiscrepancyState

router = APIRouter(tags=["accounting"])

Number = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("/accounting/months")
def months(services: PortalServices, actor: CurrentActor) -> ListReply[MonthReply]:
    """Every month of which there is anything, the newest first."""
    with services.reading() as session:
        found = list_months(session, actor, now=services.clock.now())
    return ListReply(items=[MonthReply.model_validate(item) for item in found])


@router.post("/accounting/months", status_code=HTTPStatus.CREATED)
def close(services: PortalServices, actor: CurrentActor, body: CloseMonthBody) -> ClosedReply:
    """Close the next month for good: its statements are stored, later facts of it go to the next one."""
    month = date.fromisoformat(f"{body.month}-01")
    return ClosedReply.model_validate(close_next_month(services, actor, month=month, reason=body.reason))


@router.get("/accounting/checks")
def checks(services: PortalServices, actor: CurrentActor) -> ListReply[CheckReply]:
    """When the books were last checked, and how many discrepancies were found then."""
    with services.reading() as session:
        return ListReply(items=[CheckReply.model_validate(item) for item in last_checks(session, actor)])


@router.get("/accounting/discrepancies")
def discrepancies(  # noqa: PLR0913 - one parameter for each filter
    *,
    services: PortalServices,
    actor: CurrentActor,
    state: DiscrepancyState | None = None,
    kind: DiscrepancyKind | None = None,
    cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> PageReply[DiscrepancyReply]:
    """What does not add up, the newest first; all of it where no state is given."""
    with services.reading() as session:
        found = work_list(session, actor, state=state, kind=kind, before=cursor, limit=limit)
    following = str(found[-1].found.id) if len(found) == limit else None
    return PageReply(items=[DiscrepancyReply.of(item) for item in found], next_cursor=following)


@router.post("/accounting/discrepancies/{number}/decision", status_code=HTTPStatus.NO_CONTENT)
def decision(
    services: PortalServices, actor: CurrentActor, number: Number, body: DiscrepancyDecisionBody
) -> None:
    """Take a discrepancy off the list, with the reason."""
    decide(services, actor, number, state=body.state, reason=body.reason)
