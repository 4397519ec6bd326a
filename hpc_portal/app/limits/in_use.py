"""What an organisation, a project or a person has queued and running now, and which limit a job waits for."""

from collections import Counter

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.jobs.check_limits import NOT_ENDED, demand_of, jobs_of, owners_of
from hpc_portal.app.jobs.queries import JobSummary
from hpc_portal.app.tables import Job
from quotas.errors import LimitExceeded
from quotas.limits import InUse, LimitOwner, Owner, check_start
from quotas.set_limit import read_limits
from schedulers.jobspec import JobSpec

_BUDGET = "AssocGrpBillingMinutes"


def in_use_of(connection: Connection, owner: Owner) -> InUse:
    """What counts for an owner now; GPUs that were asked for without a type are under ""."""
    queued = connection.execute(
        select(func.count()).where(jobs_of(owner), col(Job.phase).in_(NOT_ENDED))
    ).scalar_one()
    running = connection.execute(
        select(col(Job.spec), col(Job.tasks_running)).where(
            jobs_of(owner), col(Job.phase).in_(NOT_ENDED), col(Job.tasks_running) > 0
        )
    )
    tasks = 0
    gpus: Counter[str] = Counter()
    for spec, count in running:
        tasks += count
        for gpu_type, each in demand_of(JobSpec.model_validate(spec)).gpus.items():
            gpus[gpu_type] += each * count
    return InUse(jobs_queued=queued, jobs_running=tasks, gpus_running=gpus)


def limit_waited_for(connection: Connection, job: JobSummary, spec: JobSpec) -> LimitExceeded | None:
    """Which limit keeps a job from starting, whose it is and who can raise it; None when it is none."""
    if not job.state_reason.startswith("Assoc") or job.state_reason == _BUDGET:
        return None
    owners = owners_of(
        user=(job.user_id, job.user),
        project=(job.project_id, job.project),
        organisation=(job.organisation_id, job.organisation),
    )
    found = read_limits(connection, owners)
    levels = {limit.owner_kind for limit in found}
    used: dict[LimitOwner, InUse] = {
        owner.kind: in_use_of(connection, owner) for owner in owners if owner.kind in levels
    }
    try:
        check_start(demand_of(spec), found, used)
    except LimitExceeded as limit:
        return limit
    return None
