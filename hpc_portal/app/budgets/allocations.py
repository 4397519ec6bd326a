"""Allocations as administrators and their projects look at them: reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Result, Select, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.tables import User
from quotas.allocation_tables import AllocationEvent, AllocationEventKind
from quotas.errors import AllocationNotFound
from quotas.standing import stopped_ones
from quotas.tables import (
    AccountKind,
    AccountOwner,
    Allocation,
    AllocationState,
    HoldPolicy,
    LedgerAccount,
    Organisation,
    Project,
)


@dataclass(frozen=True, slots=True)
class AllocationLineSeen:
    """One asset: where what came in is now."""

    asset: str
    available: int
    held: int
    consumed: int
    expired: int
    overdraft: int

    @property
    def total(self) -> int:
        """What there is, used or not; what expired is gone."""
        return self.available + self.held + self.consumed

    @property
    def used_percent(self) -> int:
        """Used or held, of what there is."""
        return 100 * (self.held + self.consumed) // self.total if self.total > 0 else 0


@dataclass(frozen=True, slots=True)
class AllocationSeen:
    """One allocation with its lines."""

    id: UUID
    project: str
    """The project's account."""
    organisation: str
    """A slug."""
    valid_from: datetime
    valid_to: datetime
    state: AllocationState
    hold_policy: HoldPolicy
    parent_id: UUID | None
    stopped_by: UUID | None
    """What it was split from is suspended or has ended, here or further up: it pays for nothing new."""
    lines: Sequence[AllocationLineSeen]


@dataclass(frozen=True, slots=True)
class AllocationEventSeen:
    """What happened to it, and who did it."""

    kind: AllocationEventKind
    was: str
    became: str
    by: str | None
    """A username; None: the portal itself."""
    reason: str
    at: datetime


def list_allocations(
    session: Session,
    actor: Actor,
    *,
    project: str | None = None,
    ended: bool = False,
    limit: int = 200,
) -> list[AllocationSeen]:
    """Allocations of projects that the actor may see, the one that ends first in front; or ended ones."""
    over = col(Allocation.state).in_([AllocationState.EXPIRED, AllocationState.CLOSED])
    statement = _SELECT.where(permissions.visible_projects(actor), over if ended else ~over)
    if project:
        statement = statement.where(col(Project.account) == project)
    by_end = col(Allocation.valid_to).desc() if ended else col(Allocation.valid_to)
    return _read(session.connection(), statement.order_by(by_end, col(Allocation.id)).limit(limit))


def get_allocation(session: Session, actor: Actor, allocation_id: UUID) -> AllocationSeen:
    """One of them.

    Raises:
        AllocationNotFound: there is none, or none that the actor may see.
    """
    statement = _SELECT.where(permissions.visible_projects(actor), col(Allocation.id) == allocation_id)
    found = _read(session.connection(), statement)
    if not found:
        raise AllocationNotFound(allocation_id)
    return found[0]


def allocation_events(session: Session, actor: Actor, allocation_id: UUID) -> list[AllocationEventSeen]:
    """What happened to it, the oldest first.

    Raises:
        AllocationNotFound: there is none, or none that the actor may see.
    """
    get_allocation(session, actor, allocation_id)
    rows: Result[*tuple[Any, ...]] = session.connection().execute(
        select(
            col(AllocationEvent.kind),
            col(AllocationEvent.was),
            col(AllocationEvent.became),
            col(User.username).label("by"),
            col(AllocationEvent.reason),
            col(AllocationEvent.at),
        )
        .join(User, col(User.id) == col(AllocationEvent.actor_id), isouter=True)
        .where(col(AllocationEvent.allocation_id) == allocation_id)
        .order_by(col(AllocationEvent.sequence))
    )
    return [AllocationEventSeen(**row) for row in rows.mappings()]


def read_lines(connection: Connection, ids: Sequence[UUID]) -> Mapping[UUID, Sequence[AllocationLineSeen]]:
    """The lines of these allocations, đồng first."""
    rows = connection.execute(
        select(
            col(LedgerAccount.owner_id),
            col(LedgerAccount.asset),
            col(LedgerAccount.kind),
            col(LedgerAccount.balance),
            col(LedgerAccount.overdraft),
        ).where(
            col(LedgerAccount.owner_kind) == AccountOwner.ALLOCATION,
            col(LedgerAccount.owner_id).in_(ids),
        )
    )
    balances: dict[tuple[UUID, str], dict[AccountKind, int]] = {}
    overdrafts: dict[tuple[UUID, str], int] = {}
    for row in rows:
        line = (row.owner_id, row.asset)
        balances.setdefault(line, {})[row.kind] = row.balance
        overdrafts[line] = max(overdrafts.get(line, 0), row.overdraft)
    found: dict[UUID, list[AllocationLineSeen]] = {one: [] for one in ids}
    for (owner, asset), by_kind in sorted(
        balances.items(), key=lambda item: (item[0][1] != "VND", item[0][1])
    ):
        found[owner].append(
            AllocationLineSeen(
                asset,
                by_kind.get(AccountKind.AVAILABLE, 0),
                by_kind.get(AccountKind.HELD, 0),
                by_kind.get(AccountKind.CONSUMED, 0),
                by_kind.get(AccountKind.EXPIRED, 0),
                overdrafts[owner, asset],
            )
        )
    return found


def _read(connection: Connection, statement: Select[*tuple[Any, ...]]) -> list[AllocationSeen]:
    rows = connection.execute(statement).mappings().all()
    lines = read_lines(connection, [row["id"] for row in rows]) if rows else {}
    stops = stopped_ones(connection, {row["id"]: row["parent_id"] for row in rows})
    stopped_by = {one: stop.id for one, stop in stops.items() if stop.id != one}
    return [
        AllocationSeen(**row, stopped_by=stopped_by.get(row["id"]), lines=lines[row["id"]]) for row in rows
    ]


_SELECT: Select[*tuple[Any, ...]] = (
    select(
        col(Allocation.id),
        col(Project.account).label("project"),
        col(Organisation.slug).label("organisation"),
        col(Allocation.valid_from),
        col(Allocation.valid_to),
        col(Allocation.state),
        col(Allocation.hold_policy),
        col(Allocation.parent_id),
    )
    .join(Project, col(Project.id) == col(Allocation.project_id))
    .join(Organisation, col(Organisation.id) == col(Project.organisation_id))
)
