"""End allocations whose time is over: what is free expires, what is held finishes its jobs first.

Whatever an ended allocation gets back later (a job ended early, a refund) expires by the next call: holds
and settlements stay as fast as they are, and no amount is lost in between, since nothing pays for new jobs
from an ended allocation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection, bindparam, or_, select, update

from quotas.allocation_lines import (
    ENDED,
    LockedAllocation,
    line_for,
    lock_allocations,
    require_not_ended,
)
from quotas.allocation_tables import AllocationEventKind, record_event
from quotas.amounts import STORAGE, Asset
from quotas.checks import require_positive
from quotas.errors import AllocationStateRefused, InvalidAmount, KeyReused, NotEnoughFree
from quotas.journal import NewTransfer, move_once, open_account, recorded_amounts
from quotas.tables import (
    AccountKind,
    AccountOwner,
    Allocation,
    AllocationLine,
    AllocationState,
    LedgerAccount,
    TransferKind,
    table_of,
)

_ALLOCATIONS = table_of(Allocation)
_LINES = table_of(AllocationLine)
_ACCOUNTS = table_of(LedgerAccount)
_SOURCES = _ALLOCATIONS.alias("source")

_DUE = (
    select(_ALLOCATIONS.c.id, _ALLOCATIONS.c.parent_id)
    .join_from(_ALLOCATIONS, _LINES, _LINES.c.allocation_id == _ALLOCATIONS.c.id)
    .join(_ACCOUNTS, _ACCOUNTS.c.id == _LINES.c.available_id)
    .outerjoin(_SOURCES, _SOURCES.c.id == _ALLOCATIONS.c.parent_id)
    .where(
        or_(
            _ALLOCATIONS.c.state.not_in(ENDED)
            & ((_ALLOCATIONS.c.valid_to <= bindparam("at")) | _SOURCES.c.state.in_(ENDED)),
            _ALLOCATIONS.c.state.in_(ENDED) & (_ACCOUNTS.c.balance > 0),
        )
    )
    .group_by(_ALLOCATIONS.c.id, _ALLOCATIONS.c.parent_id, _ALLOCATIONS.c.valid_to)
    .order_by(_ALLOCATIONS.c.valid_to, _ALLOCATIONS.c.id)
    .limit(bindparam("most"))
)
_EXPIRED_BEFORE = (
    select(_ACCOUNTS.c.id, _ACCOUNTS.c.asset, _ACCOUNTS.c.balance)
    .where(
        _ACCOUNTS.c.owner_kind == AccountOwner.ALLOCATION,
        _ACCOUNTS.c.owner_id == bindparam("owner"),
        _ACCOUNTS.c.kind == AccountKind.EXPIRED,
    )
    .order_by(_ACCOUNTS.c.id)
    .with_for_update(key_share=True)
)


@dataclass(frozen=True, slots=True)
class Expired:
    """What one call took from one ended allocation."""

    allocation_id: UUID
    project_id: UUID
    ended_now: bool
    """False when it had ended before, and got something back since."""
    amounts: Mapping[Asset, int]
    """Empty when nothing was left."""
    returned_to: UUID | None
    """The allocation that it was split from, if that is where it went."""


def expire_due(conn: Connection, *, at: datetime, limit: int = 100) -> list[Expired]:
    """End those whose period is over, and expire what ended ones got back; at most `limit` of them.

    What was split off an allocation ends with it, also when that was closed before its time. Again is fine,
    and changes nothing. The caller commits, and calls until nothing comes back.
    """
    due = conn.execute(_DUE, {"at": at, "most": limit}).all()
    locked = lock_allocations(conn, {one for row in due for one in row if one is not None})
    found = [(locked[row.id], locked.get(row.parent_id)) for row in due]
    return [_expire(conn, allocation, parent, at) for allocation, parent in found]


def _expire(
    conn: Connection, allocation: LockedAllocation, parent: LockedAllocation | None, at: datetime
) -> Expired:
    reason = _why_it_ends(allocation, parent, at)
    if reason:
        conn.execute(
            update(_ALLOCATIONS)
            .where(_ALLOCATIONS.c.id == allocation.id)
            .values(state=AllocationState.EXPIRED)
        )
        record_event(
            conn,
            allocation.id,
            AllocationEventKind.EXPIRED,
            was=allocation.state,
            became=AllocationState.EXPIRED,
            actor_id=None,
            reason=reason,
            at=at,
        )
    amounts: Mapping[Asset, int] = {}
    target = None
    if reason or allocation.has_ended:  # else somebody extended it since it was found
        amounts, target = take_rest(conn, allocation, parent, at=at, reason=reason or "its period is over")
    return Expired(allocation.id, allocation.project_id, bool(reason), amounts, target)


def _why_it_ends(allocation: LockedAllocation, parent: LockedAllocation | None, at: datetime) -> str:
    """The empty text when it does not end now."""
    if allocation.has_ended:
        return ""
    if allocation.valid_to <= at:
        return "its period is over"
    is_left_alone = parent is not None and parent.has_ended
    return "what it was split from has ended" if is_left_alone else ""


def carry_over(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    *,
    source: UUID,
    target: UUID,
    lines: Mapping[Asset, int] | None,
    actor_id: UUID | None,
    reason: str,
    key: str,
    at: datetime,
) -> bool:
    """Take what is left of one allocation, expired or not, into the one that renews it.

    Without `lines`, all that is left of the assets that the other has a line for. Storage is never carried
    over: nobody used it up, and what the other one gives of it is all that may lie there then.

    False when this key did it before. The caller commits.

    Raises:
        NotEnoughFree: so much is not left; nothing is changed.
        InvalidAmount: an amount that is not above zero, the two are not of one project, or the target has no
            line for an asset.
        AllocationNotFound: one of them does not exist.
        AllocationStateRefused: the target has ended, or nothing is left in the source.
        KeyReused: the key came before for other allocations or amounts.
    """
    if lines is not None:
        require_positive(lines)
    if STORAGE in (lines or {}):
        raise InvalidAmount(
            STORAGE, "is never carried over; ask for as much as the new allocation shall give"
        )
    locked = lock_allocations(conn, [source, target])
    old, new = locked[source], locked[target]
    if source == target or old.project_id != new.project_id:
        raise InvalidAmount("target", "must be another allocation of the same project")
    expired = {row.asset: row for row in conn.execute(_EXPIRED_BEFORE, {"owner": source})}
    free = {asset: line.free for asset, line in old.lines.items()}
    left = {asset: free[asset] + (expired[asset].balance if asset in expired else 0) for asset in free}
    key = f"carry:{source}:{target}:{key}"
    if before := recorded_amounts(conn, TransferKind.CARRY, key):
        brought = {asset: before.get(line.available_id, 0) for asset, line in new.lines.items()}
        if lines is not None and {asset: amount for asset, amount in brought.items() if amount} != lines:
            raise KeyReused(key)
        return False
    require_not_ended(new)
    carried = new.lines.keys() - {STORAGE}
    wanted = lines or {asset: amount for asset, amount in left.items() if amount and asset in carried}
    if not wanted:
        raise AllocationStateRefused(source, old.state, "Nothing is left in it that could be carried over.")
    amounts: dict[int, int] = {}
    for asset, amount in sorted(wanted.items()):
        if amount > left.get(asset, 0):
            raise NotEnoughFree(source, asset, left.get(asset, 0), amount)
        from_free = min(amount, free[asset])
        amounts[old.lines[asset].available_id] = -from_free
        if amount > from_free:
            amounts[expired[asset].id] = from_free - amount
        amounts[line_for(new, asset).available_id] = amount
    return move_once(
        conn, NewTransfer(TransferKind.CARRY, key, at, amounts, actor_id=actor_id, reason=reason)
    )


def take_rest(
    conn: Connection,
    allocation: LockedAllocation,
    parent: LockedAllocation | None,
    *,
    at: datetime,
    reason: str,
) -> tuple[Mapping[Asset, int], UUID | None]:
    """Take what is free out of an ended allocation: back to the one that it was split from, else to expired.

    Returns the amounts, and where they went if they went back. Its key is new each time: what was taken
    is gone, so a repeat finds nothing.
    """
    left = {asset: line.free for asset, line in sorted(allocation.lines.items()) if line.free}
    if not left:
        return {}, None
    back = parent if parent is not None and not parent.has_ended and at < parent.valid_to else None
    amounts: dict[int, int] = {}
    for asset, amount in left.items():
        amounts[allocation.lines[asset].available_id] = -amount
        amounts[_rest_goes_to(conn, allocation, back, asset)] = amount
    kind = TransferKind.EXPIRE if back is None else TransferKind.MOVE
    key = f"{kind}:{allocation.id}:{uuid4().hex}"
    move_once(conn, NewTransfer(kind, key, at, amounts, reason=reason))
    return left, None if back is None else back.id


def _rest_goes_to(
    conn: Connection, allocation: LockedAllocation, back: LockedAllocation | None, asset: Asset
) -> int:
    if back is not None:
        return line_for(back, asset).available_id
    return open_account(
        conn, owner=(AccountOwner.ALLOCATION, allocation.id), kind=AccountKind.EXPIRED, asset=asset
    )
