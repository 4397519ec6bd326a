"""What an organisation, a project or a person has queued and running now, and which limit a job waits for."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, or_, select
from sqlmodel import col

from hpc_portal.app.db import AnyRow
from hpc_portal.app.jobs.check_limits import demand_of, gpus_of, owners_of
from hpc_portal.app.jobs.queries import JobSummary
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.tables import Job
from quotas.errors import LimitExceeded
from quotas.limits import InUse, LimitOwner, Owner, check_start
from quotas.set_limit import read_limits
from schedulers.jobspec import JobSpec, ResourceRequest

_RESOURCES = col(Job.spec)["resources"].as_string().label("resources")
"""As text: jobs that ask for the same are counted together."""
_WHOSE = (col(Job.organisation_id), col(Job.project_id), col(Job.user_id))
_BUDGET = "AssocGrpBillingMinutes"


def in_use_of_each(connection: Connection, owners: Collection[Owner]) -> Mapping[Owner, InUse]:
    """What counts for each of them now, in one statement, however many they are.

    GPUs that were asked for without a type are under "".
    """
    if not owners:
        return {}
    alike = connection.execute(
        select(
            *_WHOSE,
            _RESOURCES,
            func.count().label("jobs"),
            func.coalesce(func.sum(col(Job.tasks_running)), 0).label("tasks"),
        )
        .where(under_way(), or_(*_columns_in(owners)))
        .group_by(*_WHOSE, _RESOURCES)
    ).all()
    each = {text: _gpus(text) for text in {row.resources for row in alike}}
    found = {}
    for owner in owners:
        own = [row for row in alike if _is_of(row, owner)]
        gpus: Counter[str] = Counter()
        for row in own:
            for gpu_type, count in each[row.resources].items():
                gpus[gpu_type] += count * int(row.tasks)
        queued, running = sum(row.jobs for row in own), sum(int(row.tasks) for row in own)
        found[owner] = InUse(jobs_queued=queued, jobs_running=running, gpus_running=gpus)
    return found


def _columns_in(owners: Collection[Owner]) -> Iterator[ColumnElement[bool]]:
    """Of whom jobs are read: at least of these owners, and a member's in all of their projects."""
    ids: dict[LimitOwner, list[UUID]] = defaultdict(list)
    for owner in owners:
        ids[LimitOwner.USER if owner.kind is LimitOwner.MEMBER else owner.kind].append(owner.id)
    columns = {
        LimitOwner.USER: col(Job.user_id),
        LimitOwner.PROJECT: col(Job.project_id),
        LimitOwner.ORGANISATION: col(Job.organisation_id),
    }
    return (column.in_(ids[kind]) for kind, column in columns.items() if ids[kind])


def _is_of(row: AnyRow, owner: Owner) -> bool:
    """As `check_limits.jobs_of` says it of a job."""
    match owner.kind:
        case LimitOwner.MEMBER:
            return bool(row.user_id == owner.id and row.project_id == owner.within)
        case LimitOwner.USER:
            return bool(row.user_id == owner.id)
        case LimitOwner.PROJECT:
            return bool(row.project_id == owner.id)
        case LimitOwner.ORGANISATION:
            return bool(row.organisation_id == owner.id)


def _gpus(resources: str | None) -> dict[str, int]:
    return gpus_of(ResourceRequest.model_validate_json(resources or "{}"))


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
    in_use = in_use_of_each(connection, [owner for owner in owners if owner.kind in levels])
    used: dict[LimitOwner, InUse] = {owner.kind: amounts for owner, amounts in in_use.items()}
    try:
        check_start(demand_of(spec), found, used)
    except LimitExceeded as limit:
        return limit
    return None
