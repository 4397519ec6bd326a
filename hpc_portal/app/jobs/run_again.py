"""Run ended jobs again, several at once: what they would cost, then each as a new job of whoever asks."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import ChangeImpossible, InvalidEntry, PortalError, Problem
from hpc_portal.app.jobs.edit_script import generated_script
from hpc_portal.app.jobs.estimate import JobEstimate, estimate_job
from hpc_portal.app.jobs.prepare import SubmitRequest
from hpc_portal.app.jobs.queries import JobDetail, JobSummary, get_job
from hpc_portal.app.jobs.submit import submit_job
from hpc_portal.app.services import Services
from quotas.errors import QuotaError
from workloads.errors import WorkloadError
from workloads.template import N_

MOST_AT_ONCE = 50
MOST_KEY_CHARACTERS = 100
_REFUSALS = (PortalError, QuotaError, WorkloadError)


@dataclass(frozen=True, slots=True)
class PricedAgain:
    """An earlier job, and what it would cost to run it once more."""

    job: JobSummary
    estimate: JobEstimate | None
    """None where it cannot be submitted at all."""
    refusal: Exception | None
    """The first thing in its way now, taken alone."""


@dataclass(frozen=True, slots=True)
class PriceOfAll:
    """Of the jobs that nothing stands in the way of."""

    jobs: tuple[PricedAgain, ...]
    short: tuple[str, ...]
    """Accounts of projects that can pay for each of their jobs, but not for all of them together."""

    @property
    def going(self) -> tuple[JobEstimate, ...]:
        """What would be submitted."""
        return tuple(one.estimate for one in self.jobs if one.estimate and one.refusal is None)

    @property
    def total_vnd(self) -> int:
        """Net, at most."""
        return sum(estimate.total_vnd for estimate in self.going)

    @property
    def list_vnd(self) -> int:
        """Before what the city pays of it."""
        return sum(estimate.list_vnd for estimate in self.going)

    @property
    def subsidy_vnd(self) -> int:
        """What the city pays of it."""
        return sum(estimate.subsidy_vnd for estimate in self.going)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An earlier job that was not run again, and why."""

    job: JobSummary
    refusal: Exception


@dataclass(frozen=True, slots=True)
class RanAgain:
    """What came of it."""

    made: dict[UUID, UUID]
    """Earlier job -> its new one."""
    left_out: tuple[LeftOut, ...]


def price_again(services: Services, actor: Actor, job_ids: Sequence[UUID]) -> PriceOfAll:
    """What running jobs again would cost, each and together; writes nothing.

    Raises:
        JobNotFound: one does not exist or is not visible to the actor.
        InvalidEntry: none, or too many.
    """
    jobs = [_priced(services, actor, job, request) for job, request in _wanted(services, actor, job_ids)]
    return PriceOfAll(tuple(jobs), tuple(_short(jobs)))


async def run_again(services: Services, actor: Actor, job_ids: Sequence[UUID], *, key: str) -> RanAgain:
    """Submit each job once more, in this order: as it was asked for, at the prices in force now.

    The same key from the same person makes each job once, however often it is sent. Jobs that have not ended,
    or that are refused, are left out.

    Raises:
        JobNotFound: one does not exist or is not visible to the actor; nothing was submitted.
        InvalidEntry: none, too many, or no proper key; nothing was submitted.
    """
    if not 0 < len(key) <= MOST_KEY_CHARACTERS:
        raise InvalidEntry([Problem("key", N_("This does not go through twice only with a key of its own."))])
    made: dict[UUID, UUID] = {}
    left_out: list[LeftOut] = []
    for job, request in await asyncio.to_thread(_wanted, services, actor, job_ids, key):
        try:
            if isinstance(request, Exception):
                raise request
            made[job.id] = (await submit_job(services, actor, request)).job_id
        except _REFUSALS as refusal:
            left_out.append(LeftOut(job, refusal))
    return RanAgain(made, tuple(left_out))


def _wanted(
    services: Services, actor: Actor, job_ids: Sequence[UUID], key: str = ""
) -> list[tuple[JobDetail, SubmitRequest | ChangeImpossible]]:
    once = list(dict.fromkeys(job_ids))
    if not once:
        raise InvalidEntry([Problem("job_ids", N_("Choose at least one job."))])
    if len(once) > MOST_AT_ONCE:
        text = N_("At most %(most)s jobs are run again at once.")
        raise InvalidEntry([Problem("job_ids", text, {"most": MOST_AT_ONCE})])
    with services.reading() as session:
        jobs = [get_job(session, actor, job_id) for job_id in once]
        return [(job, _request(session, job, key)) for job in jobs]


def _request(session: Session, job: JobDetail, key: str) -> SubmitRequest | ChangeImpossible:
    if job.is_external:
        text = N_("It came to the cluster past the portal, which does not have its script.")
        return ChangeImpossible(Problem("job", text))
    if not job.is_over:
        return ChangeImpossible(Problem("job", N_("It has not ended yet.")))
    idempotency_key = f"again:{key}:{job.id}" if key else None
    if job.template is None:
        return SubmitRequest(project=job.project, spec=job.spec, idempotency_key=idempotency_key)
    is_edited = generated_script(session.connection(), job.id) is not None
    return SubmitRequest(
        project=job.project,
        template=job.template,
        parameters=job.parameters,
        script=job.spec.script if is_edited else None,
        idempotency_key=idempotency_key,
    )


def _priced(
    services: Services, actor: Actor, job: JobDetail, request: SubmitRequest | ChangeImpossible
) -> PricedAgain:
    if isinstance(request, ChangeImpossible):
        return PricedAgain(job, None, request)
    try:
        estimate = estimate_job(services, actor, request)
    except _REFUSALS as refusal:
        return PricedAgain(job, None, refusal)
    return PricedAgain(job, estimate, estimate.refusals[0] if estimate.refusals else None)


def _short(jobs: Sequence[PricedAgain]) -> list[str]:
    needed: dict[tuple[str, str], int] = defaultdict(int)
    left: dict[tuple[str, str], int] = {}
    for one in jobs:
        if one.estimate is None or one.refusal is not None:
            continue
        for asset, amount in one.estimate.needed.items():
            needed[one.job.project, asset] += amount
            left[one.job.project, asset] = one.estimate.available[asset]
    return sorted({project for (project, asset), amount in needed.items() if amount > left[project, asset]})
