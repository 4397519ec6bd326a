"""Limits at submit: read who has which and what is in use, then let `quotas.limits` decide."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs.prepare import PreparedJob
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.tables import Job
from quotas import limits
from quotas.limits import EVERYBODY, InUse, JobDemand, Limit, LimitKind, LimitOwner, Owner
from quotas.set_limit import read_limits
from schedulers.jobspec import JobSpec, ResourceRequest


def is_limited(actor: Actor, prepared: PreparedJob, limited: Collection[UUID]) -> bool:
    """Whether the person, the project or the organisation has any limit."""
    concerned = {EVERYBODY, actor.user_id, prepared.project_id, prepared.organisation_id}
    return not concerned.isdisjoint(limited)


def require_within(
    connection: Connection, *, actor: Actor, prepared: PreparedJob, limited: Collection[UUID]
) -> None:
    """Let pass what breaks no limit of the person, the project or the organisation.

    Two submits at the same instant may both see the last free place in a queue; the running limits are
    checked again when a run starts.

    Args:
        connection: of the transaction that will store the job.
        actor: who submits.
        prepared: what they submit.
        limited: whoever has any limit at all; asking for nobody else's spares most submits a query.

    Raises:
        LimitExceeded: which limit, whose, and who can raise it.
    """
    if not is_limited(actor, prepared, limited):
        return
    owners = owners_of(
        user=(actor.user_id, actor.username),
        project=(prepared.project_id, prepared.account),
        organisation=(prepared.organisation_id, prepared.organisation),
    )
    found = read_limits(connection, owners)
    limits.check(demand_of(prepared.spec), found, _in_use(connection, found, owners))


def owners_of(
    *, user: tuple[UUID, str], project: tuple[UUID, str], organisation: tuple[UUID, str]
) -> tuple[Owner, ...]:
    """Everybody whose limits a job meets; each is given with its id and the name that messages call it by."""
    return (
        Owner(LimitOwner.MEMBER, *user, within=project[0]),
        Owner(LimitOwner.USER, *user),
        Owner(LimitOwner.PROJECT, *project),
        Owner(LimitOwner.ORGANISATION, *organisation),
    )


def require_walltime_within(
    connection: Connection,
    walltime_seconds: int,
    *,
    user: tuple[UUID, str],
    project: tuple[UUID, str],
    organisation: tuple[UUID, str],
) -> None:
    """Let pass a walltime for a job under way that is no more than one job may have; owners by id and name.

    Raises:
        LimitExceeded: which limit, whose, and who can raise it.
    """
    owners = owners_of(user=user, project=project, organisation=organisation)
    found = [limit for limit in read_limits(connection, owners) if limit.kind is LimitKind.WALLTIME_SECONDS]
    limits.check(JobDemand(walltime_seconds), found, {})


def demand_of(spec: JobSpec) -> JobDemand:
    """What of a job limits care about."""
    return JobDemand(
        walltime_seconds=spec.resources.walltime_seconds or 0,
        array_tasks=spec.task_count,
        gpus=gpus_of(spec.resources),
    )


def gpus_of(asked: ResourceRequest) -> dict[str, int]:
    """GPUs of one task on all its nodes, by type; those without a type are under ""."""
    gpus = asked.whole_node.gpus if asked.whole_node else asked.gpus_per_node
    return {kind: count * asked.nodes for kind, count in gpus.items()}


def _in_use(
    connection: Connection, found: Sequence[Limit], owners: Sequence[Owner]
) -> dict[LimitOwner, InUse]:
    """Queued jobs at the levels that limit them; nothing else is in use before a job starts."""
    levels = {limit.owner_kind for limit in found if limit.kind is LimitKind.JOBS_QUEUED}
    return {
        owner.kind: InUse(
            jobs_queued=connection.execute(
                select(func.count()).where(jobs_of(owner), under_way())
            ).scalar_one()
        )
        for owner in owners
        if owner.kind in levels
    }


def jobs_of(owner: Owner) -> ColumnElement[bool]:
    """A WHERE clause: the jobs that count for an owner."""
    match owner.kind:
        case LimitOwner.MEMBER:
            return (col(Job.user_id) == owner.id) & (col(Job.project_id) == owner.within)
        case LimitOwner.USER:
            return col(Job.user_id) == owner.id
        case LimitOwner.PROJECT:
            return col(Job.project_id) == owner.id
        case LimitOwner.ORGANISATION:
            return col(Job.organisation_id) == owner.id
