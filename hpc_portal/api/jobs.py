"""Submit, price, list, look at and cancel jobs."""

from http import HTTPStatus
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from hpc_portal.api.job_change_schemas import CancelBody, CancelReply
from hpc_portal.api.job_schemas import (
    EstimateReply,
    EventReply,
    ExpectedStartReply,
    JobDetailReply,
    JobReply,
    PendingReasonReply,
    SubmitBody,
    SubmittedReply,
    TaskReply,
    WaitedForLicenseReply,
    WaitedForLimitReply,
)
from hpc_portal.api.problems import said_to
from hpc_portal.api.schemas import PageReply
from hpc_portal.app.errors import InvalidSubmission
from hpc_portal.app.jobs import journal, queries
from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.estimate import estimate_job
from hpc_portal.app.jobs.job_filter import JobFilter
from hpc_portal.app.jobs.lifecycle import JobOrigin
from hpc_portal.app.jobs.since import begin_of
from hpc_portal.app.jobs.start_of_waiting import start_of_waiting
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.jobs.waiting import why_waiting
from hpc_portal.app.licenses.waiting import licenses_waited_for
from hpc_portal.app.limits.in_use import limit_waited_for
from hpc_portal.auth.deps import CurrentActor, PortalServices
from schedulers.instant import Instant
from schedulers.jobstate import JobState

AnyJobReply = TypeVar("AnyJobReply", bound=JobReply)

router = APIRouter(tags=["jobs"])

Limit = Annotated[int, Query(ge=1, le=500)]
AcceptLanguage = Annotated[str, Header(max_length=200)]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=200)]


@router.post(
    "/jobs",
    status_code=HTTPStatus.CREATED,
    responses={
        200: {"model": SubmittedReply, "description": "The same Idempotency-Key made this job before"}
    },
)
async def submit(
    services: PortalServices,
    actor: CurrentActor,
    body: SubmitBody,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> SubmittedReply:
    """Submit a job. When the answer arrives it is stored for good, priced, and its budget is held.

    Send an `Idempotency-Key` of your own making: the same key gives the same job, however often it is sent.
    """
    submitted = await submit_job(services, actor, _request(body, idempotency_key))
    response.headers["location"] = f"/api/v1/jobs/{submitted.job_id}"
    if not submitted.is_new:
        response.status_code = HTTPStatus.OK
    return SubmittedReply(id=submitted.job_id, is_new=submitted.is_new)


@router.post("/jobs/estimate")
def estimate(
    request: Request, services: PortalServices, actor: CurrentActor, body: SubmitBody
) -> EstimateReply:
    """Price, balance after it, expected start and licence fit of a job; writes nothing."""
    found = estimate_job(services, actor, _request(body, None))
    reply = EstimateReply.model_validate(found)
    told = (said_to(request, error) for error in found.refusals)
    reply.obstacles = [
        said.detail if said else text for said, text in zip(told, found.obstacles, strict=True)
    ]
    if found.remarks and (said := said_to(request, InvalidSubmission(found.remarks))):
        reply.notes = list(said.messages)
    return reply


@router.post("/jobs/cancel")
def cancel_several(services: PortalServices, actor: CurrentActor, body: CancelBody) -> CancelReply:
    """Ask for several jobs to be cancelled: all of them or, when one may not be, none."""
    return CancelReply(cancelled=request_cancel(services, actor, body.job_ids))


@router.get("/jobs")
def list_jobs(  # noqa: PLR0913 - one argument for each filter
    *,
    services: PortalServices,
    actor: CurrentActor,
    state: Annotated[list[JobState] | None, Query()] = None,
    project: str = "",
    user: str = "",
    name: str = "",
    submitted_after: Instant | None = None,
    since: str = "",
    cluster: str = "",
    origin: JobOrigin | None = None,
    cursor: UUID | None = None,
    limit: Limit = 50,
    accept_language: AcceptLanguage = "",
) -> PageReply[JobReply]:
    """The jobs that you may see, newest first.

    `since` says in words what `submitted_after` says as an instant, and is read without that: `today`, `7d`,
    `30d`, or a day such as `2026-11-26`.
    """
    wanted = JobFilter(
        states=state or (),
        project=project,
        user=user,
        name=name,
        submitted_after=submitted_after or begin_of(since, now=services.clock.now()),
        cluster=cluster,
        origin=origin,
    )
    with services.reading() as session:
        page = queries.list_jobs(session, actor, wanted, cursor=cursor, limit=limit)
    return PageReply(
        items=[_job_reply(JobReply, item, accept_language) for item in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/jobs/{job_id}")
def show(
    services: PortalServices, actor: CurrentActor, job_id: UUID, accept_language: AcceptLanguage = ""
) -> JobDetailReply:
    """One job with what was asked."""
    with services.reading() as session:
        job = queries.get_job(session, actor, job_id)
        reply = _job_reply(JobDetailReply, job, accept_language)
        if limit := limit_waited_for(session.connection(), job, job.spec):
            reply.waits_for_limit = WaitedForLimitReply.model_validate(limit)
        waits = licenses_waited_for(session.connection(), actor, job)
        if start := start_of_waiting(services, session.connection(), job):
            reply.expected_start = ExpectedStartReply.model_validate(start)
        reply.waits_for_licenses = [WaitedForLicenseReply.model_validate(wait) for wait in waits]
        return reply


@router.post("/jobs/{job_id}/cancel")
def cancel(services: PortalServices, actor: CurrentActor, job_id: UUID) -> CancelReply:
    """Ask for a job to be cancelled; one that is over, or asked before, is no error."""
    return CancelReply(cancelled=request_cancel(services, actor, [job_id]))


@router.get("/jobs/{job_id}/tasks")
def list_tasks(  # noqa: PLR0913 - a filter and a page
    *,
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    state: Annotated[list[JobState] | None, Query()] = None,
    cursor: Annotated[int, Query(ge=-1, lt=2**31)] = -1,
    limit: Limit = 200,
) -> PageReply[TaskReply]:
    """The newest attempt of each task that was started, by index; pending ones are only counted."""
    with services.reading() as session:
        page = queries.list_tasks(session, actor, job_id, states=state or (), after_index=cursor, limit=limit)
    return PageReply(
        items=[TaskReply.model_validate(item) for item in page.items], next_cursor=page.next_cursor
    )


@router.get("/jobs/{job_id}/events")
def list_events(
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    cursor: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Limit = 200,
) -> PageReply[EventReply]:
    """What happened to a job, oldest first."""
    with services.reading() as session:
        page = journal.job_events(session, actor, job_id, after=cursor, limit=limit)
    return PageReply(
        items=[EventReply.model_validate(item) for item in page.items], next_cursor=page.next_cursor
    )


def _job_reply(kind: type[AnyJobReply], job: queries.JobSummary, accept_language: str) -> AnyJobReply:
    """The job with its pending reason in words."""
    reply = kind.model_validate(job)
    waiting = why_waiting(job, accept_language[:2].lower())
    if waiting:
        reply.pending_reason = PendingReasonReply.model_validate(waiting)
    return reply


def _request(body: SubmitBody, idempotency_key: str | None) -> SubmitRequest:
    return SubmitRequest(
        project=body.project,
        template=body.template,
        parameters=body.parameters,
        script=body.script,
        spec=body.spec,
        idempotency_key=idempotency_key,
    )
