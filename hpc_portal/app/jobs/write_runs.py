"""The statements that write what is seen of runs into job_task."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, update
from sqlmodel import col

from hpc_portal.app.tables import JobTask
from schedulers.jobstate import StateFlag, TaskSnapshot

_RUN_COLUMNS = (
    "state",
    "is_requeued",
    "reason",
    "exit_code",
    "exit_signal",
    "started_at",
    "ended_at",
    "elapsed_seconds",
    "allocated_tres",
    "cpu_seconds",
    "max_rss_mib",
    "energy_joules",
    "gpu_busy_seconds",
)
UPDATE_RUN = (
    update(JobTask)
    .where(
        col(JobTask.job_id) == bindparam("b_job"),
        col(JobTask.task_index) == bindparam("b_index"),
        col(JobTask.attempt) == bindparam("b_attempt"),
    )
    .values({name: bindparam(f"b_{name}") for name in _RUN_COLUMNS})
)
INSERT_RUN = insert(JobTask).values(
    {
        "job_id": bindparam("b_job"),
        "task_index": bindparam("b_index"),
        "attempt": bindparam("b_attempt"),
        "placement": bindparam("b_placement"),
        "placed_at": bindparam("b_placed_at"),
        "settled_at": None,
        "charged_vnd": 0,
        **{name: bindparam(f"b_{name}") for name in _RUN_COLUMNS},
    }
)


def run_values(job_id: UUID, run: TaskSnapshot, *, at: datetime) -> dict[str, Any]:
    """What both statements are given for one run; `at` stands in for times that nobody told."""
    usage = run.usage
    return {
        "b_job": job_id,
        "b_index": run.task_index,
        "b_attempt": run.attempt,
        "b_placement": {"nodes": list(run.nodes)},
        "b_placed_at": run.started_at or at,
        "b_state": run.state,
        "b_is_requeued": StateFlag.REQUEUED in run.flags,
        "b_reason": run.reason,
        "b_exit_code": run.exit_code.code if run.exit_code else None,
        "b_exit_signal": run.exit_code.signal if run.exit_code else None,
        "b_started_at": run.started_at,
        "b_ended_at": (run.ended_at or at) if run.has_ended else None,
        "b_elapsed_seconds": usage.elapsed_seconds if usage else None,
        "b_allocated_tres": dict(usage.allocated_tres) if usage else None,
        "b_cpu_seconds": usage.cpu_seconds if usage else 0.0,
        "b_max_rss_mib": usage.max_rss_mib if usage else 0,
        "b_energy_joules": usage.energy_joules if usage else None,
        "b_gpu_busy_seconds": usage.gpu_busy_seconds if usage else None,
    }
