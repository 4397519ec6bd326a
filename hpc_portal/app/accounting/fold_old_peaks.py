"""Give records that are older than measures of memory the peaks that their runs had: some at a time."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, delete, select, update
from sqlmodel import col

from hpc_portal.app.tables import JobTask
from quotas.fold_peaks import fold_peaks
from quotas.tables import AccountingRecord
from quotas.usage_tables import UnfoldedPeaks

RECORDS_AT_ONCE = 2000
"""Looked at in one transaction, so that nobody waits long for it."""


def fold_old_peaks(connection: Connection) -> bool:
    """Look at the newest records that were not looked at yet; True while there may be more.

    It goes on where it was interrupted. A run whose job is not kept any more stays unmeasured. The caller
    commits, and calls again.
    """
    up_to = connection.execute(select(col(UnfoldedPeaks.up_to))).scalar()
    if up_to is None:
        return False
    records = connection.execute(
        select(col(AccountingRecord.id), col(AccountingRecord.run_key), col(AccountingRecord.job_id))
        .where(col(AccountingRecord.id) <= up_to)
        .order_by(col(AccountingRecord.id).desc())
        .limit(RECORDS_AT_ONCE)
    ).all()
    if not records:
        connection.execute(delete(UnfoldedPeaks))
        return False
    peaks = _peaks(connection, {record.job_id for record in records})
    of_these = {record.run_key for record in records}
    fold_peaks(connection, {key: peak for key, peak in peaks.items() if key in of_these})
    connection.execute(update(UnfoldedPeaks).values(up_to=min(record.id for record in records) - 1))
    return True


def _peaks(connection: Connection, jobs: Collection[UUID]) -> dict[str, int]:
    """Of their runs that were measured, in MiB, by run key."""
    rows = connection.execute(
        select(
            col(JobTask.job_id), col(JobTask.task_index), col(JobTask.attempt), col(JobTask.max_rss_mib)
        ).where(col(JobTask.job_id).in_(jobs), col(JobTask.max_rss_mib) > 0)
    )
    return {f"{row.job_id}/{row.task_index}/{row.attempt}": row.max_rss_mib for row in rows}
