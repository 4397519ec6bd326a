"""Set budget aside for a job, so that what is promised can be paid."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import groupby
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select

from quotas.amounts import Asset
from quotas.checks import require_amounts, require_whole
from quotas.coverage import demanded, uncovered
from quotas.errors import BudgetExceeded, KeyReused, QuotaError
from quotas.hold_tables import HoldState, QuotaHold
from quotas.holds import window
from quotas.journal import NewTransfer, move, move_within_overdraft, record_transfers
from quotas.money import VND, Vnd
from quotas.pricing import PriceList, price
from quotas.subsidies import NO_SUBSIDY, Subsidy
from quotas.tables import (
    Allocation,
    AllocationLine,
    AllocationState,
    HoldPolicy,
    LedgerAccount,
    Project,
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
        _ALLOCATIONS.c.hold_policy,
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
    """The net price of it all, whether or not the allocation has a line for VND."""


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """What a job may need at most: `units` x `unit`, priced by a list that is pinned for its life."""

    project_id: UUID
    job_id: UUID
    unit: Mapping[Tres, int]
    """TRES x seconds of one array task, or of a job that is no array."""
    units: int
    partition: str
    price_list: PriceList
    subsidy: Subsidy = NO_SUBSIDY
    """Pinned, too."""
    units_at_once: int | None = None
    """How many of them may be under way at a time: an allocation whose policy is rolling holds no more."""


@dataclass(frozen=True, slots=True)
class _Request:
    job_id: UUID
    project_id: UUID
    unit: Mapping[Asset, int]
    """With the price of a unit under VND."""
    units: int
    partition: str
    price_list_id: int
    subsidy_rule_id: int | None
    at: datetime
    units_at_once: int | None

    def needs(self, line: "_Line") -> int:
        """What is set aside at submit, in one line."""
        return self.unit.get(line.asset, 0) * min(self.units, self.window(line) or self.units)

    def needs_at_all(self, asset: Asset) -> int:
        return self.unit.get(asset, 0) * self.units

    def window(self, line: "_Line") -> int | None:
        return self.units_at_once if line.hold_policy == HoldPolicy.ROLLING else None


@dataclass(slots=True)
class _Line:
    allocation_id: UUID
    asset: Asset
    available_id: int
    held_id: int
    hold_policy: HoldPolicy
    promisable: int
    """As it was read, less what was planned to be taken since."""


@dataclass(frozen=True, slots=True)
class _Shortage:
    asset: Asset
    available: int
    needed: int


@dataclass(frozen=True, slots=True)
class _Grip:
    """A request, and the lines of the allocation that shall pay for it."""

    request: _Request
    lines: Sequence[_Line]

    @property
    def key(self) -> str:
        return f"hold:{self.request.job_id}"

    @property
    def taken(self) -> dict[int, int]:
        """By account: less is available."""
        return {line.available_id: -self.request.needs(line) for line in self.lines}

    @property
    def set_aside(self) -> dict[int, int]:
        """By account: more is held."""
        return {line.held_id: self.request.needs(line) for line in self.lines}


def hold(  # noqa: PLR0913 - the facts of a hold, all by keyword
    conn: Connection,
    *,
    project_id: UUID,
    job_id: UUID,
    unit: Mapping[Tres, int],
    units: int,
    partition: str,
    price_list: PriceList,
    subsidy: Subsidy = NO_SUBSIDY,
    units_at_once: int | None = None,
    at: datetime,
) -> Held:
    """Move `units` x `unit` from available to held in one allocation, the one that expires first.

    Where that allocation's policy is rolling, no more than `units_at_once` of them; see `roll_hold`.

    It touches every line of the allocation; a CPU, GPU or licence for which there is no line must be covered
    by a line for VND, which holds the net price. The partition, the price list and the rule of the subsidy
    are pinned: the job settles at them. The same job again returns what was held for it first. The caller
    commits.

    Raises:
        BudgetExceeded: no allocation has enough; nothing is changed.
        UnpricedResource: something has no price; nothing is changed.
        InvalidAmount: a number that makes no sense; nothing is changed.
        KeyReused: the job has a hold for another project or of another size.
    """
    request = HoldRequest(project_id, job_id, unit, units, partition, price_list, subsidy, units_at_once)
    (outcome,) = hold_together(conn, [request], at=at)
    if isinstance(outcome, QuotaError):
        raise outcome
    return outcome


def hold_together(
    conn: Connection, requests: Sequence[HoldRequest], *, at: datetime
) -> list[Held | QuotaError]:
    """What `hold` does, for each of these jobs in turn, in a handful of statements for all of them.

    What `hold` would raise for one of them is its outcome, and changes nothing for the others.
    """
    outcomes: dict[int, Held | QuotaError] = {}
    checked: dict[int, _Request] = {}
    for place, request in enumerate(requests):
        try:
            checked[place] = _checked(request, at)
        except QuotaError as problem:
            outcomes[place] = problem
    while True:
        grips, shortages = _plan(conn, checked)
        if _take(conn, grips.values()):
            break  # else somebody was faster since we read
    written = _write(conn, grips.values())
    for place, grip in grips.items():
        if grip.key in written:
            written.remove(grip.key)
            outcomes[place] = _held(grip)
        else:
            move(conn, {account: -amount for account, amount in grip.taken.items()})
            outcomes[place] = _held_before(conn, grip.request) or KeyReused(grip.key)
    for place, short in shortages.items():
        outcomes[place] = _held_before(conn, checked[place]) or _refusal(conn, short, checked[place])
    return [outcomes[place] for place in range(len(requests))]


def _checked(request: HoldRequest, at: datetime) -> _Request:
    require_amounts(request.unit, allow_vnd=False)
    require_whole("units", request.units, least=1, most=_MOST_UNITS)
    if request.units_at_once is not None:
        require_whole("units_at_once", request.units_at_once, least=1)
    unit_vnd = price(request.unit, request.partition, request.price_list, request.subsidy).total
    return _Request(
        job_id=request.job_id,
        project_id=request.project_id,
        unit={**request.unit, VND: unit_vnd},
        units=request.units,
        partition=request.partition,
        price_list_id=request.price_list.id,
        subsidy_rule_id=request.subsidy.rule_id,
        at=at,
        units_at_once=request.units_at_once,
    )


def shortfall(conn: Connection, job_id: UUID) -> dict[Asset, int]:
    """What a job's hold lacks, by asset: requeued runs used it and the budget could not top it up.

    Not empty means: the rest of the job should wait for more quota.
    """
    rows = conn.execute(_STORED_HOLD, {"job": job_id}).all()
    lacking = {
        row.asset: window(row.units_open, row.units_at_once) * row.unit_amount - row.open_amount
        for row in rows
    }
    return {asset: amount for asset, amount in lacking.items() if amount > 0}


def _plan(
    conn: Connection, requests: Mapping[int, _Request]
) -> tuple[dict[int, _Grip], dict[int, list[_Shortage]]]:
    """Who takes from where, as far as what is read now tells; for the others, what every allocation lacks."""
    known: dict[UUID, Sequence[Sequence[_Line]]] = {}
    grips: dict[int, _Grip] = {}
    shortages: dict[int, list[_Shortage]] = {}
    for place, request in requests.items():
        if request.project_id not in known:
            known[request.project_id] = _usable_allocations(conn, request)
        short: list[_Shortage] = []
        for lines in known[request.project_id]:
            shortage = _shortage(lines, request)
            if not shortage:
                grips[place] = _Grip(request, lines)
                for line in lines:
                    line.promisable -= request.needs(line)
                break
            short.append(shortage)
        else:
            shortages[place] = short or [_nothing_for(demanded(request.unit)[0], request)]
    return grips, shortages


def _usable_allocations(conn: Connection, request: _Request) -> Sequence[Sequence[_Line]]:
    rows = conn.execute(_USABLE_LINES, {"project": request.project_id, "at": request.at})
    grouped = groupby((_Line(*row) for row in rows), key=lambda line: line.allocation_id)
    return [tuple(lines) for _, lines in grouped]


def _shortage(lines: Sequence[_Line], request: _Request) -> _Shortage | None:
    """Why this allocation cannot pay, as far as what was read tells."""
    if (name := uncovered(request.unit, {line.asset for line in lines})) is not None:
        return _nothing_for(name, request)
    for line in lines:
        needed = request.needs(line)
        if needed > max(line.promisable, 0):
            return _Shortage(line.asset, max(line.promisable, 0), needed)
    return None


def _nothing_for(name: Asset, request: _Request) -> _Shortage:
    return _Shortage(name, 0, request.needs_at_all(name))


def _take(conn: Connection, grips: Iterable[_Grip]) -> bool:
    """Take all that is needed from what is available, or nothing."""
    needed: Counter[int] = Counter()
    for grip in grips:
        needed.update(grip.taken)
    taken: dict[int, int] = {}
    for account, amount in sorted(needed.items()):
        if not amount:
            continue
        if not move_within_overdraft(conn, account, amount):
            move(conn, {account: -amount for account, amount in taken.items()})
            return False
        taken[account] = amount
    return True


def _write(conn: Connection, grips: Iterable[_Grip]) -> set[str]:
    """Journal and holds; the keys of those that are new, and only their budget is held."""
    by_key: dict[str, _Grip] = {}
    for grip in grips:
        by_key.setdefault(grip.key, grip)
    transfers = [
        NewTransfer(
            kind=TransferKind.HOLD,
            key=key,
            at=grip.request.at,
            amounts=grip.taken | grip.set_aside,
            job_id=grip.request.job_id,
        )
        for key, grip in by_key.items()
    ]
    written = record_transfers(conn, transfers)
    new = [grip for key, grip in by_key.items() if key in written]
    held: Counter[int] = Counter()
    for grip in new:
        held.update(grip.set_aside)
    move(conn, held)
    if rows := [_hold_row(line, grip.request) for grip in new for line in grip.lines]:
        conn.execute(_INSERT_HOLD, rows)
    return written


def _held(grip: _Grip) -> Held:
    return Held(
        job_id=grip.request.job_id,
        allocation_id=grip.lines[0].allocation_id,
        units=grip.request.units,
        by_asset={line.asset: grip.request.needs(line) for line in grip.lines},
        vnd_total=grip.request.needs_at_all(VND),
    )


def _hold_row(line: _Line, request: _Request) -> dict[str, object]:
    return {
        "job_id": request.job_id,
        "allocation_id": line.allocation_id,
        "asset": line.asset,
        "project_id": request.project_id,
        "partition": request.partition,
        "price_list_id": request.price_list_id,
        "subsidy_rule_id": request.subsidy_rule_id,
        "unit_amount": request.unit.get(line.asset, 0),
        "units_total": request.units,
        "units_open": request.units,
        "units_at_once": request.window(line),
        "open_amount": request.needs(line),
        "state": HoldState.OPEN,
        "held_at": request.at,
        "closed_at": None,
    }


def _held_before(conn: Connection, request: _Request) -> Held | KeyReused | None:
    rows = conn.execute(_STORED_HOLD, {"job": request.job_id}).all()
    if not rows:
        return None
    if any(row.project_id != request.project_id or row.units_total != request.units for row in rows):
        return KeyReused(f"hold:{request.job_id}")
    return Held(
        job_id=request.job_id,
        allocation_id=rows[0].allocation_id,
        units=request.units,
        by_asset={
            row.asset: row.unit_amount * min(row.units_total, row.units_at_once or row.units_total)
            for row in rows
        },
        vnd_total=request.needs_at_all(VND),
    )


def _refusal(conn: Connection, shortages: Sequence[_Shortage], request: _Request) -> BudgetExceeded:
    """About the allocation that comes closest."""
    closest = max(shortages, key=lambda shortage: Fraction(shortage.available, shortage.needed or 1))
    account = conn.execute(select(_PROJECTS.c.account).where(_PROJECTS.c.id == request.project_id)).scalar()
    return BudgetExceeded(
        str(account or request.project_id), closest.asset, closest.available, closest.needed
    )
