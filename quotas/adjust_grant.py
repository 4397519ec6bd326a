"""Change a grant that stands: more of it, less of it, for longer."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, update

from quotas.allocation_lines import (
    line_for,
    lock_allocation,
    lock_with_parent,
    require_free,
    require_lines,
    require_not_ended,
)
from quotas.allocation_tables import AllocationEventKind, record_event
from quotas.amounts import Asset
from quotas.checks import require_instant, require_positive
from quotas.errors import InvalidAmount
from quotas.grant import programme_account
from quotas.journal import NewTransfer, is_recorded, move_once
from quotas.tables import Allocation, TransferKind, table_of

_ALLOCATIONS = table_of(Allocation)


def increase(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    *,
    allocation_id: UUID,
    lines: Mapping[Asset, int],
    actor_id: UUID | None,
    reason: str,
    key: str,
    at: datetime,
) -> bool:
    """Move more budget from the programme to an allocation; False when this key did it before.

    The caller commits.

    Raises:
        InvalidAmount: no line, an asset without a line, or an amount that is not above zero.
        AllocationNotFound: there is no such allocation.
        AllocationStateRefused: it has ended.
        KeyReused: the key came before with other amounts, or for another allocation.
    """
    require_positive(lines)
    allocation = lock_allocation(conn, allocation_id)
    require_not_ended(allocation)
    amounts: dict[int, int] = {}
    for asset, amount in sorted(lines.items()):
        amounts |= {programme_account(conn, asset): -amount, line_for(allocation, asset).available_id: amount}
    transfer = NewTransfer(
        TransferKind.ADJUST, f"increase:{key}", at, amounts, actor_id=actor_id, reason=reason
    )
    return move_once(conn, transfer)


def reduce(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    *,
    allocation_id: UUID,
    lines: Mapping[Asset, int],
    actor_id: UUID | None,
    reason: str,
    key: str,
    at: datetime,
) -> bool:
    """Take free budget of an allocation back to the programme; False when this key did it before.

    The caller commits.

    Raises:
        NotEnoughFree: jobs hold or used it; nothing is changed.
        InvalidAmount: no line, an asset without a line, or an amount that is not above zero.
        AllocationNotFound: there is no such allocation.
        AllocationStateRefused: it has ended.
        KeyReused: the key came before with other amounts, or for another allocation.
    """
    require_positive(lines)
    allocation = lock_allocation(conn, allocation_id)
    require_lines(allocation, lines)
    amounts: dict[int, int] = {}
    for asset, amount in sorted(lines.items()):
        amounts |= {programme_account(conn, asset): amount, allocation.lines[asset].available_id: -amount}
    transfer = NewTransfer(
        TransferKind.ADJUST, f"reduce:{key}", at, amounts, actor_id=actor_id, reason=reason
    )
    if is_recorded(conn, transfer):
        return False
    require_not_ended(allocation)
    require_free(allocation, lines)
    return move_once(conn, transfer)


def extend(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    *,
    allocation_id: UUID,
    valid_to: datetime,
    actor_id: UUID | None,
    reason: str,
    at: datetime,
) -> bool:
    """Let an allocation end later; False when it ends then already. The caller commits.

    Raises:
        InvalidAmount: that is earlier than it ends now, or later than the one ends that it was split from.
        AllocationNotFound: there is no such allocation.
        AllocationStateRefused: it, or the one that it was split from, has ended; what was left has expired.
    """
    require_instant("valid_to", valid_to)
    allocation, source = lock_with_parent(conn, allocation_id)
    if allocation.valid_to == valid_to:
        return False
    require_not_ended(allocation)
    if source is not None:
        require_not_ended(source)
        if valid_to > source.valid_to:
            raise InvalidAmount(
                "valid_to",
                "must not be after %(day)s, when allocation %(source)s ends, from which this one was split "
                "off. Extend that one first.",
                day=source.valid_to.isoformat(),
                source=str(source.id),
            )
    if valid_to < allocation.valid_to:
        raise InvalidAmount(
            "valid_to", "must be after %(day)s, when it ends now", day=allocation.valid_to.isoformat()
        )
    conn.execute(update(_ALLOCATIONS).where(_ALLOCATIONS.c.id == allocation_id).values(valid_to=valid_to))
    record_event(
        conn,
        allocation_id,
        AllocationEventKind.EXTENDED,
        was=allocation.valid_to.isoformat(),
        became=valid_to.isoformat(),
        actor_id=actor_id,
        reason=reason,
        at=at,
    )
    return True
