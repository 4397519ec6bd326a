"""Set budget aside for a job, so that what is promised can be paid."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select

from quotas.amounts import Asset
from quotas.coverage import demanded
from quotas.errors import (
    AllocationStopped,
    BudgetExceeded,
    KeyReused,
    PriceListRetired,
    QuotaError,
    Shortage,
)
from quotas.hold_tables import HoldState, QuotaHold
from quotas.holds import window
from quotas.journal import NewTransfer, move, move_within_overdraft, record_transfers
from quotas.money import VND, Vnd
from quotas.payers import Payer, PayingLine, read_payers
from quotas.plan_hold import Grip, HoldRequest, PricedRequest, Refused, plan, price_request
from quotas.pricing import PriceList
from quotas.publish_prices import lock_published
from quotas.subsidies import NO_SUBSIDY, Subsidy
from quotas.tables import Project, TransferKind, table_of
from schedulers.tres import Tres

__all__ = ["Held", "HoldRequest", "hold", "hold_together", "shortfall"]

_PROJECTS = table_of(Project)
_HOLDS = table_of(QuotaHold)

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
        BudgetExceeded: no allocation has enough, or (AllocationStopped) the one that has is not active, or
            was split from one that is not; nothing is changed.
        PriceListRetired: the price list prices no new job any more; nothing is changed.
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
    checked: dict[int, PricedRequest] = {}
    for place, request in enumerate(requests):
        try:
            checked[place] = price_request(request, at)
        except QuotaError as problem:
            outcomes[place] = problem
    for place in _retired(conn, checked):
        version = requests[place].price_list.version
        outcomes[place] = _held_before(conn, checked.pop(place)) or PriceListRetired(version)
    while True:
        grips, refused = plan(checked, _payers(conn, checked, at))
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
    for place, why in refused.items():
        outcomes[place] = _held_before(conn, checked[place]) or _refusal(conn, why, checked[place])
    return [outcomes[place] for place in range(len(requests))]


def _payers(
    conn: Connection, requests: Mapping[int, PricedRequest], at: datetime
) -> Mapping[UUID, Sequence[Payer]]:
    projects = {request.project_id for request in requests.values()}
    return read_payers(conn, projects, at) if projects else {}


def _retired(conn: Connection, requests: Mapping[int, PricedRequest]) -> list[int]:
    """Those whose prices are no longer, or were never, for new jobs."""
    published = lock_published(conn, {request.price_list_id for request in requests.values()})
    return [place for place, request in requests.items() if request.price_list_id not in published]


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


def _take(conn: Connection, grips: Iterable[Grip]) -> bool:
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


def _write(conn: Connection, grips: Iterable[Grip]) -> set[str]:
    """Journal and holds; the keys of those that are new, and only their budget is held."""
    by_key: dict[str, Grip] = {}
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


def _held(grip: Grip) -> Held:
    return Held(
        job_id=grip.request.job_id,
        allocation_id=grip.lines[0].allocation_id,
        units=grip.request.units,
        by_asset={line.asset: grip.request.needs(line) for line in grip.lines},
        vnd_total=grip.request.needs_at_all(VND),
    )


def _hold_row(line: PayingLine, request: PricedRequest) -> dict[str, object]:
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


def _held_before(conn: Connection, request: PricedRequest) -> Held | KeyReused | None:
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


def _refusal(conn: Connection, refused: Refused, request: PricedRequest) -> BudgetExceeded:
    """About what stops an allocation that could pay, else about the allocation that comes closest."""
    ids = [request.project_id, *([refused.stopped_by.project_id] if refused.stopped_by else [])]
    rows = conn.execute(select(_PROJECTS.c.id, _PROJECTS.c.account).where(_PROJECTS.c.id.in_(ids)))
    accounts = {row.id: str(row.account) for row in rows}
    project = accounts.get(request.project_id, str(request.project_id))
    if (stop := refused.stopped_by) is not None:
        asset = demanded(request.unit)[0]
        return AllocationStopped(
            project,
            asset,
            request.needs_at_all(asset),
            allocation_id=stop.id,
            of_project=accounts[stop.project_id],
            state=stop.state,
        )
    closest = max(refused.shortages, key=lambda shortages: min(map(_covered, shortages)))
    worst = min(closest, key=_covered)
    also = [shortage for shortage in closest if shortage is not worst]
    return BudgetExceeded(project, worst.asset, worst.available, worst.needed, also=also)


def _covered(shortage: Shortage) -> Fraction:
    """The share of what is needed that is there."""
    return Fraction(shortage.available, shortage.needed or 1)
