"""Runs that ended a day ago and that their cluster has not accounted: settled for now by what was seen."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.db import AnyRow
from hpc_portal.app.tables import Job
from quotas import discrepancies
from quotas.discrepancies import Finding
from quotas.usage_tables import DiscrepancyKind
from schedulers.jobspec import JobSpec
from schedulers.jobstate import JobUsage

PROVISIONAL_AFTER = timedelta(days=1)
"""After its end; the accounting is compared for two days more, and the difference posted (jobs.correct)."""

RunId: TypeAlias = tuple[UUID, int, int]
"""Job, task index, attempt."""


def without_record(rows: Iterable[AnyRow], *, now: datetime) -> list[AnyRow]:
    """Those that ran and ended so long ago that no record may ever come. Pure."""
    return [row for row in rows if row.started_at and row.ended_at <= now - PROVISIONAL_AFTER]


def seen_usage(connection: Connection, rows: Sequence[AnyRow]) -> Mapping[RunId, JobUsage]:
    """What they used as far as the portal saw it: what they asked for, from their start to their end."""
    found = connection.execute(
        select(col(Job.id), col(Job.spec)).where(col(Job.id).in_({row.job_id for row in rows}))
    )
    asked = {job.id: JobSpec.model_validate(job.spec).resources.tres for job in found}
    return {
        (row.job_id, row.task_index, row.attempt): JobUsage(
            started_at=row.started_at,
            ended_at=row.ended_at,
            elapsed_seconds=max(math.ceil((row.ended_at - row.started_at).total_seconds()), 0),
            allocated_tres=asked[row.job_id],
        )
        for row in rows
    }


def flag_provisional(connection: Connection, cluster: str, rows: Iterable[AnyRow], *, at: datetime) -> None:
    """Put them on the work list: somebody must look why the cluster lost them."""
    findings = [
        Finding(
            DiscrepancyKind.NO_RECORD,
            f"no_record:{row.job_id}/{row.task_index}/{row.attempt}",
            {
                "cluster": cluster,
                "job_id": str(row.job_id),
                "scheduler_job_id": row.scheduler_job_id,
                "task_index": row.task_index,
                "ended_at": row.ended_at.isoformat(),
            },
        )
        for row in rows
    ]
    discrepancies.report(connection, findings, at=at)
