"""Set more aside for a job that is under way: its walltime grew, or requeued runs used what it held."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select

from quotas.amounts import Asset
from quotas.checks import require_amounts
from quotas.errors import BudgetExceeded, Shortage
from quotas.holds import HoldLine, lock_hold, write_size
from quotas.journal import move, move_within_overdraft, record_transfer
from quotas.money import VND
from quotas.pricing import price
from quotas.publish_prices import load_price_list
from quotas.set_subsidy import load_subsidy
from quotas.standing import may_pay
from quotas.tables import Allocation, LedgerAccount, Project, Transfer, TransferKind, table_of
from schedulers.tres import Tres

_PROJECTS = table_of(Project)
_ALLOCATIONS = table_of(Allocation)
_ACCOUNTS = table_of(LedgerAccount)
_TRANSFERS = table_of(Transfer)

_PAYER = (
    select(_PROJECTS.c.account)
    .join_from(_ALLOCATIONS, _PROJECTS, _PROJECTS.c.id == _ALLOCATIONS.c.project_id)
    .where(_ALLOCATIONS.c.id == bindparam("allocation"))
)
_PROMISABLE = select(_ACCOUNTS.c.balance + _ACCOUNTS.c.overdraft).where(_ACCOUNTS.c.id == bindparam("id"))
_HOLDS_BEFORE = (
    select(func.count())
    .select_from(_TRANSFERS)
    .where(_TRANSFERS.c.job_id == bindparam("job"), _TRANSFERS.c.kind == TransferKind.HOLD)
)


def top_up_hold(
    conn: Connection, *, job_id: UUID, at: datetime, unit: Mapping[Tres, int] | None = None
) -> dict[Asset, int]:
    """Hold every open unit of a job in full, each of them at least `unit` large; what that took, by asset.

    Of a rolling hold, as many units as it sets aside at a time, or more if more are.

    `unit` is TRES x seconds of one task, as in `hold`, such as the request times a longer walltime; it is
    priced at the job's pinned prices. Without it, only what requeued runs used is set aside anew. Units
    never shrink: what a shorter walltime does not need is released when the job settles.

    It says how large the hold should be, not by how much it should grow: again is fine, and takes nothing.
    A hold that was closed stays closed. The caller commits.

    Raises:
        BudgetExceeded: its allocation has not enough left, or may not be used now; nothing is changed.
        HoldNotFound: nothing was ever held for the job.
        InvalidAmount: a number that makes no sense; nothing is changed.
        UnpricedResource: the pinned price list does not price something in `unit`; nothing is changed.
    """
    require_amounts(unit or {}, allow_vnd=False)
    lines = lock_hold(conn, job_id)
    units = _raised_units(conn, lines, unit or {})
    lacking = {line.asset: line.units_held * units[line.asset] - line.open_amount for line in lines}
    if any(lacking.values()):
        _take(conn, lines, lacking, at)
        set_aside(conn, lines, units, lacking, at)
    return {asset: amount for asset, amount in lacking.items() if amount}


def _raised_units(
    conn: Connection, lines: Sequence[HoldLine], unit: Mapping[Tres, int]
) -> Mapping[Asset, int]:
    amounts: dict[Asset, int] = dict(unit)
    if unit:
        price_list = load_price_list(conn, lines[0].price_list_id)
        subsidy = load_subsidy(conn, lines[0].subsidy_rule_id)
        amounts[VND] = price(unit, lines[0].partition, price_list, subsidy).total
    return {line.asset: max(line.unit_amount, amounts.get(line.asset, 0)) for line in lines}


def _take(conn: Connection, lines: Sequence[HoldLine], lacking: Mapping[Asset, int], at: datetime) -> None:
    """Take all of it from what is available, or nothing."""
    left = promisable(conn, lines, at)
    refused = [line for line in lines if lacking[line.asset] > left[line.asset]]
    if not refused and (line := take_all(conn, lines, lacking)) is not None:
        refused = [line]
    if refused:
        payer = conn.execute(_PAYER, {"allocation": refused[0].allocation_id}).scalar_one()
        worst, *also = (Shortage(line.asset, left[line.asset], lacking[line.asset]) for line in refused)
        raise BudgetExceeded(payer, worst.asset, worst.available, worst.needed, also=also)


def promisable(conn: Connection, lines: Sequence[HoldLine], at: datetime) -> dict[Asset, int]:
    """What each line of a job's allocation can still set aside; nothing when it may not be used now."""
    if not may_pay(conn, lines[0].allocation_id, at):
        return {line.asset: 0 for line in lines}
    return {
        line.asset: max(conn.execute(_PROMISABLE, {"id": line.available_id}).scalar_one(), 0)
        for line in lines
    }


def take_all(conn: Connection, lines: Sequence[HoldLine], lacking: Mapping[Asset, int]) -> HoldLine | None:
    """Take what each line lacks from what is available; else nothing, and return the line with too little."""
    taken: dict[int, int] = {}
    for line in lines:
        if not (needed := lacking[line.asset]):
            continue
        if not move_within_overdraft(conn, line.available_id, -needed):
            move(conn, taken)
            return line
        taken[line.available_id] = needed
    return None


def set_aside(
    conn: Connection,
    lines: Sequence[HoldLine],
    units: Mapping[Asset, int],
    lacking: Mapping[Asset, int],
    at: datetime,
) -> None:
    """Hold what was taken; each open unit is as large as `units` says from now on."""
    held = {line.held_id: lacking[line.asset] for line in lines}
    move(conn, held)
    job_id = lines[0].job_id
    number = conn.execute(_HOLDS_BEFORE, {"job": job_id}).scalar_one()  # exact: the hold is locked
    record_transfer(
        conn,
        kind=TransferKind.HOLD,
        key=f"top-up:{job_id}:{number}",
        at=at,
        amounts=held | {line.available_id: -lacking[line.asset] for line in lines},
        job_id=job_id,
        reason="topped up",
    )
    amounts = {line.asset: line.open_amount + lacking[line.asset] for line in lines}
    write_size(conn, lines, units=units, amounts=amounts)
