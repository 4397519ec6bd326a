"""Requests for quota: ask, review, decide."""

import asyncio
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from hpc_portal.api.request_schemas import (
    AttachmentReply,
    EditBody,
    ExhaustionReply,
    HoldingReply,
    MessageBody,
    MonthOfUseReply,
    OutlookLineReply,
    OutlookReply,
    PartBody,
    RequestBody,
    RequestDecisionBody,
    RequestDraftBody,
    RequestEventReply,
    RequestReply,
    RequestSummaryReply,
    ShortageBody,
)
from hpc_portal.api.schemas import CreatedReply, ListReply, PageReply
from hpc_portal.app.actor import Actor
from hpc_portal.app.reports.budget_forecast import BudgetForecast
from hpc_portal.app.requests import attachments, queries
from hpc_portal.app.requests.checks import WantedQuota
from hpc_portal.app.requests.decide import approve_partly, approve_request, deny_request
from hpc_portal.app.requests.draft import draft_request, edit_request, wanted_for_shortage
from hpc_portal.app.requests.outlook import look_ahead
from hpc_portal.app.requests.review import return_request, start_review
from hpc_portal.app.requests.submit import submit_request, withdraw_request
from hpc_portal.app.requests.transitions import RequestState
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from quotas.balance import AssetBalance

router = APIRouter(tags=["requests"])

_FILE = {"required": True, "content": {"application/octet-stream": {"schema": {"format": "binary"}}}}

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=150)]


@router.get("/requests")
def list_requests(  # noqa: PLR0913 - the parts of a query
    *,
    services: PortalServices,
    actor: CurrentActor,
    state: Annotated[list[RequestState] | None, Query()] = None,
    project: Annotated[str, Query(max_length=80)] = "",
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PageReply[RequestSummaryReply]:
    """Requests of the projects that you see, newest first. Drafts are for those who may submit them."""
    wanted = queries.RequestFilter(states=state or (), project=project)
    with services.reading() as session:
        found = queries.list_requests(session, actor, wanted, before=cursor, limit=limit)
    return PageReply(
        items=[RequestSummaryReply.model_validate(item) for item in found.items],
        next_cursor=found.next_cursor,
    )


@router.get("/requests/inbox")
def inbox(services: PortalServices, actor: CurrentActor) -> ListReply[RequestSummaryReply]:
    """What waits for a decision, the longest-waiting first; for administrators and auditors."""
    with services.reading() as session:
        found = queries.list_inbox(session, actor)
    return ListReply(items=[RequestSummaryReply.model_validate(item) for item in found])


@router.post("/requests", status_code=HTTPStatus.CREATED)
def draft(
    services: PortalServices, actor: CurrentActor, body: RequestDraftBody, idempotency_key: Key = None
) -> RequestReply:
    """Draft a request; it is nobody else's business until you submit it."""
    created = draft_request(services, actor, body.project, _wanted(body), key=idempotency_key)
    return _reply(services, actor, created)


@router.post("/requests/from-shortage", status_code=HTTPStatus.CREATED)
def draft_from_shortage(
    services: PortalServices, actor: CurrentActor, body: ShortageBody, idempotency_key: Key = None
) -> RequestReply:
    """Draft the request that would have let a refused job through: what was missing, rounded up."""
    wanted = wanted_for_shortage(services, actor, body.project, body.missing)
    created = draft_request(services, actor, body.project, wanted, key=idempotency_key)
    return _reply(services, actor, created)


@router.get("/requests/{request_id}")
def show(services: PortalServices, actor: CurrentActor, request_id: UUID) -> RequestReply:
    """One request with its history."""
    return _reply(services, actor, request_id)


@router.put("/requests/{request_id}")
def edit(services: PortalServices, actor: CurrentActor, request_id: UUID, body: EditBody) -> RequestReply:
    """Change all that a draft, or a request that was returned, asks for."""
    edit_request(services, actor, request_id, _wanted(body), version=body.version)
    return _reply(services, actor, request_id)


@router.post("/requests/{request_id}/submit")
def submit(
    services: PortalServices, actor: CurrentActor, request_id: UUID, body: MessageBody
) -> RequestReply:
    """Ask the administrators to decide; a request that was returned needs an answer as the message."""
    submit_request(services, actor, request_id, message=body.message)
    return _reply(services, actor, request_id)


@router.post("/requests/{request_id}/withdraw")
def withdraw(
    services: PortalServices, actor: CurrentActor, request_id: UUID, body: MessageBody
) -> RequestReply:
    """Take it back."""
    withdraw_request(services, actor, request_id, message=body.message)
    return _reply(services, actor, request_id)


@router.get("/requests/{request_id}/outlook")
def outlook(services: PortalServices, actor: CurrentActor, request_id: UUID) -> OutlookReply:
    """What a reviewer should know: balances, list price, and what can still be promised in that period."""
    with services.reading() as session:
        request = queries.get_request(session, actor, request_id)
    found = look_ahead(services, actor, request)
    return OutlookReply(
        lines=[
            OutlookLineReply(
                asset=line.asset,
                asked=line.asked,
                capacity=line.promisable and line.promisable.capacity,
                promised=line.promisable and line.promisable.promised,
                left=line.promisable and line.promisable.left,
            )
            for line in found.lines
        ],
        availability_percent=found.availability_percent,
        project=[_holding(asset, amounts) for asset, amounts in found.project.items()],
        organisation=[_holding(asset, amounts) for asset, amounts in found.organisation.items()],
        list_price_vnd=found.list_price_vnd,
        months=[MonthOfUseReply.model_validate(month) for month in found.months],
        forecasts=[_exhaustion(one) for one in found.forecasts],
    )


@router.post("/requests/{request_id}/review")
def review(services: PortalServices, actor: CurrentActor, request_id: UUID) -> RequestReply:
    """Say that you look at it."""
    start_review(services, actor, request_id)
    return _reply(services, actor, request_id)


@router.post("/requests/{request_id}/return")
def give_back(
    services: PortalServices, actor: CurrentActor, request_id: UUID, body: RequestDecisionBody
) -> RequestReply:
    """Return it with a question."""
    return_request(services, actor, request_id, message=body.message, version=body.version)
    return _reply(services, actor, request_id)


@router.post("/requests/{request_id}/approve")
def approve(
    services: PortalServices, actor: CurrentActor, request_id: UUID, body: RequestDecisionBody
) -> RequestReply:
    """Grant all that is asked; it can be used at once."""
    approve_request(services, actor, request_id, message=body.message, version=body.version)
    return _reply(services, actor, request_id)


@router.post("/requests/{request_id}/approve-partly")
def approve_part(
    services: PortalServices, actor: CurrentActor, request_id: UUID, body: PartBody
) -> RequestReply:
    """Grant less than was asked, or for a shorter time, and say why."""
    approve_partly(
        services,
        actor,
        request_id,
        granted=body.granted,
        valid_to=body.valid_to,
        message=body.message,
        version=body.version,
    )
    return _reply(services, actor, request_id)


@router.post("/requests/{request_id}/deny")
def deny(
    services: PortalServices, actor: CurrentActor, request_id: UUID, body: RequestDecisionBody
) -> RequestReply:
    """Say no, and why."""
    deny_request(services, actor, request_id, message=body.message, version=body.version)
    return _reply(services, actor, request_id)


@router.post(
    "/requests/{request_id}/attachments", status_code=HTTPStatus.CREATED, openapi_extra={"requestBody": _FILE}
)
async def attach(
    request: Request,
    services: PortalServices,
    actor: CurrentActor,
    request_id: UUID,
    name: Annotated[str, Query(max_length=400)] = "",
) -> CreatedReply:
    """Attach a file; its bytes are the body. PDF, office documents, images, text; ten of up to 10 MiB."""
    content = await _read_body(request, most=attachments.MOST_BYTES + 1)
    created = await asyncio.to_thread(
        attachments.add_attachment, services, actor, request_id, name=name, content=content
    )
    return CreatedReply(id=created)


@router.get("/requests/{request_id}/attachments/{attachment_id}", response_class=StreamingResponse)
def download(
    services: PortalServices, actor: CurrentActor, request_id: UUID, attachment_id: UUID
) -> StreamingResponse:
    """One file, for saving."""
    opened = attachments.open_attachment(services, actor, request_id, attachment_id)
    return StreamingResponse(
        opened.pieces,
        media_type="application/octet-stream",
        headers={
            "content-length": str(opened.shown.size_bytes),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(opened.shown.name, safe='')}",
        },
    )


