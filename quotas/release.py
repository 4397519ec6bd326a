"""Give back what a job holds and will not use."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, select

from quotas.checks import require_whole
from quotas.errors import InvalidAmount
from quotas.hold_tables import HoldState
from quotas.holds import HoldLeft, HoldLine, lock_hold, write_left
from quotas.journal import move, record_transfer
from quotas.tables import AccountingRecord, TransferKind, table_of

_RECORDS = table_of(AccountingRecord)
_HAS_RUN = select(exists().where(_RECORDS.c.job_id == bindparam("job")))


def release_units(conn: Connection, *, job_id: UUID, units: int, at: datetime, reason: str) -> None:
    """Release the holds of array tasks that will never start.

    Every call releases: call it in the transaction that takes those tasks out of the queue.

    Raises:
        HoldNotFound: nothing was ever held for the job.
        InvalidAmount: so many units are not open; nothing is changed.
    """
    require_whole("units", units, least=1)
    lines = lock_hold(conn, job_id)
    if units > lines[0].units_open:
        raise InvalidAmount(
            "units", "%(units)s cannot be released: %(open)s are open", units=units, open=lines[0].units_open
        )
    _release(conn, lines, units, at=at, reason=reason)


def close_hold(conn: Connection, job_id: UUID, at: datetime) -> None:
    """Release whatever a job still holds; again is fine. Late runs can still be settled after it.

    Raises:
        HoldNotFound: nothing was ever held for the job.
    """
    lines = lock_hold(conn, job_id)
    if lines[0].units_open:
        _release(conn, lines, lines[0].units_open, at=at, reason="the job ended")


def _release(conn: Connection, lines: Sequence[HoldLine], units: int, *, at: datetime, reason: str) -> None:
    units_open = lines[0].units_open - units
    left = [
        HoldLeft(line, units_open, min(units_open * line.unit_amount, line.open_amount)) for line in lines
    ]
    freed = [after.line.open_amount - after.open_amount for after in left]
    amounts = {line.available_id: amount for line, amount in zip(lines, freed, strict=True)}
    amounts |= {line.held_id: -amount for line, amount in zip(lines, freed, strict=True)}
    if any(freed):
        move(conn, amounts)
        record_transfer(
            conn,
            kind=TransferKind.RELEASE,
            key=f"release:{lines[0].job_id}:{units_open}",
            at=at,
            amounts=amounts,
            job_id=lines[0].job_id,
            reason=reason,
        )
    closed_as = HoldState.OPEN if units_open else _closing_state(conn, lines[0].job_id)
    write_left(conn, left, closed_as=closed_as, at=at)


def _closing_state(conn: Connection, job_id: UUID) -> HoldState:
    has_run = conn.execute(_HAS_RUN, {"job": job_id}).scalar_one()
    return HoldState.SETTLED if has_run else HoldState.RELEASED
