"""Estimate: price, balance after, expected start and licence fit, before the click; writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import writing
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs import check_limits
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.prepare import PreparedJob, SubmitRequest, prepare_job
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job
from quotas import pricing
from quotas.balance import balance
from quotas.errors import BudgetExceeded, LimitExceeded, QuotaError
from quotas.hold import hold
from quotas.money import VND
from quotas.pricing import Estimate, PricedLine
from schedulers.cluster import ClusterSnapshot, Node, NodeState
from schedulers.jobspec import JobSpec
from schedulers.tres import Tres


@dataclass(frozen=True, slots=True)
class ExpectedStart:
    """When the first task would probably start, as a range, and why."""

    earliest: datetime
    latest: datetime | None
    """None when nothing bounds it."""
    reason: str
    """`Free`, `Resources`, `Priority`, `Licenses`, `NodesDown`: a word that pages translate."""


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
    needed: Mapping[Tres, int]
    """What would be held, by asset (TRES-seconds, and VND)."""
    available: Mapping[Tres, int]
    """What the project may still hold now, by asset."""
    expected_start: ExpectedStart
    licenses: tuple[LicenseFit, ...]
    refusals: tuple[QuotaError, ...]
    """Why a submit would be refused right now; empty when it would be accepted."""

    @property
    def obstacles(self) -> tuple[str, ...]:
        """The refusals as plain texts."""
        return tuple(map(str, self.refusals))

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
    priced = pricing.estimate(
        spec.resources.tres,
        walltime_seconds=spec.resources.walltime_seconds or 0,
        tasks=spec.task_count,
        partition=spec.partition or "",
        price_list=services.price_list.get(),
    )
    now = services.clock.now()
    with services.engine.connect() as connection:
        left = balance(connection, prepared.project_id, now).by_asset
        ahead = _pending_ahead(connection, prepared)
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
                vnd=line.vnd * priced.units,
            )
            for line in priced.unit_price.lines
        ),
        total_vnd=priced.vnd,
        needed={asset: amount for asset, amount in needed.items() if asset in available},
        available=available,
        expected_start=expected_start(spec, prepared.cluster, pending_ahead=ahead, now=now),
        licenses=_license_fits(spec, prepared.cluster),
        refusals=_refusals(services, actor, prepared, priced),
    )


def expected_start(
    spec: JobSpec, cluster: ClusterSnapshot, *, pending_ahead: int, now: datetime
) -> ExpectedStart:
    """A start range from what is free now; the queue bounds it from above by the partition's walltime."""
    partition = cluster.partition(spec.partition)
    nodes = [node for node in cluster.nodes if partition and node.name in partition.nodes]
    up = [node for node in nodes if node.state is NodeState.UP]
    if not up:
        return ExpectedStart(now, None, "NodesDown")
    longest = timedelta(seconds=partition.max_walltime_seconds if partition else 0)
    if any(fit.asked > fit.total - fit.used for fit in _license_fits(spec, cluster)):
        return ExpectedStart(now, now + longest, "Licenses")
    if sum(_has_free(spec, node) for node in up) < spec.resources.nodes:
        return ExpectedStart(now, now + longest, "Resources")
    if pending_ahead:
        return ExpectedStart(now, now + longest, "Priority")
    return ExpectedStart(now, now + timedelta(seconds=5), "Free")


def _has_free(spec: JobSpec, node: Node) -> bool:
    asked = spec.resources
    free = {name: total - node.allocated_gpus.get(name, 0) for name, total in node.gpus.items()}
    return (
        node.cpus - node.allocated_cpus >= asked.cpus_per_node
        and node.memory_mib - node.allocated_memory_mib >= asked.memory_mib_per_node
        and all(free.get(name, 0) >= count for name, count in asked.gpus_per_node.items() if name)
        and sum(free.values()) >= sum(asked.gpus_per_node.values())
    )


def _license_fits(spec: JobSpec, cluster: ClusterSnapshot) -> tuple[LicenseFit, ...]:
    known = {item.feature: item for item in cluster.licenses}
    return tuple(
        LicenseFit(feature, asked, known[feature].total, known[feature].used)
        for feature, asked in spec.resources.licenses.items()
        if feature in known
    )


def _refusals(
    services: Services, actor: Actor, prepared: PreparedJob, priced: Estimate
) -> tuple[QuotaError, ...]:
    """What a submit would say: tried for real in a transaction that is rolled back."""
    found: list[QuotaError] = []
    with writing(services.engine).connect() as connection:
        try:
            check_limits.require_within(connection, actor=actor, prepared=prepared)
        except LimitExceeded as error:
            found.append(error)
        try:
            hold(
                connection,
                project_id=prepared.project_id,
                job_id=new_id(),
                unit=priced.unit,
                units=priced.units,
                partition=prepared.spec.partition or "",
                price_list=services.price_list.get(),
                at=services.clock.now(),
            )
        except BudgetExceeded as error:
            found.append(error)
        connection.rollback()
    return tuple(found)


def _pending_ahead(connection: Connection, prepared: PreparedJob) -> int:
    """Jobs of the same partition of which something still waits."""
    waiting = col(Job.tasks_running) + col(Job.tasks_completed) + col(Job.tasks_failed) + col(
        Job.tasks_cancelled
    ) < col(Job.tasks_total)
    return connection.execute(
        select(func.count()).where(
            col(Job.scheduler) == prepared.cluster.name,
            col(Job.partition) == prepared.spec.partition,
            col(Job.phase).in_([Phase.ACCEPTED, Phase.DISPATCHING, Phase.TRACKED]),
            waiting,
        )
    ).scalar_one()
