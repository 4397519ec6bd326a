"""What a job's run used over time."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from hpc_portal.api.schemas import Reply
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.utilisation import run_use
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["jobs"])


class UsePointReply(Reply):
    """A while of a run: the mean over its samples, of memory the most."""

    at: datetime
    cpu_cores: float
    memory_mib: int
    gpu_percent: float | None
    gpu_memory_mib: int | None


class NodeUseReply(Reply):
    """One node's part of a run, oldest first."""

    node: str
    points: list[UsePointReply]


class RunUseReply(Reply):
    """The newest attempt of a task."""

    task_index: int
    attempt: int
    nodes: list[NodeUseReply]
    """Empty where nobody took samples, as of jobs that came by sbatch; totals are in `/jobs/{id}/tasks`."""


@router.get("/jobs/{job_id}/utilisation")
def show_utilisation(
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    task: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
) -> RunUseReply | None:
    """CPU, memory and GPUs over time in at most 240 points; null while no such task has started.

    Without `task` it is that of the first task that started.
    """
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        found = run_use(session, services.settings.effective_workspace_root, job, task)
    return RunUseReply.model_validate(found) if found else None
