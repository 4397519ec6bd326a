"""One or two allocations with their lines, locked: nobody else moves their free budget until we commit."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select

from quotas.amounts import Asset
from quotas.errors import AllocationNotFound, AllocationStateRefused, InvalidAmount, NotEnoughFree
from quotas.journal import open_account
from quotas.tables import (
    AccountKind,
    AccountOwner,
    Allocation,
    AllocationLine,
    AllocationState,
    HoldPolicy,
    LedgerAccount,
    table_of,
)

_ALLOCATIONS = table_of(Allocation)
_LINES = table_of(AllocationLine)
_ACCOUNTS = table_of(LedgerAccount)

_LOCK_ALLOCATIONS = (
    select(
        _ALLOCATIONS.c.id,
        _ALLOCATIONS.c.project_id,
        _ALLOCATIONS.c.valid_from,
        _ALLOCATIONS.c.valid_to,
        _ALLOCATIONS.c.state,
        _ALLOCATIONS.c.parent_id,
        _ALLOCATIONS.c.hold_policy,
    )
    .where(_ALLOCATIONS.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_ALLOCATIONS.c.id)
    .with_for_update(key_share=True)
)
_LOCK_AVAILABLE = (
    select(
        _LINES.c.allocation_id,
        _LINES.c.asset,
        _LINES.c.available_id,
        _LINES.c.held_id,
        _LINES.c.consumed_id,
        _ACCOUNTS.c.balance.label("available"),
    )
    .join_from(_ACCOUNTS, _LINES, _LINES.c.available_id == _ACCOUNTS.c.id)
    .where(_LINES.c.allocation_id.in_(bindparam("ids", expanding=True)))
    .order_by(_ACCOUNTS.c.id)
    .with_for_update(of=_ACCOUNTS, key_share=True)
)
_PARENT = select(_ALLOCATIONS.c.parent_id).where(_ALLOCATIONS.c.id == bindparam("id"))
_INSERT_LINE = insert(_LINES)

ENDED = frozenset({AllocationState.EXPIRED, AllocationState.CLOSED})
"""States in which an allocation gets no more budget."""


@dataclass(frozen=True, slots=True)
class Line:
    """One asset of an allocation; `available` cannot change until the transaction ends."""

    allocation_id: UUID
    asset: Asset
    available_id: int
    held_id: int
    consumed_id: int
    available: int

    @property
    def free(self) -> int:
        """What nobody holds or used; the overdraft is no budget that could be given away."""
        return max(self.available, 0)


@dataclass(frozen=True, slots=True)
class LockedAllocation:
    """An allocation that nobody else changes, and whose free budget nobody else moves."""

    id: UUID
    project_id: UUID
    valid_from: datetime
    valid_to: datetime
    state: AllocationState
    parent_id: UUID | None
    hold_policy: HoldPolicy
    lines: Mapping[Asset, Line]

    @property
    def has_ended(self) -> bool:
        """Expired or closed."""
        return self.state in ENDED


def lock_allocations(conn: Connection, ids: Collection[UUID]) -> dict[UUID, LockedAllocation]:
    """Lock these allocations and their free budget, in the order in which everybody does.

    (On SQLite the caller's BEGIN IMMEDIATE locks everything.)

    Raises:
        AllocationNotFound: one of them does not exist.
    """
    rows = conn.execute(_LOCK_ALLOCATIONS, {"ids": list(ids)}).mappings().all()
    if missing := set(ids) - {row["id"] for row in rows}:
        raise AllocationNotFound(missing.pop())
    lines: dict[UUID, dict[Asset, Line]] = {row["id"]: {} for row in rows}
    for row in conn.execute(_LOCK_AVAILABLE, {"ids": list(ids)}).mappings():
        lines[row["allocation_id"]][row["asset"]] = Line(**row)
    return {row["id"]: LockedAllocation(**row, lines=lines[row["id"]]) for row in rows}


def lock_allocation(conn: Connection, allocation_id: UUID) -> LockedAllocation:
    """Lock one.

    Raises:
        AllocationNotFound: it does not exist.
    """
    return lock_allocations(conn, [allocation_id])[allocation_id]


def lock_with_parent(
    conn: Connection, allocation_id: UUID
) -> tuple[LockedAllocation, LockedAllocation | None]:
    """Lock one, and the one that it was split from, if it was.

    Raises:
        AllocationNotFound: it does not exist.
    """
    parent_id = conn.execute(_PARENT, {"id": allocation_id}).scalar_one_or_none()
    locked = lock_allocations(conn, [allocation_id] if parent_id is None else [allocation_id, parent_id])
    return locked[allocation_id], None if parent_id is None else locked[parent_id]


def line_for(allocation: LockedAllocation, asset: Asset) -> Line:
    """The allocation's line for an asset.

    Lines are opened with the allocation and never later: jobs that it pays for already would be charged in
    them without ever having held anything of them.

    Raises:
        InvalidAmount: it has none.
    """
    if (line := allocation.lines.get(asset)) is None:
        raise InvalidAmount(asset, "has no line in this allocation; grant a new one that has")
    return line


def open_lines(
    conn: Connection, allocation_id: UUID, granted: Mapping[Asset, int], overdraft: Mapping[Asset, int]
) -> dict[Asset, Line]:
    """Lines of an allocation that this transaction makes, with nothing in them yet; see AllocationLine.

    Accounts are opened kind by kind, so that their ids rise from all available to held to consumed.
    """
    owner = (AccountOwner.ALLOCATION, allocation_id)
    assets = sorted(granted)
    available = {
        asset: open_account(
            conn, owner=owner, kind=AccountKind.AVAILABLE, asset=asset, overdraft=overdraft.get(asset, 0)
        )
        for asset in assets
    }
    held, consumed = (
        {asset: open_account(conn, owner=owner, kind=kind, asset=asset) for asset in assets}
        for kind in (AccountKind.HELD, AccountKind.CONSUMED)
    )
    conn.execute(
        _INSERT_LINE,
        [
            {
                "allocation_id": allocation_id,
                "asset": asset,
                "granted": granted[asset],
                "available_id": available[asset],
                "held_id": held[asset],
                "consumed_id": consumed[asset],
            }
            for asset in assets
        ],
    )
    return {
        asset: Line(allocation_id, asset, available[asset], held[asset], consumed[asset], 0)
        for asset in assets
    }


def require_lines(allocation: LockedAllocation, lines: Mapping[Asset, int]) -> None:
    """Refuse assets that an allocation has no line for.

    Raises:
        InvalidAmount: it has none.
    """
    for asset in lines:
        if asset not in allocation.lines:
            raise InvalidAmount(asset, "has no line in this allocation")


def require_free(allocation: LockedAllocation, lines: Mapping[Asset, int]) -> None:
    """Refuse to take more than is free.

    Raises:
        NotEnoughFree: less is.
    """
    for asset, amount in sorted(lines.items()):
        if amount > (free := allocation.lines[asset].free):
            raise NotEnoughFree(allocation.id, asset, free, amount)


def require_not_ended(allocation: LockedAllocation) -> None:
    """Refuse to give to, or take from, an allocation that expired or was closed.

    Raises:
        AllocationStateRefused: it was.
    """
    if allocation.has_ended:
        raise AllocationStateRefused(
            allocation.id, allocation.state, "Grant a new one, and carry over what was left."
        )
