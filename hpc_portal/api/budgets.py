"""Allocations after they were granted, and refunds of what jobs were charged."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query

from hpc_portal.api.budgets_schemas import (
    AllocationDetailReply,
    AllocationReply,
    AmountsBody,
    CarryOverBody,
    ChangedReply,
    DecideRefundBody,
    ExtendBody,
    HoldPolicyBody,
    JobRefundsReply,
    RaisedReply,
    RaiseRefundBody,
    RefundCaseReply,
    RefundedReply,
)
from hpc_portal.api.one_form import Flag
from hpc_portal.api.schemas import ListReply, ReasonBody
from hpc_portal.app.budgets import change_allocation as change
from hpc_portal.app.budgets.allocations import allocation_events, get_allocation, list_allocations
from hpc_portal.app.budgets.decide_refund_case import decide_refund_case
from hpc_portal.app.budgets.raise_refund_case import raise_refund_case, withdraw_refund_case
from hpc_portal.app.budgets.refund_cases import get_case, job_refunds, list_cases
from hpc_portal.app.budgets.tables import RefundCaseState
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["budgets"])

Key = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=100)]


@router.get("/allocations")
def allocations(
    *,
    services: PortalServices,
    actor: CurrentActor,
    project: str | None = None,
    ended: Flag = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
) -> ListReply[AllocationReply]:
    """Allocations of your projects, the one that ends first in front; with `ended`, those that are over."""
    with services.reading() as session:
        found = list_allocations(session, actor, project=project, ended=ended, limit=limit)
    return ListReply(items=[AllocationReply.model_validate(one) for one in found])


@router.get("/allocations/{allocation_id}")
def allocation(services: PortalServices, actor: CurrentActor, allocation_id: UUID) -> AllocationDetailReply:
    """One allocation with its history."""
    with services.reading() as session:
        found = get_allocation(session, actor, allocation_id)
        events = allocation_events(session, actor, allocation_id)
    shown = AllocationReply.model_validate(found).model_dump()
    return AllocationDetailReply.model_validate({**shown, "events": [asdict(event) for event in events]})


@router.post("/allocations/{allocation_id}/increase")
def increase(
    services: PortalServices, actor: CurrentActor, allocation_id: UUID, body: AmountsBody, key: Key
) -> ChangedReply:
    """Grant more to it. The same Idempotency-Key never grants twice."""
    done = change.increase_allocation(services, actor, allocation_id, body.lines, reason=body.reason, key=key)
    return ChangedReply(is_new=done)


@router.post("/allocations/{allocation_id}/reduce")
def reduce(
    services: PortalServices, actor: CurrentActor, allocation_id: UUID, body: AmountsBody, key: Key
) -> ChangedReply:
    """Take back what nobody holds or used. The same Idempotency-Key never takes twice."""
    done = change.reduce_allocation(services, actor, allocation_id, body.lines, reason=body.reason, key=key)
    return ChangedReply(is_new=done)


@router.post("/allocations/{allocation_id}/extend")
def extend(
    services: PortalServices, actor: CurrentActor, allocation_id: UUID, body: ExtendBody
) -> ChangedReply:
    """Let it end later."""
    done = change.extend_allocation(services, actor, allocation_id, body.valid_to, reason=body.reason)
    return ChangedReply(is_new=done)


@router.post("/allocations/{allocation_id}/suspend")
def suspend(
    services: PortalServices, actor: CurrentActor, allocation_id: UUID, body: ReasonBody
) -> ChangedReply:
    """Let it pay for no new job; jobs that hold a part of it run to their end."""
    done = change.suspend_allocation(services, actor, allocation_id, reason=body.reason)
    return ChangedReply(is_new=done)


@router.post("/allocations/{allocation_id}/resume")
def resume(
    services: PortalServices, actor: CurrentActor, allocation_id: UUID, body: ReasonBody
) -> ChangedReply:
    """Let it pay for new jobs again."""
    done = change.resume_allocation(services, actor, allocation_id, reason=body.reason)
    return ChangedReply(is_new=done)


@router.post("/allocations/{allocation_id}/close")
def close(
    services: PortalServices, actor: CurrentActor, allocation_id: UUID, body: ReasonBody
) -> ChangedReply:
    """End it for good; what is free expires, or goes back to where it was split from."""
    done = change.close_allocation(services, actor, allocation_id, reason=body.reason)
    return ChangedReply(is_new=done)


@router.post("/allocations/{allocation_id}/hold-policy")
def hold_policy(
    services: PortalServices, actor: CurrentActor, allocation_id: UUID, body: HoldPolicyBody
) -> ChangedReply:
    """Hold arrays of new jobs in full (`strict`), or only what runs at once (`rolling`)."""
    done = change.set_hold_policy(services, actor, allocation_id, body.hold_policy, reason=body.reason)
    return ChangedReply(is_new=done)


@router.post("/allocations/{allocation_id}/carry-over")
def carry_over(
    services: PortalServices, actor: CurrentActor, allocation_id: UUID, body: CarryOverBody, key: Key
) -> ChangedReply:
    """Take what is left of it, expired or not, into the allocation that renews it."""
    done = change.carry_over_budget(
        services, actor, allocation_id, body.target, lines=body.lines, reason=body.reason, key=key
    )
    return ChangedReply(is_new=done)


@router.get("/refund-cases")
def cases(
    *,
    services: PortalServices,
    actor: CurrentActor,
    state: RefundCaseState | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ListReply[RefundCaseReply]:
    """What was asked to be refunded, of jobs that you may see."""
    with services.reading() as session:
        found = list_cases(session, actor, state=state, limit=limit)
    return ListReply(items=[RefundCaseReply.model_validate(one) for one in found])


@router.get("/refund-cases/{case_id}")
def case(services: PortalServices, actor: CurrentActor, case_id: UUID) -> RefundCaseReply:
    """One of them."""
    with services.reading() as session:
        return RefundCaseReply.model_validate(get_case(session, actor, case_id))


@router.post("/refund-cases/{case_id}/decision")
def decision(
    services: PortalServices, actor: CurrentActor, case_id: UUID, body: DecideRefundBody
) -> RefundedReply:
    """Give back a share of the charge, or nothing; the same decision again gives nothing more."""
    given = decide_refund_case(services, actor, case_id, percent=body.percent, reason=body.reason)
    return RefundedReply(by_asset=given.by_asset, is_new=given.is_new)


@router.post("/refund-cases/{case_id}/withdrawal")
def withdrawal(services: PortalServices, actor: CurrentActor, case_id: UUID) -> ChangedReply:
    """Take a case back that nobody has decided."""
    return ChangedReply(is_new=withdraw_refund_case(services, actor, case_id))


@router.get("/jobs/{job_id}/refunds")
def refunds_of_job(services: PortalServices, actor: CurrentActor, job_id: UUID) -> JobRefundsReply:
    """What came back to a job, what was asked, and what was never charged."""
    with services.reading() as session:
        return JobRefundsReply.model_validate(job_refunds(session, actor, job_id))


@router.post("/jobs/{job_id}/refunds", status_code=HTTPStatus.CREATED)
def raise_case(
    services: PortalServices, actor: CurrentActor, job_id: UUID, body: RaiseRefundBody
) -> RaisedReply:
    """Ask to get back a share of what an ended job was charged."""
    made = raise_refund_case(services, actor, job_id, percent=body.percent, reason=body.reason)
    return RaisedReply(id=made)
