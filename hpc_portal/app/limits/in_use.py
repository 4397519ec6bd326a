"""What an organisation, a project or a person has queued and running now, and which limit a job waits for."""

from collections import Counter

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.jobs.check_limits import demand_of, gpus_of, jobs_of, owners_of
from hpc_portal.app.jobs.queries import JobSummary
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.tables import Job
from quotas.errors import LimitExceeded
from quotas.limits import InUse, LimitOwner, Owner, check_start
from quotas.set_limit import read_limits
from schedulers.jobspec import JobSpec, ResourceRequest

_RESOURCES = col(Job.spec)["resources"].as_string().label("resources")
"""As text: jobs that ask for the same are counted together."""
_BUDGET = "AssocGrpBillingMinutes"


def in_use_of(connection: Connection, owner: Owner) -> InUse:
    """What counts for an owner now; GPUs that were asked for without a type are under ""."""
    alike = connection.execute(
        select(
            _RESOURCES,
            func.count().label("jobs"),
            func.coalesce(func.sum(col(Job.tasks_running)), 0).label("tasks"),
        )
        .where(jobs_of(owner), under_way())
        .group_by(_RESOURCES)
    ).all()
    gpus: Counter[str] = Counter()
    for row in alike:
        for gpu_type, each in gpus_of(ResourceRequest.model_validate_json(row.resources or "{}")).items():
            gpus[gpu_type] += each * int(row.tasks)
    return InUse(
        jobs_queued=sum(row.jobs for row in alike),
        jobs_running=sum(int(row.tasks) for row in alike),
        gpus_running=gpus,
    )


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
