"""Which file a task writes, whether it still writes, and what its log says from a line on."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.read_log import LogWindow, open_log, read_lines, read_tail
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


def read_log_from(source: LogSource, first_line: int, limit: int, *, has_ended: bool) -> LogWindow:
    """Lines from a number on; none while the file does not exist. Asks nobody: `find_log` did.

    With `has_ended` the task will write no more, so a last line without a newline is whole.
    """
    try:
        with open_log(source.root, source.workspace, source.path) as log:
            return read_lines(log, first_line, limit, with_partial=has_ended)
    except FileNotInWorkspace:
        return LogWindow(first_line, (), first_line, is_at_end=True)


def read_log(
    services: Services, source: LogSource, first_line: int | None, limit: int
) -> tuple[LogWindow, bool]:
    """Lines from a number on (None: the last ones), and whether the task will write no more."""
    with services.reading() as session:
        has_ended = has_task_ended(session, source.job_id, source.task_index)
    if first_line is not None:
        return read_log_from(source, first_line, limit, has_ended=has_ended), has_ended
    try:
        with open_log(source.root, source.workspace, source.path) as log:
            return read_tail(log, limit, with_partial=has_ended), has_ended
    except FileNotInWorkspace:
        return LogWindow(0, (), 0, is_at_end=True), has_ended


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