@router.delete("/requests/{request_id}/attachments/{attachment_id}", status_code=HTTPStatus.NO_CONTENT)
def detach(services: PortalServices, actor: CurrentActor, request_id: UUID, attachment_id: UUID) -> None:
    """Take a file away from a request that can still be changed."""
    attachments.remove_attachment(services, actor, request_id, attachment_id)


async def _read_body(request: Request, *, most: int) -> bytes:
    """The body, or as much of it as shows that it is too long."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) >= most:
            break
    return bytes(found[:most])


def _wanted(body: RequestBody) -> WantedQuota:
    return WantedQuota(
        kind=body.kind,
        lines=body.lines,
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        purpose=body.purpose,
        reasons=body.reasons,
        allocation_id=body.allocation_id,
    )


def _reply(services: Services, actor: Actor, request_id: UUID) -> RequestReply:
    with services.reading() as session:
        found = queries.get_request(session, actor, request_id)
    summary = RequestSummaryReply.model_validate(found.summary)
    return RequestReply(
        **summary.model_dump(),
        version=found.version,
        allocation_id=found.allocation_id,
        purpose=found.purpose,
        decided_by=found.decided_by,
        granted_to=found.granted_to,
        granted_allocation_id=found.granted_allocation_id,
        events=[RequestEventReply.model_validate(event) for event in found.events],
        attachments=[AttachmentReply.model_validate(item) for item in found.attachments],
        may=sorted(found.may),
    )


def _exhaustion(one: BudgetForecast) -> ExhaustionReply:
    ahead = one.forecast
    return ExhaustionReply(
        asset=one.asset,
        left=one.left,
        last_day=one.last_day,
        exhausted_on=ahead and ahead.exhausted_on,
        earliest_on=ahead and ahead.earliest_on,
        latest_on=ahead and ahead.latest_on,
    )


def _holding(asset: str, amounts: AssetBalance) -> HoldingReply:
    return HoldingReply(
        asset=asset,
        granted=amounts.granted,
        held=amounts.held,
        consumed=amounts.consumed,
        available=amounts.available,
    )
