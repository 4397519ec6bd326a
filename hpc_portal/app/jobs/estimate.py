"""Estimate: price, balance after, expected start and licence fit, before the click; writes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hpc_portal.app.actor import Actor
from hpc_portal.app.clusters import is_out
from hpc_portal.app.errors import Problem
from hpc_portal.app.jobs.expected_start import ExpectedStart, expected_start
from hpc_portal.app.jobs.prepare import SubmitRequest, prepare_job
from hpc_portal.app.jobs.try_to_hold import try_to_hold
from hpc_portal.app.jobs.ways_to_pay import WaysToPay, ways_to_pay
from hpc_portal.app.jobs.work_ahead import work_ahead
from hpc_portal.app.requests.shortage import Shortage, may_be_asked_for
from hpc_portal.app.services import Services
from quotas.balance import balance
from quotas.errors import BudgetExceeded, QuotaError
from quotas.money import VND
from quotas.pricing import PricedLine
from schedulers.cluster import ClusterSnapshot
from schedulers.jobspec import JobSpec
from schedulers.tres import Tres
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
    ways_to_pay: WaysToPay
    """Ways out where the budget is too small."""

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
    tried = try_to_hold(services, actor, prepared)
    priced = tried.priced
    with services.engine.connect() as connection:
        left = balance(connection, prepared.project_id, now).by_asset
        ahead = work_ahead(connection, cluster=prepared.cluster.name, partition=spec.partition or "")
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
        refusals=tried.refusals,
        remarks=(
            *prepared.notes,
            *_ends_before(tried.payer_ends_at, now, spec.resources.walltime_seconds or 0),
        ),
        ways_to_pay=ways_to_pay(services, actor, request, prepared, tried.refusals),
    )


def _license_fits(spec: JobSpec, cluster: ClusterSnapshot) -> tuple[LicenseFit, ...]:
    known = {item.feature: item for item in cluster.licenses}
    return tuple(
        LicenseFit(feature, asked, known[feature].total, known[feature].used)
        for feature, asked in spec.resources.licenses.items()
        if feature in known
    )


def _ends_before(payer_ends_at: datetime | None, now: datetime, walltime_seconds: int) -> Iterator[Problem]:
    """A job that may outlive its budget is let through: what is held for it stays, and nothing is added."""
    if payer_ends_at is not None and now + timedelta(seconds=walltime_seconds) > payer_ends_at:
        yield Problem(
            "walltime_seconds",
            "The budget that pays for it ends on %(day)s, before the job may have ended. What is held for it "
            "stays until it ends; what requeued or later tasks need then is not there.",
            {"day": (payer_ends_at - timedelta(microseconds=1)).astimezone(CITY_TIME).date().isoformat()},
        )
