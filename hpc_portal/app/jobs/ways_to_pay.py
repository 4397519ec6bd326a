"""Ways out when a budget is too small: another project that can pay, a walltime that fits; no writes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from hpc_portal.app.accounts.queries import ProjectRecord, list_visible_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import PortalError
from hpc_portal.app.jobs.prepare import PreparedJob, SubmitRequest, prepare_job
from hpc_portal.app.jobs.try_to_hold import try_to_hold
from hpc_portal.app.services import Services
from quotas.errors import BudgetExceeded, QuotaError, StorageExceeded
from quotas.tables import TenantState
from workloads.errors import WorkloadError

_MOST_PROJECTS = 3
_MOST_TRIED = 8
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class WaysToPay:
    """What would let the job through; tried for real."""

    projects: tuple[str, ...] = ()
    """Account names of other projects of the person that can pay for it now."""
    walltime_seconds: int | None = None
    """The longest that this project can pay for, in whole minutes; None: not even one, or it is not that."""


def ways_to_pay(
    services: Services,
    actor: Actor,
    request: SubmitRequest,
    prepared: PreparedJob,
    refusals: Iterable[QuotaError],
) -> WaysToPay:
    """What to offer instead; nothing where no budget is too small, for then something else is in the way."""
    short = [error for error in refusals if isinstance(error, BudgetExceeded)]
    if not short:
        return WaysToPay()
    accounts: list[str] = []
    for account in _others(services, actor, prepared.account):
        if _would_go(services, actor, replace(request, project=account)):
            accounts.append(account)
        if len(accounts) == _MOST_PROJECTS:
            break
    shorter = None
    if not any(isinstance(error, StorageExceeded) for error in short):
        shorter = _walltime_that_fits(services, actor, prepared, short[0])
    return WaysToPay(tuple(accounts), shorter)


def takes_jobs(project: ProjectRecord) -> bool:
    """Whether to offer it to this person: not what is closed for good, nor the parts of their students."""
    is_open = project.state is not TenantState.CLOSED
    return project.may_submit and is_open and not project.is_students_part


def _others(services: Services, actor: Actor, account: str) -> Iterator[str]:
    with services.reading() as session:
        projects = list_visible_projects(session, actor)
    names = (one.account for one in projects if takes_jobs(one) and one.account != account)
    yield from list(names)[:_MOST_TRIED]


def _would_go(services: Services, actor: Actor, request: SubmitRequest) -> bool:
    try:
        return not try_to_hold(services, actor, prepare_job(services, actor, request)).refusals
    except (PortalError, QuotaError, WorkloadError):
        return False


def _walltime_that_fits(
    services: Services, actor: Actor, prepared: PreparedJob, error: BudgetExceeded
) -> int | None:
    """In proportion to what is there, in whole minutes; then tried, for prices are rounded."""
    asked = prepared.spec.resources.walltime_seconds or 0
    share = min(Fraction(max(0, one.available), one.needed) for one in error.shortages)
    minutes = int(asked * share) // _MINUTE
    for shorter in (minutes * _MINUTE, (minutes - 1) * _MINUTE):
        if shorter <= 0 or shorter >= asked:
            continue
        resources = prepared.spec.resources.model_copy(update={"walltime_seconds": shorter})
        spec = prepared.spec.model_copy(update={"resources": resources})
        if not try_to_hold(services, actor, replace(prepared, spec=spec)).refusals:
            return shorter
    return None
