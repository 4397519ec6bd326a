"""How far a job is, between its row and lifecycle.Progress, and what is told of a change."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlmodel import col

from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.lifecycle import Phase, Progress
from hpc_portal.app.tables import Job

PROGRESS = (
    "tasks_total",
    "state",
    "state_reason",
    "exit_code",
    "exit_signal",
    "started_at",
    "ended_at",
    "tasks_running",
    "tasks_completed",
    "tasks_failed",
    "tasks_cancelled",
)
"""The columns of a job that follow its runs."""
PROGRESS_COLUMNS = (col(Job.is_array), *(getattr(Job, name) for name in PROGRESS))
"""What `progress_of` reads."""
UPDATE_PROGRESS = (
    update(Job)
    .where(col(Job.id) == bindparam("b_id"), col(Job.phase) == bindparam("b_before"))
    .values(phase=bindparam("b_phase"), **{name: bindparam(f"b_{name}") for name in PROGRESS})
)


def progress_of(row: AnyRow) -> Progress:
    """As stored."""
    return Progress(is_array=row.is_array, **{name: getattr(row, name) for name in PROGRESS})


def progress_values(job_id: UUID, after: Progress, *, before: Phase, phase: Phase) -> dict[str, Any]:
    """What UPDATE_PROGRESS is given for one job, which must still be in the phase `before`."""
    return {
        "b_id": job_id,
        "b_before": before,
        "b_phase": phase,
        **{f"b_{name}": getattr(after, name) for name in PROGRESS},
    }


def state_event(job_id: UUID, project_id: UUID, after: Progress) -> Event:
    """That a job stands otherwise than before."""
    facts = {
        "state": after.state,
        "reason": after.state_reason,
        "exit_code": after.exit_code,
        "exit_signal": after.exit_signal,
        "tasks_total": after.tasks_total,
        "tasks_running": after.tasks_running,
        "tasks_completed": after.tasks_completed,
        "tasks_failed": after.tasks_failed,
        "tasks_cancelled": after.tasks_cancelled,
    }
    return Event(job_id, project_id, "job.state", facts)
