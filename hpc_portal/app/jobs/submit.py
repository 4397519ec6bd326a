"""Submit: render, check, price, then store; no network, and one transaction that others may share."""

import asyncio
from dataclasses import replace

import structlog

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import PortalError
from hpc_portal.app.jobs.origin import origin_here
from hpc_portal.app.jobs.prepare import PreparedJob, SubmitRequest, prepare_job
from hpc_portal.app.jobs.store_together import (
    KeyTaken,
    Submission,
    SubmittedJob,
    find_repeated,
    store_together,
)
from hpc_portal.app.services import Services
from hpc_portal.app.storage.require_room import require_room
from hpc_portal.app.telemetry import spans
from hpc_portal.app.telemetry.instruments import JOBS_SUBMITTED
from quotas import pricing
from quotas.errors import PriceListRetired, QuotaError
from workloads.errors import WorkloadError

log = structlog.get_logger()

__all__ = ["SubmitRequest", "SubmittedJob", "submit_job"]


async def submit_job(services: Services, actor: Actor, request: SubmitRequest) -> SubmittedJob:
    """Store a job for good; on return it is committed, priced and its budget is held.

    The same idempotency key from the same person gives the same job, also from two processes at once, and
    also when by now the job would be refused.

    Raises:
        IdempotencyKeyReused: the key came before with another request.
        BudgetExceeded, StorageExceeded, LimitExceeded, UnpricedResource: from the quotas; nothing was stored.
        ProjectNotFound, NotAllowed, TenantNotActive, TemplateNotFound, InvalidParameters,
        InvalidSubmission, ClusterNotSeenYet: see `prepare_job`; nothing was stored.
    """
    with spans.span("job.submit"):
        return await _submit_job(services, actor, request)


async def _submit_job(services: Services, actor: Actor, request: SubmitRequest) -> SubmittedJob:
    try:
        with spans.span("job.prepare"):
            prepared = await _prepare(services, actor, request)
    except (PortalError, QuotaError, WorkloadError):
        stored = await asyncio.to_thread(find_repeated, services, actor, request)
        if stored is None:
            raise
        return stored
    submission = replace(prepared, origin=origin_here())
    with spans.span("job.store"):
        submitted = await _store(services, actor, request, submission)
    cluster = submission.prepared.cluster.name
    spans.note(
        {"hpc.job.id": str(submitted.job_id), "hpc.cluster": cluster, "hpc.job.is_new": submitted.is_new}
    )
    if submitted.is_new:
        services.wake.notify()
        JOBS_SUBMITTED.labels(cluster).inc()
        log.info("job.submitted", job_id=str(submitted.job_id), cluster=cluster)  # beside the request's id
    return submitted


async def _store(
    services: Services, actor: Actor, request: SubmitRequest, submission: Submission
) -> SubmittedJob:
    try:
        return await services.commits.run_together(store_together, submission)
    except KeyTaken:
        return await services.commits.run_together(store_together, submission)
    except PriceListRetired:
        services.price_list.forget()
        anew = replace(
            await _prepare(services, actor, request), job_id=submission.job_id, origin=submission.origin
        )
        return await services.commits.run_together(store_together, anew)


async def _prepare(services: Services, actor: Actor, request: SubmitRequest) -> Submission:
    asks_the_database = (request.spec and request.spec.dependencies) or "@" in (request.template or "")
    if services.is_warm and not asks_the_database:
        prepared = _prepare_job(services, actor, request)  # from memory: a thread would cost more
    else:
        prepared = await asyncio.to_thread(_prepare_job, services, actor, request)
    price_list = services.price_list.get()
    subsidy = services.subsidies.get().of(prepared.project_id, services.clock.now())
    estimate = pricing.estimate(
        prepared.spec.resources.tres,
        walltime_seconds=prepared.spec.resources.walltime_seconds or 0,
        tasks=prepared.spec.task_count,
        partition=prepared.spec.partition or "",
        price_list=price_list,
        subsidy=subsidy,
    )
    return Submission(services, actor, request, prepared, estimate, price_list, subsidy)


def _prepare_job(services: Services, actor: Actor, request: SubmitRequest) -> PreparedJob:
    prepared = prepare_job(services, actor, request)
    require_room(services, prepared.project_id, prepared.account)
    return prepared
