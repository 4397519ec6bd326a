"""Submit: render, check, price, hold, insert; one transaction, no network."""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import IdempotencyKeyReused
from hpc_portal.app.events import Event
from hpc_portal.app.files.workspace import workspace_path
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs import check_limits
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.prepare import PreparedJob, SubmitRequest, prepare_job
from hpc_portal.app.jobs.wish import HeldBy
from hpc_portal.app.services import Services
from hpc_portal.app.tables import IdempotencyKey, Job
from quotas import pricing
from quotas.hold import hold
from quotas.pricing import Estimate, PriceList
from schedulers.jobspec import JobSpec

__all__ = ["SubmitRequest", "SubmittedJob", "submit_job"]


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    """The job, and whether this call made it."""

    job_id: UUID
    is_new: bool


class _KeyTaken(Exception):
    """Another process stored the same Idempotency-Key in this very moment."""


async def submit_job(services: Services, actor: Actor, request: SubmitRequest) -> SubmittedJob:
    """Store a job for good; on return it is committed, priced and its budget is held.

    The same idempotency key from the same person gives the same job, also from two processes at once.

    Raises:
        IdempotencyKeyReused: the key came before with another request.
        BudgetExceeded, LimitExceeded, UnpricedResource: from the quotas; nothing was stored.
        ProjectNotFound, NotAllowed, TenantNotActive, TemplateNotFound, InvalidParameters,
        InvalidSubmission, ClusterNotSeenYet: see `prepare_job`; nothing was stored.
    """
    if services.is_warm and not (request.spec and request.spec.dependencies):
        prepared = prepare_job(services, actor, request)  # from memory: a thread would cost more
    else:
        prepared = await asyncio.to_thread(prepare_job, services, actor, request)
    price_list = services.price_list.get()
    estimate = pricing.estimate(
        prepared.spec.resources.tres,
        walltime_seconds=prepared.spec.resources.walltime_seconds or 0,
        tasks=prepared.spec.task_count,
        partition=prepared.spec.partition or "",
        price_list=price_list,
    )
    submission = _Submission(services, actor, request, prepared, estimate, price_list)
    try:
        submitted = await services.commits.run(submission.store)
    except _KeyTaken:
        submitted = await services.commits.run(submission.store)
    if submitted.is_new:
        services.wake.notify()
    return submitted


_INSERT_JOB = {
    "postgresql": postgresql.insert(Job).on_conflict_do_nothing().returning(col(Job.id)),
    "sqlite": sqlite.insert(Job).on_conflict_do_nothing().returning(col(Job.id)),
}
_FIND_KEY = select(col(IdempotencyKey.job_id), col(IdempotencyKey.request_hash)).where(
    col(IdempotencyKey.user_id) == bindparam("user"), col(IdempotencyKey.key) == bindparam("key")
)
_KEY = col(IdempotencyKey.key)
_INSERT_KEY = {
    "postgresql": postgresql.insert(IdempotencyKey).on_conflict_do_nothing().returning(_KEY),
    "sqlite": sqlite.insert(IdempotencyKey).on_conflict_do_nothing().returning(_KEY),
}


@dataclass(frozen=True, slots=True)
class _Submission:
    """One submission on its way into the database; `store` may run several times."""

    services: Services
    actor: Actor
    request: SubmitRequest
    prepared: PreparedJob
    estimate: Estimate
    price_list: PriceList
    job_id: UUID = field(default_factory=new_id)
    """The same in every run: after a commit whose answer got lost, the job is found and not made again."""

    def store(self, connection: Connection) -> SubmittedJob:
        """Hold the budget and insert the job; all of it or, on any error, nothing."""
        key = self.request.idempotency_key
        if key and (job_id := self._stored_before(connection, key)):
            return SubmittedJob(job_id, is_new=False)
        now = self.services.clock.now()
        job_id, prepared, actor = self.job_id, self.prepared, self.actor
        check_limits.require_within(
            connection, actor=actor, prepared=prepared, limited=self.services.limited.get()
        )
        hold(
            connection,
            project_id=prepared.project_id,
            job_id=job_id,
            unit=self.estimate.unit,
            units=self.estimate.units,
            partition=prepared.spec.partition or "",
            price_list=self.price_list,
            at=now,
        )
        stored = connection.execute(_INSERT_JOB[connection.dialect.name], self._row(job_id))
        if stored.first() is None:
            return SubmittedJob(job_id, is_new=True)
        if key:
            self._store_key(connection, key, job_id)
        submitted = Event(job_id, prepared.project_id, "job.submitted", {"name": prepared.spec.name})
        events.record(connection, [submitted], at=now)
        return SubmittedJob(job_id, is_new=True)

    def _row(self, job_id: UUID) -> dict[str, Any]:
        prepared, actor, spec = self.prepared, self.actor, self.prepared.spec
        return {
            "id": job_id,
            "organisation_id": prepared.organisation_id,
            "project_id": prepared.project_id,
            "user_id": actor.user_id,
            "name": spec.name,
            "template": self.request.template,
            "parameters": prepared.parameters,
            "spec": spec.model_dump(mode="json", exclude_defaults=True),
            "workspace": workspace_path(
                organisation=prepared.organisation,
                account=prepared.account,
                cluster_user=prepared.cluster_user,
                job_id=job_id,
            ),
            "partition": spec.partition,
            "is_array": spec.array is not None,
            "phase": Phase.ACCEPTED,
            "state_reason": _first_reason(spec),
            "held_by": HeldBy.USER if spec.hold else None,
            "waits_for_jobs": bool(spec.dependencies),
            "scheduler": prepared.cluster.name,
            "submitted_at": self.services.clock.now(),
            "tasks_total": spec.task_count,
            "estimated_vnd": self.estimate.vnd,
        }

    def _stored_before(self, connection: Connection, key: str) -> UUID | None:
        stored = connection.execute(_FIND_KEY, {"user": self.actor.user_id, "key": key}).first()
        if stored is None:
            return None
        if stored.request_hash != _hash(self.request):
            raise IdempotencyKeyReused(key)
        return UUID(str(stored.job_id))

    def _store_key(self, connection: Connection, key: str, job_id: UUID) -> None:
        stored = connection.execute(
            _INSERT_KEY[connection.dialect.name],
            {
                "user_id": self.actor.user_id,
                "key": key,
                "request_hash": _hash(self.request),
                "job_id": job_id,
                "created_at": self.services.clock.now(),
            },
        )
        if stored.first() is None:
            raise _KeyTaken(key)


def _first_reason(spec: JobSpec) -> str:
    """Why it does not start at once, in the words of squeue(1); "" when nothing is in its way yet."""
    if spec.hold:
        return "JobHeldUser"
    return "Dependency" if spec.dependencies else ""


def _hash(request: SubmitRequest) -> str:
    """Of what was asked, not of the key; equal requests hash equally whatever the order of their fields."""
    content = {
        "project": request.project,
        "template": request.template,
        "parameters": dict(request.parameters) if request.parameters is not None else None,
        "spec": request.spec.model_dump(mode="json") if request.spec else None,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
