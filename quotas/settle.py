"""Charge what runs used, once each, and give back what is left of their holds."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from quotas.end_states import DEFAULT_RULES, EndRules
from quotas.errors import KeyReused
from quotas.fold_usage import UsageBatch
from quotas.give_back_lost_time import give_back_lost_time
from quotas.hold_tables import HoldState
from quotas.holds import HoldLeft, HoldLine, lock_hold, window, write_left
from quotas.journal import move, move_within_overdraft, record_transfer
from quotas.publish_prices import load_price_list
from quotas.refunded import lock_charges
from quotas.runs import (
    Charge,
    PricedRun,
    RunUsage,
    content_hash,
    insert_records,
    price_run,
    require_sensible,
)
from quotas.set_subsidy import load_subsidy
from quotas.standing import may_pay
from quotas.tables import AccountingRecord, TransferKind, table_of

__all__ = ["Charge", "RunUsage", "settle_runs"]

_RECORDS = table_of(AccountingRecord)

_STORED_RECORDS = select(
    _RECORDS.c.run_key,
    _RECORDS.c.job_id,
    _RECORDS.c.is_charged,
    _RECORDS.c.vnd,
    _RECORDS.c.content_hash,
).where(_RECORDS.c.run_key.in_(bindparam("keys", expanding=True)), _RECORDS.c.revision == 0)
_KEYS_PER_QUERY = 500


def settle_runs(  # noqa: PLR0913 - the facts of a charge, all by keyword
    conn: Connection,
    *,
    job_id: UUID,
    runs: Sequence[RunUsage],
    at: datetime,
    rules: EndRules = DEFAULT_RULES,
    usage: UsageBatch | None = None,
) -> list[Charge]:
    """Record runs of one job that ended, charge them, and release the rest of the units they close.

    One transfer, however many runs. What a run used beyond its unit is taken from what is available, even
    below the overdraft: it was used. A run that closes no unit is charged and its unit topped up again;
    when the budget does not allow that, the hold stays short (see `quotas.hold.shortfall`). Time that the
    rules let nobody pay for is given back at once.

    Runs may come in any order, twice, and after the hold was closed: the sums are the same. There is one
    charge for each distinct run_key, in the order given. Given a batch, the caller folds it into the
    roll-ups, last in the same transaction. The caller commits, or rolls back on any error.

    Raises:
        HoldNotFound: nothing was ever held for the job.
        InvalidAmount: a run that makes no sense.
        UnpricedResource: a run used something that the pinned price list does not price.
        KeyReused: a run_key belongs to another job.
    """
    distinct = list({run.run_key: run for run in reversed(runs)}.values())[::-1]
    for run in distinct:
        require_sensible(run)
    if any(rules.free_seconds.get(run.state) for run in distinct):
        lock_charges(conn, job_id)
    lines = lock_hold(conn, job_id)
    if not distinct:
        return []
    price_list = load_price_list(conn, lines[0].price_list_id)
    subsidy = load_subsidy(conn, lines[0].subsidy_rule_id)
    priced = [price_run(run, lines[0].partition, price_list, subsidy, rules) for run in distinct]
    batch = usage or UsageBatch()
    new_keys = insert_records(conn, priced, lines[0], at, usage=batch)
    known = [one for one in priced if one.run.run_key not in new_keys]
    stored = _stored_charges(conn, job_id, known) if known else {}
    if new := [one for one in priced if one.run.run_key in new_keys]:
        _post(conn, lines, new, at)
        if any(one.free_seconds_per_job for one in new):
            give_back_lost_time(conn, job_id=job_id, key=f"{min(new_keys)}:0", at=at)
    if usage is None:
        batch.fold(conn)
    return [
        stored.get(one.run.run_key) or Charge(one.run.run_key, one.vnd, one.is_charged, is_new=True)
        for one in priced
    ]


def _post(conn: Connection, lines: Sequence[HoldLine], new: Sequence[PricedRun], at: datetime) -> None:
    """Move what the new runs used, and what is left of the units they closed."""
    left = []
    amounts: dict[int, int] = {}
    rolls = lines[0].units_at_once is not None and may_pay(conn, lines[0].allocation_id, at)
    for line in lines:
        after, from_available = _pay(conn, line, new, rolls=rolls)
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


def _pay(conn: Connection, line: HoldLine, new: Sequence[PricedRun], *, rolls: bool) -> tuple[HoldLeft, int]:
    """Change what is available for one line; what is left of its hold, and by how much that changed it.

    Held is brought to a full unit for each one that is to be set aside. What that needs beyond what is freed
    is a top-up, which must fit into the budget; what was used beyond the units need not: it is charged.
    """
    used = sum(one.uses(line.asset) for one in new)
    closed = min(sum(one.run.closes_unit for one in new), line.units_open)
    units_open = line.units_open - closed
    secure = _secure(line, closed)
    goes_on = rolls or line.units_at_once is None
    full = max(window(units_open, line.units_at_once) * line.unit_amount, secure) if goes_on else secure
    change = line.open_amount - full - used
    if change >= 0:
        move(conn, {line.available_id: change})
        return HoldLeft(line, units_open, full), change
    if move_within_overdraft(conn, line.available_id, change):
        return HoldLeft(line, units_open, full), change
    used_of_open_units = sum(
        min(one.uses(line.asset), line.unit_amount) for one in new if not one.run.closes_unit
    )
    kept = max(secure - used_of_open_units, 0)
    change = line.open_amount - kept - used
    move(conn, {line.available_id: change})
    return HoldLeft(line, units_open, kept), change


def _secure(line: HoldLine, closed: int) -> int:
    """What is set aside for the units that stay open, before anything is topped up.

    A unit of a rolling hold that closes was itself set aside, and others may be that run beside it.
    """
    most = (line.units_open - closed) * line.unit_amount
    if line.units_at_once is None:
        return min(most, line.open_amount)
    return min(most, max(line.open_amount - closed * line.unit_amount, 0))


def _stored_charges(conn: Connection, job_id: UUID, known: Sequence[PricedRun]) -> dict[str, Charge]:
    """What runs that were settled before cost then."""
    by_key = {one.run.run_key: one.run for one in known}
    charges = {}
    keys = sorted(by_key)
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        rows = conn.execute(_STORED_RECORDS, {"keys": keys[start : start + _KEYS_PER_QUERY]})
        for row in rows:
            if row.job_id != job_id:
                raise KeyReused(row.run_key)
            is_revised = row.content_hash != content_hash(by_key[row.run_key])
            charges[row.run_key] = Charge(
                row.run_key, row.vnd, row.is_charged, is_new=False, is_revised=is_revised
            )
    return charges
