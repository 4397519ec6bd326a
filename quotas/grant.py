"""Grant a project budget for a period."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert, select

from quotas.amounts import Asset
from quotas.checks import require_amounts
from quotas.errors import InvalidAmount, KeyReused
from quotas.journal import insert_once, move, open_account, record_transfer
from quotas.tables import (
    AccountKind,
    AccountOwner,
    Allocation,
    AllocationLine,
    AllocationState,
    TransferKind,
    table_of,
)

THE_PROGRAMME = UUID(int=0)
"""Owner of the accounts that all grants come from; their balance is minus what was granted."""

_ALLOCATIONS = table_of(Allocation)
_LINES = table_of(AllocationLine)


def grant(  # noqa: PLR0913 - the facts of a grant, all by keyword
    conn: Connection,
    *,
    project_id: UUID,
    lines: Mapping[Asset, int],
    valid_from: datetime,
    valid_to: datetime,
    overdraft: Mapping[Asset, int] | None,
    actor_id: UUID | None,
    reason: str,
    idempotency_key: str,
    at: datetime,
) -> UUID:
    """Move budget from the programme to a new allocation of the project; returns the allocation's id.

    `lines` are TRES-seconds by TRES, or đồng under `VND`; `overdraft` is how far below zero holds may take
    a line, none where it is missing. The same key again returns the same allocation and grants nothing.
    The caller commits.

    Raises:
        InvalidAmount: no line, an unknown asset, a negative amount, or an empty period.
        KeyReused: the key came before with another project or other lines.
    """
    allowed = overdraft or {}
    _require_sensible(lines, allowed, valid_from=valid_from, valid_to=valid_to)
    allocation_id = uuid4()
    made = conn.execute(
        insert_once(_ALLOCATIONS)[conn.dialect.name].returning(_ALLOCATIONS.c.id),
        {
            "id": allocation_id,
            "project_id": project_id,
            "valid_from": valid_from,
            "valid_to": valid_to,
            "state": AllocationState.ACTIVE,
            "grant_key": idempotency_key,
            "created_at": at,
        },
    ).scalar_one_or_none()
    if made is None:
        return _granted_before(conn, idempotency_key, project_id, lines)
    amounts = _open_lines(conn, allocation_id, lines, allowed)
    move(conn, amounts)
    record_transfer(
        conn,
        kind=TransferKind.GRANT,
        key=f"grant:{idempotency_key}",
        at=at,
        amounts=amounts,
        actor_id=actor_id,
        reason=reason,
    )
    return allocation_id


def _require_sensible(
    lines: Mapping[Asset, int], overdraft: Mapping[Asset, int], *, valid_from: datetime, valid_to: datetime
) -> None:
    require_amounts(lines, allow_vnd=True)
    require_amounts(overdraft, allow_vnd=True)
    if not lines:
        raise InvalidAmount("lines", "a grant needs at least one line")
    if extra := overdraft.keys() - lines.keys():
        raise InvalidAmount("overdraft", "%(assets)s has no line", assets=", ".join(sorted(extra)))
    if valid_from >= valid_to:
        raise InvalidAmount("valid_to", "must be after valid_from")


def _open_lines(
    conn: Connection, allocation_id: UUID, lines: Mapping[Asset, int], overdraft: Mapping[Asset, int]
) -> dict[int, int]:
    """Open the accounts of all lines, kind by kind (see AllocationLine); what the grant moves, by account."""
    assets = sorted(lines)
    programme = (AccountOwner.PROGRAMME, THE_PROGRAMME)
    owner = (AccountOwner.ALLOCATION, allocation_id)
    sources = {a: open_account(conn, owner=programme, kind=AccountKind.PROGRAMME, asset=a) for a in assets}
    available = {
        a: open_account(conn, owner=owner, kind=AccountKind.AVAILABLE, asset=a, overdraft=overdraft.get(a, 0))
        for a in assets
    }
    held = {a: open_account(conn, owner=owner, kind=AccountKind.HELD, asset=a) for a in assets}
    consumed = {a: open_account(conn, owner=owner, kind=AccountKind.CONSUMED, asset=a) for a in assets}
    conn.execute(
        insert(_LINES),
        [
            {
                "allocation_id": allocation_id,
                "asset": asset,
                "granted": lines[asset],
                "available_id": available[asset],
                "held_id": held[asset],
                "consumed_id": consumed[asset],
            }
            for asset in assets
        ],
    )
    return {sources[a]: -lines[a] for a in assets} | {available[a]: lines[a] for a in assets}


def _granted_before(conn: Connection, key: str, project_id: UUID, lines: Mapping[Asset, int]) -> UUID:
    stored = conn.execute(
        select(_ALLOCATIONS.c.id, _ALLOCATIONS.c.project_id, _LINES.c.asset, _LINES.c.granted)
        .join_from(_ALLOCATIONS, _LINES, _LINES.c.allocation_id == _ALLOCATIONS.c.id)
        .where(_ALLOCATIONS.c.grant_key == key)
    ).all()
    same_lines = {row.asset: row.granted for row in stored} == dict(lines)
    if not same_lines or stored[0].project_id != project_id:
        raise KeyReused(key)
    allocation_id: UUID = stored[0].id
    return allocation_id
