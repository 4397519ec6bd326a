"""Grant a project budget for a period."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection, select

from quotas.allocation_lines import open_lines
from quotas.amounts import Asset
from quotas.checks import require_amounts, require_instant
from quotas.errors import InvalidAmount, KeyReused
from quotas.journal import NewTransfer, insert_once, move_once, open_account
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
        InvalidAmount: no line, an unknown asset, a negative or huge amount, an empty period, or one centuries
            away.
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
    amounts = {programme_account(conn, asset): -lines[asset] for asset in sorted(lines)}
    opened = open_lines(conn, allocation_id, lines, allowed)
    amounts |= {line.available_id: lines[asset] for asset, line in opened.items()}
    key = f"grant:{idempotency_key}"
    move_once(conn, NewTransfer(TransferKind.GRANT, key, at, amounts, actor_id=actor_id, reason=reason))
    return allocation_id


def programme_account(conn: Connection, asset: Asset) -> int:
    """Where all grants of an asset come from."""
    owner = (AccountOwner.PROGRAMME, THE_PROGRAMME)
    return open_account(conn, owner=owner, kind=AccountKind.PROGRAMME, asset=asset)


def _require_sensible(
    lines: Mapping[Asset, int], overdraft: Mapping[Asset, int], *, valid_from: datetime, valid_to: datetime
) -> None:
    require_amounts(lines, allow_vnd=True)
    require_amounts(overdraft, allow_vnd=True)
    if not lines:
        raise InvalidAmount("lines", "a grant needs at least one line")
    if extra := overdraft.keys() - lines.keys():
        raise InvalidAmount("overdraft", "%(assets)s has no line", assets=", ".join(sorted(extra)))
    require_instant("valid_from", valid_from)
    require_instant("valid_to", valid_to)
    if valid_from >= valid_to:
        raise InvalidAmount("valid_to", "must be after valid_from")


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
