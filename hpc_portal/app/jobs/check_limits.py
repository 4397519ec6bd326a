"""Limits at submit: read who has which and what is in use, then let `quotas.limits` decide."""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.prepare import PreparedJob
from hpc_portal.app.tables import Job
from quotas import limits
from quotas.limits import InUse, JobDemand, Limit, LimitKind, LimitOwner
from quotas.set_limit import read_limits

_NOT_ENDED = (Phase.ACCEPTED, Phase.DISPATCHING, Phase.TRACKED)


def is_limited(actor: Actor, prepared: PreparedJob, limited: Collection[UUID]) -> bool:
    """Whether the person, the project or the organisation has any limit."""
    return not {actor.user_id, prepared.project_id, prepared.organisation_id}.isdisjoint(limited)


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
    owners = {
        LimitOwner.USER: (actor.user_id, actor.username),
        LimitOwner.PROJECT: (prepared.project_id, prepared.account),
        LimitOwner.ORGANISATION: (prepared.organisation_id, prepared.organisation),
    }
    found = read_limits(connection, {kind: owner for kind, owner in owners.items() if owner[0] in limited})
    limits.check(_demand(prepared), found, _in_use(connection, found, owners))


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
    owners = {LimitOwner.USER: user, LimitOwner.PROJECT: project, LimitOwner.ORGANISATION: organisation}
    found = [limit for limit in read_limits(connection, owners) if limit.kind is LimitKind.WALLTIME_SECONDS]
    limits.check(JobDemand(walltime_seconds), found, {})


def _demand(prepared: PreparedJob) -> JobDemand:
    asked = prepared.spec.resources
    gpus = asked.whole_node.gpus if asked.whole_node else asked.gpus_per_node
    return JobDemand(
        walltime_seconds=asked.walltime_seconds or 0,
        array_tasks=prepared.spec.task_count,
        gpus={kind: count * asked.nodes for kind, count in gpus.items()},
    )


def _in_use(
    connection: Connection, found: list[Limit], owners: Mapping[LimitOwner, tuple[UUID, str]]
) -> dict[LimitOwner, InUse]:
    """Queued jobs at the levels that limit them; nothing else is in use before a job starts."""
    columns = {
        LimitOwner.USER: col(Job.user_id),
        LimitOwner.PROJECT: col(Job.project_id),
        LimitOwner.ORGANISATION: col(Job.organisation_id),
    }
    levels = {limit.owner_kind for limit in found if limit.kind is LimitKind.JOBS_QUEUED}
    return {
        level: InUse(
            jobs_queued=connection.execute(
                select(func.count()).where(columns[level] == owners[level][0], col(Job.phase).in_(_NOT_ENDED))
            ).scalar_one()
        )
        for level in levels
    }
