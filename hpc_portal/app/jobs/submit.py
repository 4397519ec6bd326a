"""Submit: render, check, price, hold, insert; one transaction, no network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hpc_portal.app.actor import Actor
from hpc_portal.app.services import Services
from schedulers.jobspec import JobSpec


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """What a person asks for: a template with parameters, or a complete JobSpec; exactly one of them."""

    project: str
    """The project's account name: who pays."""
    template: str | None = None
    parameters: Mapping[str, Any] | None = None
    spec: JobSpec | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    """The job, and whether this call made it."""

    job_id: UUID
    is_new: bool


async def submit_job(services: Services, actor: Actor, request: SubmitRequest) -> SubmittedJob:
    """Store a job for good; on return it is committed, priced and its budget is held."""
    raise NotImplementedError((services, actor, request))
