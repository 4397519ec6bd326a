"""Give more to a part that was split off an allocation, or take some of it back, as long as both go on."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from quotas.allocation_lines import (
    LockedAllocation,
    line_for,
    lock_with_parent,
    require_free,
    require_lines,
    require_not_ended,
)
from quotas.amounts import Asset
from quotas.checks import require_positive
from quotas.errors import InvalidAmount
from quotas.journal import NewTransfer, is_recorded, move_once
from quotas.move_budget import require_usable
from quotas.tables import TransferKind


def give_more(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    *,
    allocation_id: UUID,
    lines: Mapping[Asset, int],
    actor_id: UUID | None,
    reason: str,
    key: str,
    at: datetime,
) -> bool:
    """Move more free budget from the allocation that this one was split off; False if this key did before.

    The caller commits.

    Raises:
        NotEnoughFree: so much is not free in the other; nothing is changed.
        InvalidAmount: no line, an asset without a line, an amount that is not above zero, or it was not split
            off.
        AllocationNotFound: there is no such allocation.
        AllocationStateRefused: one of the two has ended, or the other pays for no new job now.
        KeyReused: the key came before with other amounts, or for another allocation.
    """
    part, whole = _lock(conn, allocation_id, lines)
    return _move(conn, whole, part, lines, f"more:{key}", at=at, actor_id=actor_id, reason=reason)


def take_back(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    *,
    allocation_id: UUID,
    lines: Mapping[Asset, int],
    actor_id: UUID | None,
    reason: str,
    key: str,
    at: datetime,
) -> bool:
    """Move free budget of a part back to where it was split off; False when this key did it before.

    The caller commits.

    Raises:
        NotEnoughFree, InvalidAmount, AllocationNotFound, AllocationStateRefused, KeyReused: see `give_more`.
    """
    part, whole = _lock(conn, allocation_id, lines)
    return _move(conn, part, whole, lines, f"back:{key}", at=at, actor_id=actor_id, reason=reason)


def _lock(
    conn: Connection, allocation_id: UUID, lines: Mapping[Asset, int]
) -> tuple[LockedAllocation, LockedAllocation]:
    require_positive(lines)
    part, whole = lock_with_parent(conn, allocation_id)
    if whole is None:
        raise InvalidAmount("allocation_id", "was not split off another allocation")
    return part, whole


def _move(  # noqa: PLR0913 - one transfer
    conn: Connection,
    source: LockedAllocation,
    target: LockedAllocation,
    lines: Mapping[Asset, int],
    key: str,
    *,
    at: datetime,
    actor_id: UUID | None,
    reason: str,
) -> bool:
    require_lines(source, lines)
    amounts: dict[int, int] = {}
    for asset, amount in sorted(lines.items()):
        amounts[source.lines[asset].available_id] = -amount
        amounts[line_for(target, asset).available_id] = amount
    transfer = NewTransfer(TransferKind.MOVE, key, at, amounts, actor_id=actor_id, reason=reason)
    if is_recorded(conn, transfer):
        return False
    for allocation in (source, target):
        require_not_ended(allocation)
    if target.parent_id == source.id:
        require_usable(conn, source, at)
    require_free(source, lines)
    return move_once(conn, transfer)
