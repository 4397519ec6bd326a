"""Which file a task writes, whether it still writes, and what its log says from a line on."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.log_index import open_log
from hpc_portal.app.files.read_log import LogWindow, empty_window, read_lines, read_tail
from hpc_portal.app.files.search_log import LogPattern, SearchedLog, search_backward, search_forward
from hpc_portal.app.jobs import queries
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job, JobTask


class LogStream(StrEnum):
    """The two outputs of a program; they are one file unless the job keeps them apart."""

    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log, whether or not its file exists yet."""

    job_id: UUID
    task_index: int
    root: Path
    workspace: str
    path: str
    """Relative to the workspace."""


def find_log(
    services: Services, actor: Actor, job_id: UUID, *, task: int | None = None, stream: LogStream
) -> LogSource:
    """The log of a task; without a task, of the first one.

    Raises:
        JobNotFound: there is no such job, or the actor may not see it.
        FileNotInWorkspace: the job has no task of that index.
    """
    with services.reading() as session:
        job = queries.get_job(session, actor, job_id)
    indices = job.spec.array.ranges if job.spec.array else [range(1)]
    index = indices[0].start if task is None else task
    if not any(index in members for members in indices):
        raise FileNotInWorkspace(f"of task {index}")
    stdout, stderr = job.spec.output_path(job_id=job.id, task_index=index, user=job.cluster_user)
    return LogSource(
        job_id=job.id,
        task_index=index,
        root=services.settings.effective_workspace_root,
        workspace=job.workspace,
        path=stderr if stream is LogStream.STDERR else stdout,
    )


def read_log(
    services: Services, source: LogSource, first_line: int | None, limit: int
) -> tuple[LogWindow, bool]:
    """Lines from a number on (None: the last ones), and whether the task will write no more.

    None while the file does not exist. A last line without a newline is whole once the task has ended.
    """
    with services.reading() as session:
        has_ended = has_task_ended(session, source.job_id, source.task_index)
    try:
        with open_log(source.root, source.workspace, source.path) as log:
            if first_line is None:
                return read_tail(log, limit, with_partial=has_ended), has_ended
            return read_lines(log, first_line, limit, with_partial=has_ended), has_ended
    except FileNotInWorkspace:
        return empty_window(first_line or 0), has_ended


def search_log(
    source: LogSource, pattern: LogPattern, from_line: int, limit: int, *, backward: bool = False
) -> SearchedLog:
    """Lines that hold the pattern, for a bounded time; nothing while the file does not exist.

    Asks nobody: `find_log` did.
    """
    search = search_backward if backward else search_forward
    try:
        with open_log(source.root, source.workspace, source.path) as log:
            return search(log, pattern, from_line, limit)
    except FileNotInWorkspace:
        return SearchedLog((), from_line, is_over=True)


def has_task_ended(session: Session, job_id: UUID, task_index: int) -> bool:
    """Whether a task will write no more: its last attempt ended, or the whole job is over."""
    connection = session.connection()
    phase = connection.execute(select(col(Job.phase)).where(col(Job.id) == job_id)).scalar_one()
    if phase in queries.OVER:
        return True
    newest = connection.execute(
        select(col(JobTask.ended_at), col(JobTask.is_requeued))
        .where(col(JobTask.job_id) == job_id, col(JobTask.task_index) == task_index)
        .order_by(col(JobTask.attempt).desc())
        .limit(1)
    ).first()
    return newest is not None and newest.ended_at is not None and not newest.is_requeued
