"""What a project has: granted, held, consumed, available, and what can still be promised."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, select

from quotas.amounts import Asset
from quotas.standing import stopped_ones
from quotas.tables import Allocation, AllocationLine, AllocationState, LedgerAccount, table_of

_ALLOCATIONS = table_of(Allocation)
_LINES = table_of(AllocationLine)
_ACCOUNTS = table_of(LedgerAccount)
_AVAILABLE = _ACCOUNTS.alias("available")
_HELD = _ACCOUNTS.alias("held")
_CONSUMED = _ACCOUNTS.alias("consumed")

_BALANCES = (
    select(
        _ALLOCATIONS.c.project_id,
        _ALLOCATIONS.c.id,
        _ALLOCATIONS.c.valid_from,
        _ALLOCATIONS.c.valid_to,
        _ALLOCATIONS.c.state,
        _ALLOCATIONS.c.parent_id,
        _LINES.c.asset,
        _AVAILABLE.c.balance.label("available"),
        _AVAILABLE.c.overdraft,
        _HELD.c.balance.label("held"),
        _CONSUMED.c.balance.label("consumed"),
    )
    .join_from(_ALLOCATIONS, _LINES, _LINES.c.allocation_id == _ALLOCATIONS.c.id)
    .join(_AVAILABLE, _AVAILABLE.c.id == _LINES.c.available_id)
    .join(_HELD, _HELD.c.id == _LINES.c.held_id)
    .join(_CONSUMED, _CONSUMED.c.id == _LINES.c.consumed_id)
    .where(
        _ALLOCATIONS.c.project_id.in_(bindparam("projects", expanding=True)),
        _ALLOCATIONS.c.valid_from <= bindparam("at"),
        (_ALLOCATIONS.c.valid_to > bindparam("at")) | (_HELD.c.balance > 0),
    )
    .order_by(_ALLOCATIONS.c.project_id, _ALLOCATIONS.c.valid_to, _ALLOCATIONS.c.id, _LINES.c.asset)
)


@dataclass(frozen=True, slots=True)
class AssetBalance:
    """One asset, in TRES-seconds or đồng. granted = available + held + consumed."""

    available: int = 0
    """Below zero after an overrun or within the overdraft."""
    held: int = 0
    consumed: int = 0
    promisable: int = 0
    """What new jobs can still hold: available and overdraft, of allocations that may be used now."""

    @property
    def granted(self) -> int:
        """All there is, wherever it is now."""
        return self.available + self.held + self.consumed

    def __add__(self, other: "AssetBalance") -> "AssetBalance":
        return AssetBalance(
            self.available + other.available,
            self.held + other.held,
            self.consumed + other.consumed,
            self.promisable + other.promisable,
        )


@dataclass(frozen=True, slots=True)
class AllocationBalance:
    """One allocation, asset by asset."""

    allocation_id: UUID
    valid_from: datetime
    valid_to: datetime
    state: AllocationState
    by_asset: Mapping[Asset, AssetBalance]


@dataclass(frozen=True, slots=True)
class Balance:
    """A project's allocations, the one that expires first (and is used first) in front."""

    allocations: tuple[AllocationBalance, ...]

    @property
    def by_asset(self) -> dict[Asset, AssetBalance]:
        """The sum over the allocations. One hold must fit into one of them."""
        total: dict[Asset, AssetBalance] = {}
        for allocation in self.allocations:
            for asset, amounts in allocation.by_asset.items():
                total[asset] = total.get(asset, AssetBalance()) + amounts
        return total


def balance(conn: Connection, project_id: UUID, at: datetime) -> Balance:
    """The project's allocations whose period contains `at`, and what ended ones still hold for jobs."""
    return balances(conn, [project_id], at)[project_id]


def balances(conn: Connection, project_ids: Collection[UUID], at: datetime) -> dict[UUID, Balance]:
    """The same of each of these projects, in as many statements as for one."""
    rows = conn.execute(_BALANCES, {"projects": list(project_ids), "at": at}).all()
    stopped = stopped_ones(conn, {row.id: row.parent_id for row in rows})
    found: dict[UUID, list[AllocationBalance]] = {project_id: [] for project_id in project_ids}
    for allocation_id, group in groupby(rows, key=lambda row: row.id):
        lines = list(group)
        project_id, _, valid_from, valid_to, state, *_ = lines[0]
        is_usable = state == AllocationState.ACTIVE and at < valid_to and allocation_id not in stopped
        by_asset = {line.asset: _asset_balance(line, is_usable=is_usable) for line in lines}
        found[project_id].append(AllocationBalance(allocation_id, valid_from, valid_to, state, by_asset))
    return {project_id: Balance(tuple(allocations)) for project_id, allocations in found.items()}


def _asset_balance(line: Row[*tuple[Any, ...]], *, is_usable: bool) -> AssetBalance:
    promisable = max(line.available + line.overdraft, 0) if is_usable else 0
    return AssetBalance(line.available, line.held, line.consumed, promisable)
