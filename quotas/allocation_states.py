"""Suspend, resume and close an allocation; what it holds for jobs goes on to pay for them."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, update

from quotas.allocation_lines import LockedAllocation, lock_allocation, lock_with_parent
from quotas.allocation_tables import AllocationEventKind, record_event
from quotas.errors import AllocationStateRefused
from quotas.expire import take_rest
from quotas.tables import Allocation, AllocationState, HoldPolicy, table_of

_ALLOCATIONS = table_of(Allocation)
_OPEN = frozenset({AllocationState.PENDING, AllocationState.ACTIVE, AllocationState.SUSPENDED})


def suspend(
    conn: Connection, *, allocation_id: UUID, actor_id: UUID | None, reason: str, at: datetime
) -> bool:
    """Let it pay for no new job; False when it is suspended already. What runs goes on. The caller commits.

    Raises:
        AllocationNotFound: there is no such allocation.
        AllocationStateRefused: it has ended.
    """
    allocation = lock_allocation(conn, allocation_id)
    if not _enter(conn, allocation, AllocationState.SUSPENDED, come_from=_OPEN):
        return False
    _record(conn, allocation, AllocationEventKind.SUSPENDED, AllocationState.SUSPENDED, actor_id, reason, at)
    return True


def resume(
    conn: Connection, *, allocation_id: UUID, actor_id: UUID | None, reason: str, at: datetime
) -> bool:
    """Let it pay for new jobs again; False when it does already. The caller commits.

    Raises:
        AllocationNotFound: there is no such allocation.
        AllocationStateRefused: it has ended.
    """
    allocation = lock_allocation(conn, allocation_id)
    if not _enter(conn, allocation, AllocationState.ACTIVE, come_from=_OPEN):
        return False
    _record(conn, allocation, AllocationEventKind.RESUMED, AllocationState.ACTIVE, actor_id, reason, at)
    return True


def close(conn: Connection, *, allocation_id: UUID, actor_id: UUID | None, reason: str, at: datetime) -> bool:
    """End it for good, before its time; False when it is closed already. The caller commits.

    What is free goes back to the allocation that it was split from, else expires. What it holds finishes its
    jobs; the rest of that goes the same way once they ended.

    Raises:
        AllocationNotFound: there is no such allocation.
    """
    allocation, parent = lock_with_parent(conn, allocation_id)
    if not _enter(
        conn, allocation, AllocationState.CLOSED, come_from=_OPEN | frozenset({AllocationState.EXPIRED})
    ):
        return False
    _record(conn, allocation, AllocationEventKind.CLOSED, AllocationState.CLOSED, actor_id, reason, at)
    take_rest(conn, allocation, parent, at=at, reason=reason)
    return True


def set_hold_policy(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    *,
    allocation_id: UUID,
    policy: HoldPolicy,
    actor_id: UUID | None,
    reason: str,
    at: datetime,
) -> bool:
    """Hold arrays of new jobs in full, or only what runs at once; False when it is so. The caller commits.

    Raises:
        AllocationNotFound: there is no such allocation.
    """
    allocation = lock_allocation(conn, allocation_id)
    if allocation.hold_policy == policy:
        return False
    conn.execute(update(_ALLOCATIONS).where(_ALLOCATIONS.c.id == allocation_id).values(hold_policy=policy))
    record_event(
        conn,
        allocation_id,
        AllocationEventKind.POLICY,
        was=allocation.hold_policy,
        became=policy,
        actor_id=actor_id,
        reason=reason,
        at=at,
    )
    return True


def _enter(
    conn: Connection,
    allocation: LockedAllocation,
    state: AllocationState,
    *,
    come_from: AbstractSet[AllocationState],
) -> bool:
    if allocation.state == state:
        return False
    if allocation.state not in come_from:
        raise AllocationStateRefused(allocation.id, allocation.state, "That is for good: grant a new one.")
    conn.execute(update(_ALLOCATIONS).where(_ALLOCATIONS.c.id == allocation.id).values(state=state))
    return True


def _record(  # noqa: PLR0913, PLR0917 - one row
    conn: Connection,
    allocation: LockedAllocation,
    kind: AllocationEventKind,
    became: AllocationState,
    actor_id: UUID | None,
    reason: str,
    at: datetime,
) -> None:
    record_event(
        conn,
        allocation.id,
        kind,
        was=allocation.state,
        became=became,
        actor_id=actor_id,
        reason=reason,
        at=at,
    )
