"""The allocations that could pay for new jobs, with what each of their lines can still promise."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from quotas.amounts import Asset
from quotas.standing import Standing, lock_current, stopped_by
from quotas.tables import AllocationLine, HoldPolicy, LedgerAccount, table_of

_LINES = table_of(AllocationLine)
_ACCOUNTS = table_of(LedgerAccount)

_PROMISABLE = (
    select(
        _LINES.c.allocation_id,
        _LINES.c.asset,
        _LINES.c.available_id,
        _LINES.c.held_id,
        (_ACCOUNTS.c.balance + _ACCOUNTS.c.overdraft).label("promisable"),
    )
    .join_from(_LINES, _ACCOUNTS, _ACCOUNTS.c.id == _LINES.c.available_id)
    .where(_LINES.c.allocation_id.in_(bindparam("ids", expanding=True)))
    .order_by(_LINES.c.available_id)
)


@dataclass(slots=True)
class PayingLine:
    """One asset of an allocation."""

    allocation_id: UUID
    asset: Asset
    available_id: int
    held_id: int
    hold_policy: HoldPolicy
    promisable: int
    """As it was read, less what was planned to be taken since."""


@dataclass(slots=True)
class Payer:
    """One allocation of a project."""

    stopped_by: Standing | None
    """Why it pays for no new job: itself, or what it was split from, is not active."""
    lines: list[PayingLine] = field(default_factory=list)


def read_payers(conn: Connection, projects: Collection[UUID], at: datetime) -> Mapping[UUID, Sequence[Payer]]:
    """By project, the one that expires first in front; until the transaction ends nobody stops any of them.

    What can be promised may change in the meantime: whoever takes of it decides that in the database.
    """
    standings = lock_current(conn, projects, at)
    current = sorted(
        (
            one
            for one in standings.values()
            if one.project_id in projects and one.valid_from <= at < one.valid_to
        ),
        key=lambda one: (one.valid_to, one.id),
    )
    payers = {one.id: Payer(stopped_by(one.id, standings)) for one in current}
    for row in conn.execute(_PROMISABLE, {"ids": list(payers)}):
        policy = standings[row.allocation_id].hold_policy
        payers[row.allocation_id].lines.append(
            PayingLine(row.allocation_id, row.asset, row.available_id, row.held_id, policy, row.promisable)
        )
    found: dict[UUID, list[Payer]] = {project: [] for project in projects}
    for one in current:
        found[one.project_id].append(payers[one.id])
    return found
