"""Split a part off an allocation for another project of the same organisation, and give it back."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert, select

from quotas.allocation_lines import (
    LockedAllocation,
    line_for,
    lock_allocation,
    lock_with_parent,
    open_lines,
    require_free,
    require_lines,
)
from quotas.amounts import Asset
from quotas.checks import require_instant, require_positive
from quotas.errors import AllocationStateRefused, InvalidAmount, KeyReused
from quotas.journal import NewTransfer, is_key_used, move_once, require_same
from quotas.standing import load_standings, stopped_by
from quotas.tables import Allocation, AllocationState, Project, TransferKind, table_of

_ALLOCATIONS = table_of(Allocation)
_PROJECTS = table_of(Project)


def move_budget(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    *,
    source: UUID,
    target_project: UUID,
    lines: Mapping[Asset, int],
    valid_to: datetime | None,
    actor_id: UUID | None,
    reason: str,
    key: str,
    at: datetime,
) -> UUID:
    """Move free budget into a new allocation of another project; returns the new one's id.

    It begins now and ends at `valid_to`, with its source when that is None. What is left of it then goes
    back to the source, see `return_budget`. It has every line of its source, so that what the source limits
    is limited in it as well: nothing of what `lines` leave out. The same key again returns the same
    allocation. The caller commits.

    Raises:
        NotEnoughFree: jobs hold or used it; nothing is changed.
        InvalidAmount: no line, an asset without a line, an amount that is not above zero, a period that does
            not fit into the source's, or a project of another organisation.
        AllocationNotFound: there is no such source.
        AllocationStateRefused: the source may not be used now.
        KeyReused: the key came before for another source, project or amounts.
    """
    require_positive(lines)
    if valid_to is not None:
        require_instant("valid_to", valid_to)
    parent = lock_allocation(conn, source)
    require_lines(parent, lines)
    if (before := _moved_before(conn, parent, target_project, lines, key)) is not None:
        return before
    require_usable(conn, parent, at)
    _require_same_organisation(conn, parent.project_id, target_project)
    ends_at = parent.valid_to if valid_to is None else valid_to
    if not at < ends_at <= parent.valid_to:
        raise InvalidAmount(
            "valid_to", "must be after now, and not after %(day)s", day=parent.valid_to.isoformat()
        )
    require_free(parent, lines)
    child_id = uuid4()
    conn.execute(
        insert(_ALLOCATIONS),
        {
            "id": child_id,
            "project_id": target_project,
            "valid_from": max(parent.valid_from, at),
            "valid_to": ends_at,
            "state": AllocationState.ACTIVE,
            "grant_key": _grant_key(key),
            "created_at": at,
            "parent_id": source,
            "hold_policy": parent.hold_policy,
        },
    )
    made = lock_allocation(conn, child_id)
    child = replace(made, lines=open_lines(conn, child_id, dict.fromkeys(parent.lines, 0), {}))
    transfer = _transfer(parent, child, lines, key=key, at=at, actor_id=actor_id, reason=reason)
    move_once(conn, transfer)
    return child_id


def return_budget(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    *,
    allocation_id: UUID,
    actor_id: UUID | None,
    reason: str,
    key: str,
    at: datetime,
) -> Mapping[Asset, int]:
    """Give what is free of a split-off allocation back to the one that it came from; what went back.

    It stays open, with what its jobs hold. The same key again moves nothing, and says so: it is empty then.
    When its period is over, or it is closed, the rest goes back by itself (`expire_due`, `close`). The
    caller commits.

    Raises:
        InvalidAmount: it was not split off.
        AllocationNotFound: there is no such allocation.
        AllocationStateRefused: the one that it came from has ended.
    """
    child, parent = lock_with_parent(conn, allocation_id)
    if parent is None:
        raise InvalidAmount("allocation_id", "was not split off another allocation")
    transfer_key = f"return:{allocation_id}:{key}"
    if is_key_used(conn, transfer_key):
        return {}
    if parent.has_ended:
        raise AllocationStateRefused(parent.id, parent.state, "What is left expires with its own period.")
    left = {asset: line.free for asset, line in sorted(child.lines.items()) if line.free}
    amounts: dict[int, int] = {}
    for asset, amount in left.items():
        amounts[child.lines[asset].available_id] = -amount
        amounts[line_for(parent, asset).available_id] = amount
    if amounts:
        move_once(
            conn,
            NewTransfer(TransferKind.MOVE, transfer_key, at, amounts, actor_id=actor_id, reason=reason),
        )
    return left


def _grant_key(key: str) -> str:
    return f"move:{key}"


def _moved_before(
    conn: Connection, parent: LockedAllocation, target: UUID, lines: Mapping[Asset, int], key: str
) -> UUID | None:
    row = conn.execute(
        select(_ALLOCATIONS.c.id, _ALLOCATIONS.c.project_id, _ALLOCATIONS.c.parent_id).where(
            _ALLOCATIONS.c.grant_key == _grant_key(key)
        )
    ).first()
    if row is None:
        return None
    if row.project_id != target or row.parent_id != parent.id:
        raise KeyReused(key)
    child = lock_allocation(conn, row.id)
    require_same(conn, _transfer(parent, child, lines, key=key))
    child_id: UUID = row.id
    return child_id


def _transfer(  # noqa: PLR0913 - one row
    parent: LockedAllocation,
    child: LockedAllocation,
    lines: Mapping[Asset, int],
    *,
    key: str,
    at: datetime | None = None,
    actor_id: UUID | None = None,
    reason: str = "",
) -> NewTransfer:
    amounts: dict[int, int] = {}
    for asset, amount in sorted(lines.items()):
        amounts[parent.lines[asset].available_id] = -amount
        amounts[line_for(child, asset).available_id] = amount
    when = at or parent.valid_from
    return NewTransfer(TransferKind.MOVE, _grant_key(key), when, amounts, actor_id=actor_id, reason=reason)


def require_usable(conn: Connection, parent: LockedAllocation, at: datetime) -> None:
    """Refuse to split budget off an allocation that pays for no new job now.

    Raises:
        AllocationStateRefused: it, or what it was split from, is suspended or has ended, or its period is not
            now.
    """
    standings = load_standings(conn, [parent.id])
    one = stopped_by(parent.id, standings) or standings[parent.id]
    if one.state != AllocationState.ACTIVE or not parent.valid_from <= at < parent.valid_to:
        raise AllocationStateRefused(
            one.id,
            one.state,
            "Budget is split off while it is active, from %(begin)s to %(end)s.",
            begin=one.valid_from.isoformat(),
            end=one.valid_to.isoformat(),
        )


def _require_same_organisation(conn: Connection, source: UUID, target: UUID) -> None:
    rows = conn.execute(
        select(_PROJECTS.c.id, _PROJECTS.c.organisation_id).where(_PROJECTS.c.id.in_([source, target]))
    ).all()
    if target not in {row.id for row in rows}:
        raise InvalidAmount("target_project", "there is no such project")
    if len({row.organisation_id for row in rows}) > 1:
        raise InvalidAmount("target_project", "must be a project of the same organisation")
