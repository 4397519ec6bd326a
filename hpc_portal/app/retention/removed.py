"""Marks at jobs whose folder is no longer kept: set before it is deleted, taken back where that failed.

So a process that dies in between leaves no job without its files and without a word about them.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, update
from sqlmodel import col

from hpc_portal.app.retention.tables import RemovedJobFiles
from quotas.journal import insert_once
from quotas.tables import table_of

_MARKS = table_of(RemovedJobFiles)


def mark_removed(connection: Connection, job_ids: Collection[UUID], *, at: datetime, days: int) -> None:
    """Say of these jobs that their files went now, by the rule of so many days."""
    rows = [{"job_id": job_id, "removed_at": at, "kept_days": days} for job_id in job_ids]
    if not rows:
        return
    connection.execute(insert_once(_MARKS)[connection.dialect.name], rows)
    is_one = col(RemovedJobFiles.job_id).in_(job_ids)
    connection.execute(update(RemovedJobFiles).where(is_one).values(removed_at=at, kept_days=days))


def take_back(connection: Connection, job_ids: Collection[UUID]) -> None:
    """Their files are there after all."""
    if job_ids:
        connection.execute(delete(RemovedJobFiles).where(col(RemovedJobFiles.job_id).in_(job_ids)))
