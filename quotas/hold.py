"""Set budget aside for a job, so that what is promised can be paid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import groupby
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select

from quotas.amounts import Asset
from quotas.checks import require_amounts, require_whole
from quotas.coverage import demanded, uncovered
from quotas.errors import BudgetExceeded, KeyReused
from quotas.journal import move, move_within_overdraft, record_transfer
from quotas.money import VND, Vnd
from quotas.pricing import PriceList, price
from quotas.tables import (
    Allocation,
    AllocationLine,
    AllocationState,
    HoldState,
    LedgerAccount,
    Project,
    QuotaHold,
    TransferKind,
    table_of,
)
from schedulers.tres import Tres

_MOST_UNITS = 10**6
_PROJECTS = table_of(Project)
_ALLOCATIONS = table_of(Allocation)
_LINES = table_of(AllocationLine)
_ACCOUNTS = table_of(LedgerAccount)
_HOLDS = table_of(QuotaHold)

_USABLE_LINES = (
    select(
        _LINES.c.allocation_id,
        _LINES.c.asset,
        _LINES.c.available_id,
        _LINES.c.held_id,
        (_ACCOUNTS.c.balance + _ACCOUNTS.c.overdraft).label("promisable"),
    )
    .join_from(_ALLOCATIONS, _LINES, _LINES.c.allocation_id == _ALLOCATIONS.c.id)
    .join(_ACCOUNTS, _ACCOUNTS.c.id == _LINES.c.available_id)
    .where(
        _ALLOCATIONS.c.project_id == bindparam("project"),
        _ALLOCATIONS.c.state == AllocationState.ACTIVE,
        _ALLOCATIONS.c.valid_from <= bindparam("at"),
        _ALLOCATIONS.c.valid_to > bindparam("at"),
    )
    .order_by(_ALLOCATIONS.c.valid_to, _ALLOCATIONS.c.id, _LINES.c.available_id)
)
_STORED_HOLD = select(_HOLDS).where(_HOLDS.c.job_id == bindparam("job"))
_INSERT_HOLD = insert(_HOLDS)


@dataclass(frozen=True, slots=True)
class Held:
    """What is set aside for a job."""

    job_id: UUID
    allocation_id: UUID
    units: int
    by_asset: Mapping[Asset, int]
    """In every asset of the allocation; VND only where it has a line for it."""
    vnd_total: Vnd
    """The price of it all, whether or not the allocation has a line for VND."""


@dataclass(frozen=True, slots=True)
class _Request:
    job_id: UUID
    project_id: UUID
    unit: Mapping[Asset, int]
    """With the price of a unit under VND."""
    units: int
    partition: str
    price_list_id: int
    at: datetime

    def needs(self, asset: Asset) -> int:
        return self.unit.get(asset, 0) * self.units


@dataclass(frozen=True, slots=True)
class _Line:
    allocation_id: UUID
    asset: Asset
    available_id: int
    held_id: int
    promisable: int


@dataclass(frozen=True, slots=True)
class _Shortage:
    asset: Asset
    available: int
    needed: int


def hold(  # noqa: PLR0913 - the facts of a hold, all by keyword
    conn: Connection,
    *,
    project_id: UUID,
    job_id: UUID,
    unit: Mapping[Tres, int],
    units: int,
    partition: str,
    price_list: PriceList,
    at: datetime,
) -> Held:
    """Move `units` x `unit` from available to held in one allocation, the one that expires first.

    A unit is TRES x seconds of one array task, or of a job that is no array. It touches every line of the
    allocation; a CPU, GPU or licence for which there is no line must be covered by a line for VND. The
    partition and the price list are pinned: the job settles at them. The same job again returns what was
    held for it first. The caller commits.

    Raises:
        BudgetExceeded: no allocation has enough; nothing is changed.
        UnpricedResource: something has no price; nothing is changed.
        InvalidAmount: a number that makes no sense; nothing is changed.
        KeyReused: the job has a hold for another project or of another size.
    """
    require_amounts(unit, allow_vnd=False)
    require_whole("units", units, least=1, most=_MOST_UNITS)
    unit_vnd = price(unit, partition, price_list).total
    request = _Request(job_id, project_id, {**unit, VND: unit_vnd}, units, partition, price_list.id, at)
    shortages = []
    for lines in _usable_allocations(conn, request):
        shortage = _shortage(lines, request) or _take(conn, lines, request)
        if not shortage:
            return _write_hold(conn, lines, request)
        shortages.append(shortage)
    if stored := _held_before(conn, request):
        return stored
    raise _refusal(conn, shortages or [_nothing_for(demanded(request.unit)[0], request)], request)


def shortfall(conn: Connection, job_id: UUID) -> dict[Asset, int]:
    """What a job's hold lacks, by asset: requeued runs used it and the budget could not top it up.

    Not empty means: the rest of the job should wait for more quota.
    """
    rows = conn.execute(_STORED_HOLD, {"job": job_id}).all()
    lacking = {row.asset: row.units_open * row.unit_amount - row.open_amount for row in rows}
    return {asset: amount for asset, amount in lacking.items() if amount}


def _usable_allocations(conn: Connection, request: _Request) -> Iterator[Sequence[_Line]]:
    rows = conn.execute(_USABLE_LINES, {"project": request.project_id, "at": request.at})
    for _, lines in groupby((_Line(*row) for row in rows), key=lambda line: line.allocation_id):
        yield tuple(lines)


def _shortage(lines: Sequence[_Line], request: _Request) -> _Shortage | None:
    """Why this allocation cannot pay, as far as what was read tells."""
    if (name := uncovered(request.unit, {line.asset for line in lines})) is not None:
        return _nothing_for(name, request)
    for line in lines:
        needed = request.needs(line.asset)
        if needed > max(line.promisable, 0):
            return _Shortage(line.asset, max(line.promisable, 0), needed)
    return None


def _nothing_for(name: Asset, request: _Request) -> _Shortage:
    return _Shortage(name, 0, request.needs(name))


def _take(conn: Connection, lines: Sequence[_Line], request: _Request) -> _Shortage | None:
    """Take all that is needed from available, or nothing: somebody else was faster since we read."""
    taken: dict[int, int] = {}
    for line in lines:
        needed = request.needs(line.asset)
        if not needed:
            continue
        if not move_within_overdraft(conn, line.available_id, -needed):
            move(conn, taken)
            return _Shortage(line.asset, _promisable(conn, line.available_id), needed)
        taken[line.available_id] = needed
    return None


def _promisable(conn: Connection, available_id: int) -> int:
    now = select(_ACCOUNTS.c.balance + _ACCOUNTS.c.overdraft).where(_ACCOUNTS.c.id == available_id)
    promisable: int = conn.execute(now).scalar_one()
    return max(promisable, 0)


def _write_hold(conn: Connection, lines: Sequence[_Line], request: _Request) -> Held:
    needed = {line.asset: request.needs(line.asset) for line in lines}
    taken = {line.available_id: -needed[line.asset] for line in lines}
    set_aside = {line.held_id: needed[line.asset] for line in lines}
    transfer = record_transfer(
        conn,
        kind=TransferKind.HOLD,
        key=f"hold:{request.job_id}",
        at=request.at,
        amounts=taken | set_aside,
        job_id=request.job_id,
    )
    if transfer is None:
        move(conn, {account: -amount for account, amount in taken.items()})
        return _require_held_before(conn, request)
    move(conn, set_aside)
    conn.execute(_INSERT_HOLD, [_hold_row(line, request) for line in lines])
    return Held(
        job_id=request.job_id,
        allocation_id=lines[0].allocation_id,
        units=request.units,
        by_asset=needed,
        vnd_total=request.needs(VND),
    )


def _hold_row(line: _Line, request: _Request) -> dict[str, object]:
    return {
        "job_id": request.job_id,
        "allocation_id": line.allocation_id,
        "asset": line.asset,
        "project_id": request.project_id,
        "partition": request.partition,
        "price_list_id": request.price_list_id,
        "unit_amount": request.unit.get(line.asset, 0),
        "units_total": request.units,
        "units_open": request.units,
        "open_amount": request.needs(line.asset),
        "state": HoldState.OPEN,
        "held_at": request.at,
        "closed_at": None,
    }


def _held_before(conn: Connection, request: _Request) -> Held | None:
    rows = conn.execute(_STORED_HOLD, {"job": request.job_id}).all()
    if not rows:
        return None
    if any(row.project_id != request.project_id or row.units_total != request.units for row in rows):
        raise KeyReused(f"hold:{request.job_id}")
    return Held(
        job_id=request.job_id,
        allocation_id=rows[0].allocation_id,
        units=request.units,
        by_asset={row.asset: row.unit_amount * row.units_total for row in rows},
        vnd_total=request.needs(VND),
    )


def _require_held_before(conn: Connection, request: _Request) -> Held:
    stored = _held_before(conn, request)
    if stored is None:
        raise KeyReused(f"hold:{request.job_id}")
    return stored


def _refusal(conn: Connection, shortages: Sequence[_Shortage], request: _Request) -> BudgetExceeded:
    """About the allocation that comes closest."""
    closest = max(shortages, key=lambda shortage: Fraction(shortage.available, shortage.needed or 1))
    account = conn.execute(select(_PROJECTS.c.account).where(_PROJECTS.c.id == request.project_id)).scalar()
    return BudgetExceeded(
        str(account or request.project_id), closest.asset, closest.available, closest.needed
    )
