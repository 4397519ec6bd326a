"""What a job was charged and what of it was given back, asset by asset; one at a time for each job."""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, func, select, text

from quotas.amounts import Asset
from quotas.money import VND
from quotas.tables import AccountingRecord, AllocationLine, Entry, Transfer, TransferKind, table_of

_RECORDS = table_of(AccountingRecord)
_LINES = table_of(AllocationLine)
_TRANSFERS = table_of(Transfer)
_ENTRIES = table_of(Entry)
_LATER = _RECORDS.alias("later")

IS_NO_JOB_STEP = text("transfer.kind NOT IN ('hold', 'settle', 'release', 'correct')")
"""Written as the partial index is: there are few such transfers among very many."""

_LATEST_OF_JOB = select(_RECORDS.c.allocation_id, _RECORDS.c.vnd, _RECORDS.c.tres_seconds).where(
    _RECORDS.c.job_id == bindparam("job"),
    _RECORDS.c.is_charged,
    ~exists().where(_LATER.c.run_key == _RECORDS.c.run_key, _LATER.c.revision > _RECORDS.c.revision),
)
_REFUNDS = (
    select(_LINES.c.allocation_id, _LINES.c.asset, func.sum(_ENTRIES.c.amount).label("consumed"))
    .join_from(_TRANSFERS, _ENTRIES, _ENTRIES.c.transfer_id == _TRANSFERS.c.id)
    .join(_LINES, _LINES.c.consumed_id == _ENTRIES.c.account_id)
    .where(_TRANSFERS.c.kind == TransferKind.REFUND)
    .group_by(_LINES.c.allocation_id, _LINES.c.asset)
)
_REFUNDED = _REFUNDS.where(
    _TRANSFERS.c.job_id == bindparam("job"),
    _TRANSFERS.c.idempotency_key.startswith(bindparam("beginning")),
)
_REFUNDED_BY_LINE = _REFUNDS.where(IS_NO_JOB_STEP)
_LINES_OF = select(_LINES.c.allocation_id, _LINES.c.asset, _LINES.c.available_id, _LINES.c.consumed_id).where(
    _LINES.c.allocation_id.in_(bindparam("ids", expanding=True))
)
LOST = "lost:"
"""How the keys of refunds begin that nobody decided on."""
_LOCK_KEYS = 2**63

OfLine = tuple[UUID, Asset]
"""An allocation and one of its assets."""


def lock_charges(conn: Connection, job_id: UUID) -> None:
    """Let nobody else refund or correct this job's charges until the transaction ends.

    (On SQLite the caller's BEGIN IMMEDIATE locks everything.)
    """
    if conn.dialect.name == "postgresql":
        conn.execute(select(func.pg_advisory_xact_lock(job_id.int % _LOCK_KEYS)))


def charged(conn: Connection, job_id: UUID) -> Mapping[OfLine, int]:
    """What its runs cost by the newest revision of each, in the assets that the payer has a line for."""
    total: Counter[OfLine] = Counter()
    for row in conn.execute(_LATEST_OF_JOB, {"job": job_id}):
        total[row.allocation_id, VND] += row.vnd
        for asset, amount in row.tres_seconds.items():
            total[row.allocation_id, asset] += amount
    lines = conn.execute(_LINES_OF, {"ids": list({allocation for allocation, _ in total})})
    return {(row.allocation_id, row.asset): total[row.allocation_id, row.asset] for row in lines}


def refunded(conn: Connection, job_id: UUID, *, key: str = "") -> Mapping[OfLine, int]:
    """What was given back, less what a correction took back again; of keys that begin so, or of all."""
    beginning = f"refund:{job_id}:{key}" if key else ""
    rows = conn.execute(_REFUNDED, {"job": job_id, "beginning": beginning})
    return {(row.allocation_id, row.asset): -int(row.consumed) for row in rows}


def refund_entries(conn: Connection, given: Mapping[OfLine, int]) -> dict[int, int]:
    """By account: from consumed to available, or back where it is negative."""
    moved: dict[int, int] = {}
    for row in conn.execute(_LINES_OF, {"ids": list({allocation for allocation, _ in given})}):
        if amount := given.get((row.allocation_id, row.asset)):
            moved |= {row.consumed_id: -amount, row.available_id: amount}
    return moved


def refunded_by_line(conn: Connection) -> Mapping[OfLine, int]:
    """What was given back to each allocation so far, over all jobs."""
    rows = conn.execute(_REFUNDED_BY_LINE)
    return {(row.allocation_id, row.asset): -int(row.consumed) for row in rows}
