"""What a submit would say right now: limits, room and budget, tried for real and rolled back."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import writing
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs import check_limits
from hpc_portal.app.jobs.prepare import PreparedJob
from hpc_portal.app.services import Services
from hpc_portal.app.storage.require_room import require_room
from quotas import pricing
from quotas.errors import BudgetExceeded, LimitExceeded, PriceListRetired, QuotaError, StorageExceeded
from quotas.hold import hold
from quotas.pricing import Estimate
from quotas.subsidies import Subsidy
from quotas.tables import Allocation


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it."""

    priced: Estimate
    refusals: tuple[QuotaError, ...]
    """Empty when it would be accepted."""
    payer_ends_at: datetime | None
    """When the budget ends that would pay; None where none would."""


def try_to_hold(services: Services, actor: Actor, prepared: PreparedJob) -> Trial:
    """Price the job and try to hold its budget; nothing is written.

    Raises:
        UnpricedResource: there is no price for something that it asks for.
    """
    subsidy = services.subsidies.get().of(prepared.project_id, services.clock.now())
    priced = price(services, prepared, subsidy)
    found: list[QuotaError] = []
    ends_at: datetime | None = None
    with writing(services.engine).connect() as connection:
        try:
            check_limits.require_within(
                connection, actor=actor, prepared=prepared, limited=services.limited.get()
            )
        except LimitExceeded as error:
            found.append(error)
        try:
            require_room(services, prepared.project_id, prepared.account)
        except StorageExceeded as error:
            found.append(error)
        try:
            held = hold(
                connection,
                project_id=prepared.project_id,
                job_id=new_id(),
                unit=priced.unit,
                units=priced.units,
                partition=prepared.spec.partition or "",
                price_list=services.price_list.get(),
                subsidy=subsidy,
                units_at_once=prepared.spec.array.throttle if prepared.spec.array else None,
                at=services.clock.now(),
            )
            ends_at = connection.execute(
                select(col(Allocation.valid_to)).where(col(Allocation.id) == held.allocation_id)
            ).scalar_one()
        except (BudgetExceeded, PriceListRetired) as error:
            found.append(error)
        connection.rollback()
    return Trial(priced, tuple(found), ends_at)


def price(services: Services, prepared: PreparedJob, subsidy: Subsidy) -> Estimate:
    """What it costs at most, at the prices in force."""
    spec = prepared.spec
    return pricing.estimate(
        spec.resources.tres,
        walltime_seconds=spec.resources.walltime_seconds or 0,
        tasks=spec.task_count,
        partition=spec.partition or "",
        price_list=services.price_list.get(),
        subsidy=subsidy,
    )
