"""Set aside the next units of a rolling hold: a task of an array starts when its own unit is held."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from quotas.hold_tables import QuotaHold
from quotas.holds import HoldLine, lock_hold
from quotas.tables import table_of
from quotas.top_up import promisable, set_aside, take_all

_HOLDS = table_of(QuotaHold)
_ROLLING = (
    select(_HOLDS.c.job_id)
    .distinct()
    .where(_HOLDS.c.job_id.in_(bindparam("jobs", expanding=True)), _HOLDS.c.units_at_once.is_not(None))
)


def rolling_jobs(conn: Connection, jobs: Collection[UUID]) -> set[UUID]:
    """Those of these jobs whose hold is rolling: each of their tasks must be paid for before it starts."""
    return set(conn.execute(_ROLLING, {"jobs": list(jobs)}).scalars())


def roll_hold(conn: Connection, *, job_id: UUID, units: int, at: datetime) -> int:
    """Set aside up to `units` units of a job at once, and say how many are: fewer when the budget ends.

    `units` are those that are under way, unsettled, and those that shall start. What is set aside already
    counts, and stays. Again is fine. The caller commits.

    Raises:
        HoldNotFound: nothing was ever held for the job.
    """
    lines = lock_hold(conn, job_id)
    wanted = min(units, lines[0].units_open)
    while (held := _held(lines, wanted)) < wanted:
        payable = _payable(conn, lines, wanted, at)
        if payable <= held:
            break
        lacking = {line.asset: max(payable * line.unit_amount - line.open_amount, 0) for line in lines}
        if take_all(conn, lines, lacking) is None:
            set_aside(conn, lines, {line.asset: line.unit_amount for line in lines}, lacking, at)
            return payable
    return held  # else somebody was faster since we read


def _held(lines: Sequence[HoldLine], most: int) -> int:
    return min([most, *(line.open_amount // line.unit_amount for line in lines if line.unit_amount)])


def _payable(conn: Connection, lines: Sequence[HoldLine], most: int, at: datetime) -> int:
    """How many units could be set aside, with what is there already."""
    left = promisable(conn, lines, at)
    has_size = [line for line in lines if line.unit_amount]
    return min([most, *((left[line.asset] + line.open_amount) // line.unit_amount for line in has_size)])
