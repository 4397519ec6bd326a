"""Estimate: price, balance after, expected start and licence fit, before the click; writes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.clusters import is_out
from hpc_portal.app.db import writing
from hpc_portal.app.errors import Problem
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs import check_limits
from hpc_portal.app.jobs.expected_start import ExpectedStart, WorkAhead, expected_start
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.prepare import PreparedJob, SubmitRequest, prepare_job
from hpc_portal.app.requests.shortage import Shortage, may_be_asked_for
from hpc_portal.app.services import Services
from hpc_portal.app.storage.require_room import require_room
from hpc_portal.app.tables import Job
from quotas import pricing
from quotas.balance import balance
from quotas.errors import (
    BudgetExceeded,
    LimitExceeded,
    PriceListRetired,
    QuotaError,
    StorageExceeded,
)
from quotas.hold import hold
from quotas.money import VND
from quotas.pricing import Estimate, PricedLine
from quotas.subsidies import Subsidy
from quotas.tables import Allocation
from schedulers.cluster import ClusterSnapshot
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.tres import Tres, add, times
from schedulers.units import CITY_TIME


@dataclass(frozen=True, slots=True)
class LicenseFit:
    """One licence feature that the job needs."""

    feature: str
    asked: int
    total: int
    used: int


@dataclass(frozen=True, slots=True)
class JobEstimate:
    """What a person sees before they submit."""

    spec: JobSpec
    tasks: int
    walltime_is_default: bool
    lines: tuple[PricedLine, ...]
    """Of all tasks together, at most."""
    total_vnd: int
    """Net: the list price less the subsidy."""
    list_vnd: int
    subsidy_vnd: int
    needed: Mapping[Tres, int]
    """What would be held, by asset (TRES-seconds, and VND)."""
    available: Mapping[Tres, int]
    """What the project may still hold now, by asset."""
    expected_start: ExpectedStart
    licenses: tuple[LicenseFit, ...]
    refusals: tuple[QuotaError, ...]
    """Why a submit would be refused right now; empty when it would be accepted."""
    remarks: tuple[Problem, ...]
    """What will be otherwise than asked, although nothing is wrong with it."""

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks as plain texts."""
        return tuple(remark.message for remark in self.remarks)

    @property
    def obstacles(self) -> tuple[str, ...]:
        """The refusals as plain texts."""
        return tuple(map(str, self.refusals))

    @property
    def shortages(self) -> tuple[Shortage, ...]:
        """What is missing of the budget, so that it can be asked for."""
        return tuple(
            Shortage.of(error)
            for error in self.refusals
            if isinstance(error, BudgetExceeded) and may_be_asked_for(error)
        )

    @property
    def available_after(self) -> dict[Tres, int]:
        """What would be left, by asset; negative where it is not enough."""
        return {asset: left - self.needed.get(asset, 0) for asset, left in self.available.items()}


def estimate_job(services: Services, actor: Actor, request: SubmitRequest) -> JobEstimate:
    """What a job would cost and when it would start.

    A budget or limit that is too small is told in `obstacles`, not raised: the person is still choosing.

    Raises:
        The errors of `prepare_job`, and UnpricedResource.
    """
    prepared = prepare_job(services, actor, request)
    spec = prepared.spec
    now = services.clock.now()
    subsidy = services.subsidies.get().of(prepared.project_id, now)
    priced = pricing.estimate(
        spec.resources.tres,
        walltime_seconds=spec.resources.walltime_seconds or 0,
        tasks=spec.task_count,
        partition=spec.partition or "",
        price_list=services.price_list.get(),
        subsidy=subsidy,
    )
    with services.engine.connect() as connection:
        left = balance(connection, prepared.project_id, now).by_asset
        ahead = _work_ahead(connection, prepared)
    refusals, payer = _try(services, actor, prepared, priced, subsidy)
    available = {asset: line.promisable for asset, line in left.items()}
    needed = {**priced.tres_seconds, VND: priced.vnd}
    return JobEstimate(
        spec=spec,
        tasks=priced.units,
        walltime_is_default=prepared.walltime_is_default,
        lines=tuple(
            PricedLine(
                tres=line.tres,
                tres_seconds=line.tres_seconds * priced.units,
                rate_vnd_per_hour=line.rate_vnd_per_hour,
                list_vnd=line.list_vnd * priced.units,
                subsidy_vnd=line.subsidy_vnd * priced.units,
            )
            for line in priced.unit_price.lines
        ),
        total_vnd=priced.vnd,
        list_vnd=priced.list_vnd,
        subsidy_vnd=priced.subsidy_vnd,
        needed={asset: amount for asset, amount in needed.items() if asset in available},
        available=available,
        expected_start=(
            ExpectedStart(now, None, "SchedulerUnavailable")
            if is_out(services, prepared.cluster.name)
            else expected_start(spec, prepared.cluster, ahead, now=now)
        ),
        licenses=_license_fits(spec, prepared.cluster),
        refusals=refusals,
        remarks=(*prepared.notes, *_ends_before(payer, now, spec.resources.walltime_seconds or 0)),
    )


def _license_fits(spec: JobSpec, cluster: ClusterSnapshot) -> tuple[LicenseFit, ...]:
    known = {item.feature: item for item in cluster.licenses}
    return tuple(
        LicenseFit(feature, asked, known[feature].total, known[feature].used)
        for feature, asked in spec.resources.licenses.items()
        if feature in known
    )


def _try(
    services: Services, actor: Actor, prepared: PreparedJob, priced: Estimate, subsidy: Subsidy
) -> tuple[tuple[QuotaError, ...], datetime | None]:
    """What a submit would say, and when the budget ends that would pay: tried for real, and rolled back."""
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
    return tuple(found), ends_at


def _ends_before(payer_ends_at: datetime | None, now: datetime, walltime_seconds: int) -> Iterator[Problem]:
    """A job that may outlive its budget is let through: what is held for it stays, and nothing is added."""
    if payer_ends_at is not None and now + timedelta(seconds=walltime_seconds) > payer_ends_at:
        yield Problem(
            "walltime_seconds",
            "The budget that pays for it ends on %(day)s, before the job may have ended. What is held for it "
            "stays until it ends; what requeued or later tasks need then is not there.",
            {"day": (payer_ends_at - timedelta(microseconds=1)).astimezone(CITY_TIME).date().isoformat()},
        )


def _work_ahead(connection: Connection, prepared: PreparedJob) -> WorkAhead:
    """What the same partition has to do before; of a very long queue, only its front is added up."""
    rows = connection.execute(
        _UNDER_WAY, {"cluster": prepared.cluster.name, "partition": prepared.spec.partition}
    )
    work: dict[Tres, int] = {}
    longest = waiting = 0
    for spec, total, running, ended in rows:
        asked = ResourceRequest.model_validate(spec.get("resources", {}))
        walltime = asked.walltime_seconds or 0
        work = add(work, times(asked.tres, walltime * (total - ended)))
        longest = max(longest, walltime)
        waiting += total - ended - running
    return WorkAhead(work, longest, waiting)


_UNDER_WAY = (
    select(
        col(Job.spec),
        col(Job.tasks_total),
        col(Job.tasks_running),
        col(Job.tasks_completed) + col(Job.tasks_failed) + col(Job.tasks_cancelled),
    )
    .where(
        col(Job.scheduler) == bindparam("cluster"),
        col(Job.partition) == bindparam("partition"),
        col(Job.phase).in_([Phase.ACCEPTED, Phase.DISPATCHING, Phase.TRACKED]),
    )
    .order_by(col(Job.id))
    .limit(1000)
)
