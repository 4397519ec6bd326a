"""Charge what runs used, once each, and give back what is left of their holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from json import dumps
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from quotas.amounts import Asset
from quotas.checks import require_amounts, require_whole
from quotas.end_states import DEFAULT_POLICY, is_charged
from quotas.errors import InvalidAmount, KeyReused
from quotas.holds import HoldLeft, HoldLine, lock_hold, write_left
from quotas.journal import insert_once, move, move_within_overdraft, record_transfer
from quotas.money import VND, Vnd
from quotas.pricing import PriceList, price
from quotas.publish_prices import load_price_list
from quotas.tables import AccountingRecord, HoldState, TransferKind, table_of
from schedulers.jobstate import JobState
from schedulers.tres import Tres

_RECORDS = table_of(AccountingRecord)

_INSERT_RECORDS = {
    dialect: statement.returning(_RECORDS.c.run_key) for dialect, statement in insert_once(_RECORDS).items()
}
_STORED_RECORDS = select(
    _RECORDS.c.run_key,
    _RECORDS.c.job_id,
    _RECORDS.c.is_charged,
    _RECORDS.c.vnd,
    _RECORDS.c.content_hash,
).where(_RECORDS.c.run_key.in_(bindparam("keys", expanding=True)), _RECORDS.c.revision == 0)
_KEYS_PER_QUERY = 500
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


@dataclass(frozen=True, slots=True)
class _PricedRun:
    run: RunUsage
    is_charged: bool
    vnd: Vnd

    def uses(self, asset: Asset) -> int:
        if not self.is_charged:
            return 0
        return self.vnd if asset == VND else self.run.tres_seconds.get(asset, 0)


def settle_runs(
    conn: Connection,
    *,
    job_id: UUID,
    runs: Sequence[RunUsage],
    at: datetime,
    policy: Mapping[JobState, bool] = DEFAULT_POLICY,
) -> list[Charge]:
    """Record runs of one job that ended, charge them, and release the rest of the units they close.

    One transfer, however many runs. What a run used beyond its unit is taken from what is available, even
    below the overdraft: it was used. A run that closes no unit is charged and its unit topped up again;
    when the budget does not allow that, the hold stays short (see `quotas.hold.shortfall`).

    Runs may come in any order, twice, and after the hold was closed: the sums are the same. There is one
    charge for each distinct run_key, in the order given. The caller commits, or rolls back on any error.

    Raises:
        HoldNotFound: nothing was ever held for the job.
        InvalidAmount: a run that makes no sense.
        UnpricedResource: a run used something that the pinned price list does not price.
        KeyReused: a run_key belongs to another job.
    """
    distinct = list({run.run_key: run for run in reversed(runs)}.values())[::-1]
    for run in distinct:
        _require_sensible(run)
    lines = lock_hold(conn, job_id)
    if not distinct:
        return []
    price_list = load_price_list(conn, lines[0].price_list_id)
    priced = [_price(run, lines[0], price_list, policy) for run in distinct]
    new_keys = _insert_records(conn, priced, lines[0], at)
    known = [one for one in priced if one.run.run_key not in new_keys]
    stored = _stored_charges(conn, job_id, known) if known else {}
    if new := [one for one in priced if one.run.run_key in new_keys]:
        _post(conn, lines, new, at)
    return [
        stored.get(one.run.run_key) or Charge(one.run.run_key, one.vnd, one.is_charged, is_new=True)
        for one in priced
    ]


def _require_sensible(run: RunUsage) -> None:
    require_amounts(run.tres_seconds, allow_vnd=False)
    require_whole("elapsed_seconds", run.elapsed_seconds, most=_LONGEST_RUN_SECONDS)
    if not run.run_key or len(run.run_key) > _LONGEST_RUN_KEY:
        raise InvalidAmount("run_key", f"must have 1 to {_LONGEST_RUN_KEY} characters: {run.run_key!r}")
    if not run.state.is_terminal:
        raise InvalidAmount("state", f"{run.state} is no end")


def _price(
    run: RunUsage, line: HoldLine, price_list: PriceList, policy: Mapping[JobState, bool]
) -> _PricedRun:
    charged = is_charged(run.state, run.started_at, policy)
    vnd = price(run.tres_seconds, line.partition, price_list).total if charged else 0
    return _PricedRun(run, is_charged=charged, vnd=vnd)


def _insert_records(conn: Connection, priced: Sequence[_PricedRun], line: HoldLine, at: datetime) -> set[str]:
    """Write the records that are not there yet; their keys. The unique key decides, not a look before."""
    records = [
        {
            "run_key": one.run.run_key,
            "revision": 0,
            "job_id": line.job_id,
            "project_id": line.project_id,
            "user_id": one.run.user_id,
            "allocation_id": line.allocation_id,
            "price_list_id": line.price_list_id,
            "partition": line.partition,
            "state": one.run.state,
            "started_at": one.run.started_at,
            "ended_at": one.run.ended_at,
            "elapsed_seconds": one.run.elapsed_seconds,
            "tres_seconds": dict(one.run.tres_seconds),
            "is_charged": one.is_charged,
            "vnd": one.vnd,
            "content_hash": _content_hash(one.run),
            "recorded_at": at,
        }
        for one in priced
    ]
    return set(conn.execute(_INSERT_RECORDS[conn.dialect.name], records).scalars())


def _content_hash(run: RunUsage) -> str:
    instants = [None if at is None else at.timestamp() for at in (run.started_at, run.ended_at)]
    facts = [run.state, run.elapsed_seconds, sorted(run.tres_seconds.items()), instants, str(run.user_id)]
    return sha256(dumps(facts).encode()).hexdigest()


def _post(conn: Connection, lines: Sequence[HoldLine], new: Sequence[_PricedRun], at: datetime) -> None:
    """Move what the new runs used, and what is left of the units they closed."""
    left = []
    amounts: dict[int, int] = {}
    for line in lines:
        after, from_available = _pay(conn, line, new)
        left.append(after)
        amounts[line.available_id] = from_available
        amounts[line.held_id] = after.open_amount - line.open_amount
        amounts[line.consumed_id] = sum(one.uses(line.asset) for one in new)
    already_moved = {line.available_id for line in lines}
    move(conn, {account: amount for account, amount in amounts.items() if account not in already_moved})
    if any(amounts.values()):
        record_transfer(
            conn,
            kind=TransferKind.SETTLE,
            key=f"settle:{min(one.run.run_key for one in new)}",
            at=at,
            amounts=amounts,
            job_id=lines[0].job_id,
        )
    write_left(conn, left, closed_as=HoldState.SETTLED, at=at)


def _pay(conn: Connection, line: HoldLine, new: Sequence[_PricedRun]) -> tuple[HoldLeft, int]:
    """Change what is available for one line; what is left of its hold, and by how much that changed it.

    Held is brought to a full unit for each open one. What that needs beyond what is freed is a top-up,
    which must fit into the budget; what was used beyond the units must not: it is charged anyway.
    """
    used = sum(one.uses(line.asset) for one in new)
    units_open = max(line.units_open - sum(one.run.closes_unit for one in new), 0)
    full = units_open * line.unit_amount
    change = line.open_amount - full - used
    if change >= 0:
        move(conn, {line.available_id: change})
        return HoldLeft(line, units_open, full), change
    if move_within_overdraft(conn, line.available_id, change):
        return HoldLeft(line, units_open, full), change
    used_of_open_units = sum(
        min(one.uses(line.asset), line.unit_amount) for one in new if not one.run.closes_unit
    )
    kept = max(min(full, line.open_amount) - used_of_open_units, 0)
    change = line.open_amount - kept - used
    move(conn, {line.available_id: change})
    return HoldLeft(line, units_open, kept), change


def _stored_charges(conn: Connection, job_id: UUID, known: Sequence[_PricedRun]) -> dict[str, Charge]:
    """What runs that were settled before cost then."""
    by_key = {one.run.run_key: one.run for one in known}
    charges = {}
    keys = sorted(by_key)
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        rows = conn.execute(_STORED_RECORDS, {"keys": keys[start : start + _KEYS_PER_QUERY]})
        for row in rows:
            if row.job_id != job_id:
                raise KeyReused(row.run_key)
            is_revised = row.content_hash != _content_hash(by_key[row.run_key])
            charges[row.run_key] = Charge(
                row.run_key, row.vnd, row.is_charged, is_new=False, is_revised=is_revised
            )
    return charges
