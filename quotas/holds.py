"""The rows of a job's hold: read and lock them, and write what is left of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from quotas.amounts import Asset
from quotas.errors import HoldNotFound
from quotas.hold_tables import HoldState, QuotaHold
from quotas.tables import AllocationLine, table_of

_HOLDS = table_of(QuotaHold)
_LINES = table_of(AllocationLine)

_LOCK = (
    select(
        _HOLDS.c.job_id,
        _HOLDS.c.allocation_id,
        _HOLDS.c.asset,
        _HOLDS.c.project_id,
        _HOLDS.c.partition,
        _HOLDS.c.price_list_id,
        _HOLDS.c.subsidy_rule_id,
        _HOLDS.c.unit_amount,
        _HOLDS.c.units_open,
        _HOLDS.c.units_at_once,
        _HOLDS.c.open_amount,
        _LINES.c.available_id,
        _LINES.c.held_id,
        _LINES.c.consumed_id,
    )
    .join_from(
        _HOLDS,
        _LINES,
        (_LINES.c.allocation_id == _HOLDS.c.allocation_id) & (_LINES.c.asset == _HOLDS.c.asset),
    )
    .where(_HOLDS.c.job_id == bindparam("job"))
    .order_by(_LINES.c.available_id)
    .with_for_update(of=_HOLDS)
)
_UPDATE = (
    update(_HOLDS)
    .where(
        _HOLDS.c.job_id == bindparam("job"),
        _HOLDS.c.allocation_id == bindparam("allocation"),
        _HOLDS.c.asset == bindparam("line"),
    )
    .values(
        units_open=bindparam("units"),
        open_amount=bindparam("amount"),
        state=bindparam("new_state"),
        closed_at=bindparam("closed"),
    )
)
_RESIZE = (
    update(_HOLDS)
    .where(
        _HOLDS.c.job_id == bindparam("job"),
        _HOLDS.c.allocation_id == bindparam("allocation"),
        _HOLDS.c.asset == bindparam("line"),
    )
    .values(unit_amount=bindparam("unit"), open_amount=bindparam("amount"))
)


@dataclass(frozen=True, slots=True)
class HoldLine:
    """What a job holds in one asset, and the accounts that it moves between."""

    job_id: UUID
    allocation_id: UUID
    asset: Asset
    project_id: UUID
    partition: str
    price_list_id: int
    subsidy_rule_id: int | None
    unit_amount: int
    units_open: int
    units_at_once: int | None
    open_amount: int
    available_id: int
    held_id: int
    consumed_id: int

    @property
    def units_held(self) -> int:
        """How many open units shall be set aside now; of a rolling hold, no fewer than those that are."""
        if self.units_at_once is None:
            return self.units_open
        begun = -(-self.open_amount // self.unit_amount) if self.unit_amount else 0
        return min(self.units_open, max(self.units_at_once, begun))


def window(units_open: int, units_at_once: int | None) -> int:
    """How many of the open units are set aside at a time."""
    return units_open if units_at_once is None else min(units_open, units_at_once)


@dataclass(frozen=True, slots=True)
class HoldLeft:
    """What is left of a line after units were closed or used."""

    line: HoldLine
    units_open: int
    open_amount: int


def lock_hold(conn: Connection, job_id: UUID) -> Sequence[HoldLine]:
    """A job's hold, by rising account ids; on PostgreSQL locked until the transaction ends.

    (On SQLite the caller's BEGIN IMMEDIATE locks everything.)

    Raises:
        HoldNotFound: nothing was ever held for the job.
    """
    lines = [HoldLine(**row) for row in conn.execute(_LOCK, {"job": job_id}).mappings()]
    if not lines:
        raise HoldNotFound(job_id)
    return lines


def write_left(conn: Connection, left: Sequence[HoldLeft], *, closed_as: HoldState, at: datetime) -> None:
    """Store what is left; a line without open units ends, as `closed_as`."""
    conn.execute(
        _UPDATE,
        [
            {
                "job": after.line.job_id,
                "allocation": after.line.allocation_id,
                "line": after.line.asset,
                "units": after.units_open,
                "amount": after.open_amount,
                "new_state": HoldState.OPEN if after.units_open else closed_as,
                "closed": None if after.units_open else at,
            }
            for after in left
        ],
    )


def write_size(
    conn: Connection, lines: Sequence[HoldLine], *, units: Mapping[Asset, int], amounts: Mapping[Asset, int]
) -> None:
    """Store how large each unit of these lines is now, and what all open ones hold together."""
    conn.execute(
        _RESIZE,
        [
            {
                "job": line.job_id,
                "allocation": line.allocation_id,
                "line": line.asset,
                "unit": units[line.asset],
                "amount": amounts[line.asset],
            }
            for line in lines
        ],
    )
