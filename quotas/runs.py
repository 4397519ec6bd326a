"""What one run used, what it costs, and the row that records it for good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from json import dumps
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection

from quotas.amounts import Asset
from quotas.checks import require_amounts, require_whole
from quotas.end_states import EndRules
from quotas.errors import InvalidAmount
from quotas.fold_usage import UsageBatch
from quotas.journal import insert_once
from quotas.money import VND, Vnd
from quotas.pricing import PriceList, price
from quotas.slice_run import RecordedRun, recorded_run
from quotas.subsidies import Subsidy
from quotas.tables import AccountingRecord, table_of
from schedulers.jobstate import JobState
from schedulers.tres import Tres

_RECORDS = table_of(AccountingRecord)
_INSERT_RECORDS = {
    dialect: statement.returning(_RECORDS.c.run_key) for dialect, statement in insert_once(_RECORDS).items()
}
_LONGEST_RUN_KEY = 120
_LONGEST_RUN_SECONDS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RunUsage:
    """What one run (an attempt of one task) of a job used, and how it ended."""

    run_key: str
    """Unique for ever and over all clusters: the same key again charges nothing."""
    user_id: UUID
    tres_seconds: Mapping[Tres, int]
    """Allocated TRES x elapsed seconds; as in Slurm, typed GPUs also count in `gres/gpu`."""
    elapsed_seconds: int
    state: JobState
    started_at: datetime | None
    """None when it never started: nothing is charged."""
    ended_at: datetime
    closes_unit: bool
    """False when the run goes back to the queue: its unit stays held for the next attempt."""
    cluster: str = ""
    workload: str = ""
    """The template's name; "" for none."""
    used_cpu_seconds: int | None = None
    """What its processes used; None: nobody measured it."""
    gpu_busy_seconds: int | None = None
    """GPUs x seconds at work; None: nobody measured it."""
    peak_mem_mib: int | None = None
    """The most memory that it needed at once; None: nobody measured it."""
    waited_seconds: int | None = None
    """From when it could have started until it did; None: not known."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What one run costs."""

    run_key: str
    vnd: Vnd
    is_charged: bool
    """False for an end that is not paid for, such as NODE_FAIL."""
    is_new: bool
    """False when it was settled before; then `vnd` is what was charged then."""
    is_revised: bool = False
    """Settled before with other facts. The first ones stand until a correction is posted."""


class Payer(Protocol):
    """Who pays for a run, and at which prices."""

    @property
    def job_id(self) -> UUID:
        """The application's job."""
        ...

    @property
    def project_id(self) -> UUID:
        """Whose budget it is."""
        ...

    @property
    def allocation_id(self) -> UUID:
        """Where the budget is."""
        ...

    @property
    def price_list_id(self) -> int:
        """The prices."""
        ...

    @property
    def subsidy_rule_id(self) -> int | None:
        """The rule by which a part of the price is not asked for."""
        ...

    @property
    def partition(self) -> str:
        """Where it ran: partitions may have their own prices."""
        ...


@dataclass(frozen=True, slots=True)
class PricedRun:
    """A run, and what it costs."""

    run: RunUsage
    is_charged: bool
    free_seconds_per_job: int | None
    """Of a charged end: up to so many seconds of its job that ended so are given back at once."""
    list_vnd: Vnd
    subsidy_vnd: Vnd

    @property
    def vnd(self) -> Vnd:
        """Net: what is paid, exactly the list price less the subsidy."""
        return self.list_vnd - self.subsidy_vnd

    def uses(self, asset: Asset) -> int:
        """How much of an asset is paid for it."""
        if not self.is_charged:
            return 0
        return self.vnd if asset == VND else self.run.tres_seconds.get(asset, 0)


def require_sensible(run: RunUsage) -> None:
    """Refuse a run that makes no sense.

    Raises:
        InvalidAmount: it does not.
    """
    require_amounts(run.tres_seconds, allow_vnd=False)
    require_whole("elapsed_seconds", run.elapsed_seconds, most=_LONGEST_RUN_SECONDS)
    for name in ("used_cpu_seconds", "gpu_busy_seconds", "peak_mem_mib", "waited_seconds"):
        if (amount := getattr(run, name)) is not None:
            require_whole(name, amount)
    if not run.run_key or len(run.run_key) > _LONGEST_RUN_KEY:
        raise InvalidAmount("run_key", "must have 1 to %(most)s characters", most=_LONGEST_RUN_KEY)
    if not run.state.is_terminal:
        raise InvalidAmount("state", "%(state)s is no end", state=str(run.state))


def price_run(
    run: RunUsage, partition: str, price_list: PriceList, subsidy: Subsidy, rules: EndRules
) -> PricedRun:
    """What a run costs, if its end is one that is paid for.

    Raises:
        UnpricedResource: it used something that has no price.
    """
    if not rules.is_charged(run.state, run.started_at):
        return PricedRun(run, is_charged=False, free_seconds_per_job=None, list_vnd=0, subsidy_vnd=0)
    bill = price(run.tres_seconds, partition, price_list, subsidy)
    return PricedRun(
        run,
        is_charged=True,
        free_seconds_per_job=rules.free_seconds.get(run.state),
        list_vnd=bill.list_vnd,
        subsidy_vnd=bill.subsidy_vnd,
    )


def content_hash(run: RunUsage) -> str:
    """Of the facts that a run is charged by: the same run with another hash is a revision."""
    instants = [None if at is None else at.timestamp() for at in (run.started_at, run.ended_at)]
    facts = [run.state, run.elapsed_seconds, sorted(run.tres_seconds.items()), instants, str(run.user_id)]
    return sha256(dumps(facts).encode()).hexdigest()


def insert_records(  # noqa: PLR0913 - the facts of records, by keyword
    conn: Connection,
    priced: Sequence[PricedRun],
    payer: Payer,
    at: datetime,
    *,
    usage: UsageBatch,
    revision: int = 0,
    before: RecordedRun | None = None,
) -> set[str]:
    """Write the records that are not there yet; their keys. The unique key decides, not a look before.

    What they used goes into the batch, which the caller folds; in place of `before`, where it is given.
    """
    records = {
        one.run.run_key: {
            "run_key": one.run.run_key,
            "revision": revision,
            "job_id": payer.job_id,
            "project_id": payer.project_id,
            "user_id": one.run.user_id,
            "allocation_id": payer.allocation_id,
            "price_list_id": payer.price_list_id,
            "partition": payer.partition,
            "state": one.run.state,
            "started_at": one.run.started_at,
            "ended_at": one.run.ended_at,
            "elapsed_seconds": one.run.elapsed_seconds,
            "tres_seconds": dict(one.run.tres_seconds),
            "is_charged": one.is_charged,
            "free_seconds_per_job": one.free_seconds_per_job,
            "vnd": one.vnd,
            "subsidy_rule_id": payer.subsidy_rule_id,
            "subsidy_vnd": one.subsidy_vnd,
            "content_hash": content_hash(one.run),
            "recorded_at": at,
            "open_from": usage.open_from(conn),
            "cluster": one.run.cluster,
            "workload": one.run.workload,
            "used_cpu_seconds": one.run.used_cpu_seconds,
            "gpu_busy_seconds": one.run.gpu_busy_seconds,
            "peak_mem_mib": one.run.peak_mem_mib,
            "waited_seconds": one.run.waited_seconds,
        }
        for one in priced
    }
    new = set(conn.execute(_INSERT_RECORDS[conn.dialect.name], list(records.values())).scalars())
    if before is not None and new:
        usage.take_back(before)
    for key, record in records.items():
        if key in new:
            usage.add(recorded_run(record))
    return new
