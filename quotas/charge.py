"""Charge a run for which nothing was held, and correct what any run was charged by the difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import Connection, RowMapping, bindparam, select

from quotas.amounts import Asset
from quotas.coverage import demanded, uncovered
from quotas.end_states import DEFAULT_RULES, EndRules
from quotas.errors import KeyReused, NothingCovers
from quotas.fold_usage import UsageBatch
from quotas.give_back_lost_time import give_back_lost_time, refunds_due
from quotas.journal import NewTransfer, record_and_move
from quotas.money import VND, Vnd
from quotas.publish_prices import current_price_list, load_price_list
from quotas.refunded import lock_charges
from quotas.runs import Charge, PricedRun, RunUsage, content_hash, insert_records, price_run, require_sensible
from quotas.set_subsidy import load_subsidy, subsidy_of
from quotas.slice_run import recorded_run
from quotas.tables import (
    AccountingRecord,
    Allocation,
    AllocationLine,
    AllocationState,
    LedgerAccount,
    Project,
    TransferKind,
    table_of,
)

_PROJECTS = table_of(Project)
_ALLOCATIONS = table_of(Allocation)
_LINES = table_of(AllocationLine)
_ACCOUNTS = table_of(LedgerAccount)
_RECORDS = table_of(AccountingRecord)

_LINES_THEN = (
    select(
        _LINES.c.allocation_id,
        _LINES.c.asset,
        _LINES.c.available_id,
        _LINES.c.consumed_id,
        (_ACCOUNTS.c.balance + _ACCOUNTS.c.overdraft).label("promisable"),
    )
    .join_from(_ALLOCATIONS, _LINES, _LINES.c.allocation_id == _ALLOCATIONS.c.id)
    .join(_ACCOUNTS, _ACCOUNTS.c.id == _LINES.c.available_id)
    .where(
        _ALLOCATIONS.c.project_id == bindparam("project"),
        _ALLOCATIONS.c.state != AllocationState.PENDING,
        _ALLOCATIONS.c.valid_from <= bindparam("at"),
        _ALLOCATIONS.c.valid_to > bindparam("at"),
    )
    .order_by(_ALLOCATIONS.c.valid_to, _ALLOCATIONS.c.id, _LINES.c.available_id)
)
_LATEST = (
    select(_RECORDS)
    .where(_RECORDS.c.run_key == bindparam("key"))
    .order_by(_RECORDS.c.revision.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class DirectCharge:
    """What a run without a hold cost, and which allocation paid."""

    allocation_id: UUID
    charge: Charge
    vnd_change: Vnd
    """By how much this call changed what the job was charged."""
    counted_change: Mapping[Asset, int]
    """By how much it changed what was recorded as used, charged or not."""


@dataclass(frozen=True, slots=True)
class _Line:
    allocation_id: UUID
    asset: Asset
    available_id: int
    consumed_id: int
    promisable: int


@dataclass(frozen=True, slots=True)
class _Payer:
    job_id: UUID
    project_id: UUID
    allocation_id: UUID
    price_list_id: int
    subsidy_rule_id: int | None
    partition: str


def charge_run(  # noqa: PLR0913 - the facts of a charge, all by keyword
    conn: Connection,
    *,
    job_id: UUID,
    project_id: UUID,
    partition: str,
    run: RunUsage,
    at: datetime,
    allocation_id: UUID | None = None,
    rules: EndRules = DEFAULT_RULES,
    usage: UsageBatch | None = None,
) -> DirectCharge:
    """Take what a run used from what is available, even below zero, at the prices of when it started.

    It is subsidised as then, too. `allocation_id` pays if that one covered the time and the resources, else
    the one that expires first of those that still have enough, else the last one. The same facts again
    change nothing; other facts of the same run post only the difference, as a new revision. Given a batch,
    the caller folds it into the roll-ups, last in the same transaction. The caller commits.

    Raises:
        NothingCovers: no allocation of that time can pay for it; nothing is changed.
        NoPriceList, UnpricedResource: it cannot be priced; nothing is changed.
        InvalidAmount: a run that makes no sense.
        KeyReused: the run_key belongs to another job.
    """
    require_sensible(run)
    if conn.execute(_LATEST, {"key": run.run_key}).first() is not None:
        return _correct(conn, run, job_id=job_id, at=at, rules=rules, usage=usage)
    then = run.started_at or run.ended_at
    prices = current_price_list(conn, then)
    subsidy = subsidy_of(conn, project_id, then)
    priced = price_run(run, partition, prices, subsidy, rules)
    lines = _paying_lines(conn, project_id, priced, then, allocation_id)
    payer = _Payer(job_id, project_id, lines[0].allocation_id, prices.id, subsidy.rule_id, partition)
    batch = usage or UsageBatch()
    if priced.free_seconds_per_job:
        lock_charges(conn, job_id)
    if not insert_records(conn, [priced], payer, at, usage=batch):
        raise KeyReused(run.run_key)  # by somebody else, in this very moment
    amounts = {line.asset: priced.uses(line.asset) for line in lines}
    record_and_move(conn, _moves(lines, amounts, TransferKind.SETTLE, f"charge:{run.run_key}", at, job_id))
    if priced.free_seconds_per_job:
        give_back_lost_time(conn, job_id=job_id, key=f"{run.run_key}:0", at=at)
    if usage is None:
        batch.fold(conn)
    charge = Charge(run.run_key, priced.vnd, priced.is_charged, is_new=True)
    return DirectCharge(payer.allocation_id, charge, priced.vnd, dict(run.tres_seconds))


def correct_run(  # noqa: PLR0913 - the facts of a correction, by keyword
    conn: Connection,
    *,
    job_id: UUID,
    run: RunUsage,
    at: datetime,
    rules: EndRules = DEFAULT_RULES,
    usage: UsageBatch | None = None,
) -> DirectCharge:
    """Post by how much a settled run differs from what was charged, from and to the allocation that paid.

    The newest facts again change nothing. What is still held for the job stays held. Given a batch, the
    caller folds it into the roll-ups, last in the same transaction. The caller commits.

    Raises:
        LookupError: the run was never settled.
        InvalidAmount, UnpricedResource: the facts make no sense, or cannot be priced; nothing is changed.
        KeyReused: the run_key belongs to another job.
    """
    require_sensible(run)
    if conn.execute(_LATEST, {"key": run.run_key}).first() is None:
        raise LookupError(run.run_key)
    return _correct(conn, run, job_id=job_id, at=at, rules=rules, usage=usage)


def _correct(  # noqa: PLR0913 - the facts of a correction, by keyword
    conn: Connection,
    run: RunUsage,
    *,
    job_id: UUID,
    at: datetime,
    rules: EndRules,
    usage: UsageBatch | None,
) -> DirectCharge:
    """Post the difference to the newest revision, at its prices and from its lines.

    Of two who tell of one run at the same instant, the second waits, and sees what the first wrote.
    """
    lock_charges(conn, job_id)
    stored = conn.execute(_LATEST, {"key": run.run_key}).mappings().one()
    before = _Stored(**{name: stored[name] for name in _Stored.__slots__})
    if before.job_id != job_id:
        raise KeyReused(run.run_key)
    if before.content_hash == content_hash(run):
        charge = Charge(run.run_key, before.vnd, before.is_charged, is_new=False)
        return DirectCharge(before.allocation_id, charge, 0, {})
    prices = load_price_list(conn, before.price_list_id)
    subsidy = load_subsidy(conn, before.subsidy_rule_id)
    priced = price_run(run, before.partition, prices, subsidy, _as_decided(stored, run, rules))
    revision = before.revision + 1
    batch = usage or UsageBatch()
    counted = recorded_run(dict(stored))
    if not insert_records(conn, [priced], before, at, usage=batch, revision=revision, before=counted):
        raise KeyReused(run.run_key)
    lines = _lines_of(conn, before.allocation_id)
    amounts = {line.asset: priced.uses(line.asset) - before.uses(line.asset) for line in lines}
    key = f"{run.run_key}:{revision}"
    difference = _moves(lines, amounts, TransferKind.CORRECT, f"correct:{key}", at, job_id)
    record_and_move(conn, [*difference, *refunds_due(conn, job_id=job_id, key=key, at=at)])
    if usage is None:
        batch.fold(conn)
    assets = before.tres_seconds.keys() | run.tres_seconds.keys()
    changed = {a: run.tres_seconds.get(a, 0) - before.tres_seconds.get(a, 0) for a in assets}
    charge = Charge(run.run_key, priced.vnd, priced.is_charged, is_new=False, is_revised=True)
    return DirectCharge(before.allocation_id, charge, priced.vnd - before.vnd, changed)


def _as_decided(stored: RowMapping, run: RunUsage, rules: EndRules) -> EndRules:
    """Rules of ends may have changed since: an end that is still the same stays paid for, or free."""
    is_same_end = stored["state"] == run.state and (stored["started_at"] is None) == (run.started_at is None)
    if not is_same_end:
        return rules
    free = stored["free_seconds_per_job"]
    return EndRules({run.state: stored["is_charged"]}, {run.state: free} if free else {})


@dataclass(frozen=True, slots=True)
class _Stored:
    """The newest revision of a run."""

    job_id: UUID
    project_id: UUID
    allocation_id: UUID
    price_list_id: int
    subsidy_rule_id: int | None
    partition: str
    revision: int
    content_hash: str
    is_charged: bool
    vnd: Vnd
    tres_seconds: Mapping[Asset, int]

    def uses(self, asset: Asset) -> int:
        if not self.is_charged:
            return 0
        return self.vnd if asset == VND else self.tres_seconds.get(asset, 0)


def _paying_lines(
    conn: Connection, project_id: UUID, priced: PricedRun, then: datetime, wanted: UUID | None
) -> Sequence[_Line]:
    rows = conn.execute(_LINES_THEN, {"project": project_id, "at": then})
    every = [
        tuple(lines) for _, lines in groupby((_Line(*row) for row in rows), lambda line: line.allocation_id)
    ]
    used = priced.run.tres_seconds if priced.is_charged else {}
    covering = [lines for lines in every if uncovered(used, {line.asset for line in lines}) is None]
    if not covering:
        account = conn.execute(select(_PROJECTS.c.account).where(_PROJECTS.c.id == project_id)).scalar()
        missing = [uncovered(used, {line.asset for line in lines}) for lines in every]
        raise NothingCovers(str(account or project_id), missing[-1] or "" if missing else demanded(used)[0])
    chosen = [lines for lines in covering if lines[0].allocation_id == wanted]
    enough = [
        lines for lines in covering if all(priced.uses(line.asset) <= line.promisable for line in lines)
    ]
    return (*chosen, *enough, covering[-1])[0]


def _lines_of(conn: Connection, allocation_id: UUID) -> Sequence[_Line]:
    rows = conn.execute(
        select(_LINES.c.allocation_id, _LINES.c.asset, _LINES.c.available_id, _LINES.c.consumed_id)
        .where(_LINES.c.allocation_id == allocation_id)
        .order_by(_LINES.c.available_id)
    )
    return [_Line(*row, promisable=0) for row in rows]


def _moves(  # noqa: PLR0913, PLR0917 - the facts of one transfer
    lines: Sequence[_Line],
    amounts: Mapping[Asset, int],
    kind: TransferKind,
    key: str,
    at: datetime,
    job_id: UUID,
) -> Sequence[NewTransfer]:
    """From available to consumed, or back where amounts are negative; nothing where all are zero."""
    moved = {line.available_id: -amounts[line.asset] for line in lines}
    moved |= {line.consumed_id: amounts[line.asset] for line in lines}
    return [NewTransfer(kind, key, at, moved, job_id)] if any(moved.values()) else []
