"""Folders of jobs that ended long ago; what somebody disputes stays, and what a project's people share."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from uuid import UUID

import structlog
from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.budgets.tables import RefundCase, RefundCaseState
from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.open_file import open_folder
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.project_files.remove import destroy
from hpc_portal.app.tables import Job

log = structlog.get_logger()

JOBS_AT_ONCE = 100
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class OldJob:
    """A job whose folder may go."""

    id: UUID
    workspace: str
    """Relative to the workspace root."""


def old_jobs(connection: Connection, at: datetime, *, days: int, after: UUID = _FIRST) -> Sequence[OldJob]:
    """Closed jobs, oldest first, some at once: charged or refused so long ago, and no refund of them open."""
    closed_at = func.coalesce(col(Job.settled_at), col(Job.ended_at), col(Job.submitted_at))
    disputed = select(col(RefundCase.job_id)).where(col(RefundCase.state) == RefundCaseState.OPEN)
    rows = connection.execute(
        select(col(Job.id), col(Job.workspace))
        .where(
            col(Job.id) > after,
            col(Job.phase).in_([Phase.SETTLED, Phase.REFUSED]),
            col(Job.is_external).is_(False),
            closed_at <= at - timedelta(days=days),
            col(Job.id).not_in(disputed),
        )
        .order_by(col(Job.id))
        .limit(JOBS_AT_ONCE)
    )
    return [OldJob(row.id, row.workspace) for row in rows]


def has_folder(root: Path, job: OldJob) -> bool:
    """Whether there is anything to delete."""
    try:
        with open_folder(root, str(PurePosixPath(job.workspace).parent)) as parent:
            os.stat(str(job.id), dir_fd=parent, follow_symlinks=False)
    except (FileNotInWorkspace, OSError):
        return False
    return True


def remove_folder(root: Path, job: OldJob) -> bool:
    """Delete the job's folder and all in it, through no link; whether there was one.

    One that cannot be deleted, since it belongs to another account, is said in the log and left.
    """
    path = PurePosixPath(job.workspace)
    if path.name != str(job.id) or not has_folder(root, job):
        return False
    try:
        with open_folder(root, str(path.parent)) as parent:
            destroy(path.name, parent)
    except OSError as error:
        log.warning("retention.folder_not_removed", job_id=str(job.id), problem=str(error))
        return False
    return True
