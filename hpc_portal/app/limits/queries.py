"""What holds for whom, where it comes from, and what of it is in use; reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Select, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.accounts.find import find_user
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow
from hpc_portal.app.errors import NotFound, ProjectNotFound
from hpc_portal.app.jobs.check_limits import owners_of
from hpc_portal.app.limits.in_use import in_use_of_each
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import ProjectMember, User
from quotas.limits import EVERYBODY, InUse, Limit, LimitKind, LimitOwner, Owner, smallest
from quotas.set_limit import read_limits
from quotas.tables import Organisation, Project, QuotaLimit, table_of


@dataclass(frozen=True, slots=True)
class EffectiveLimit:
    """The smallest of all levels, which is the one that holds."""

    kind: LimitKind
    gpu_type: str
    """ "" for all types together."""
    value: int
    level: LimitOwner
    owner: str
    is_default: bool
    raised_by: str
    in_use: int | None
    """At its level, now; None for a limit on a single job."""
    others: tuple[Limit, ...]
    """What the other levels would allow."""


@dataclass(frozen=True, slots=True)
class LimitsOf:
    """What one person meets in one project."""

    project: str
    user: str
    """ "" for the project as a whole."""
    limits: tuple[EffectiveLimit, ...]


def effective_limits(connection: Connection, actor: Actor, account: str, username: str = "") -> LimitsOf:
    """What holds for a person in a project; without a name for the actor, or for the project as a whole.

    Raises:
        ProjectNotFound: no such project, or none that the actor may see.
        NotFound: nobody of that name takes part in it.
        NotAllowed: somebody else's limits, and the actor does not set limits there.
    """
    return effective_limits_of_each(connection, actor, [account], username)[0]


def effective_limits_of_each(
    connection: Connection, actor: Actor, accounts: Sequence[str], username: str = ""
) -> list[LimitsOf]:
    """The same of several projects, in their order; what is in use is read for all of them at once.

    Raises:
        ProjectNotFound: no such project, or none that the actor may see.
        NotFound: nobody of that name takes part in it.
        NotAllowed: somebody else's limits, and the actor does not set limits there.
    """
    places = [_place(connection, actor, account, username) for account in accounts]
    used = in_use_of_each(connection, {owner for place in places for owner in place.owners})
    return [
        LimitsOf(
            place.account,
            place.user,
            tuple(
                _effective(
                    read_limits(connection, place.owners),
                    {owner.kind: used[owner] for owner in place.owners},
                )
            ),
        )
        for place in places
    ]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where limits are met."""

    account: str
    user: str
    """ "" for the project as a whole."""
    owners: Sequence[Owner]
    """Whose limits count there."""


def _place(connection: Connection, actor: Actor, account: str, username: str) -> _Place:
    project = connection.execute(
        select(col(Project.id), col(Project.organisation_id), col(Organisation.slug))
        .join(Organisation, col(Organisation.id) == col(Project.organisation_id))
        .where(col(Project.account) == account)
    ).one_or_none()
    if project is None:
        raise ProjectNotFound(account)
    permissions.require(
        actor,
        Action.VIEW,
        organisation_id=project.organisation_id,
        project_id=project.id,
        hidden_as=ProjectNotFound(account),
    )
    person = _person(
        connection, actor, username, organisation_id=project.organisation_id, project_id=project.id
    )
    owners: Sequence[Owner] = owners_of(
        user=person or (EVERYBODY, ""),
        project=(project.id, account),
        organisation=(project.organisation_id, project.slug),
    )
    if person is None:
        owners = [owner for owner in owners if owner.kind in {LimitOwner.PROJECT, LimitOwner.ORGANISATION}]
    return _Place(account, person[1] if person else "", owners)


def _person(
    connection: Connection, actor: Actor, username: str, *, organisation_id: UUID, project_id: UUID
) -> tuple[UUID, str] | None:
    is_member = project_id in actor.projects
    if not username:
        return (actor.user_id, actor.username) if is_member else None
    if username == actor.username and is_member:
        return actor.user_id, actor.username
    if not permissions.may(actor, Action.AUDIT):
        permissions.require(actor, Action.SET_LIMITS, organisation_id=organisation_id, project_id=project_id)
    person = find_user(connection, username)
    members = select(col(ProjectMember.user_id)).where(
        col(ProjectMember.project_id) == project_id, col(ProjectMember.user_id) == person
    )
    if connection.execute(members).first() is None:
        raise NotFound("user", username)
    return person, username


def _effective(found: Sequence[Limit], used: Mapping[LimitOwner, InUse]) -> list[EffectiveLimit]:
    return [
        EffectiveLimit(
            kind=limit.kind,
            gpu_type=limit.gpu_type,
            value=limit.value,
            level=limit.owner_kind,
            owner=limit.owner,
            is_default=limit.is_default,
            raised_by=limit.raised_by,
            in_use=_used(limit, used[limit.owner_kind]),
            others=tuple(
                other
                for other in found
                if (other.kind, other.gpu_type) == (limit.kind, limit.gpu_type) and other is not limit
            ),
        )
        for limit in smallest(found)
    ]


def _used(limit: Limit, level: InUse) -> int | None:
    match limit.kind:
        case LimitKind.JOBS_QUEUED:
            return level.jobs_queued
        case LimitKind.JOBS_RUNNING:
            return level.jobs_running
        case LimitKind.GPUS_RUNNING:
            gpus = level.gpus_running
            return gpus.get(limit.gpu_type, 0) if limit.gpu_type else sum(gpus.values())
        case _:
            return None


@dataclass(frozen=True, slots=True)
class SetLimit:
    """One limit as somebody set it."""

    level: LimitOwner
    organisation: str
    project: str
    user: str
    is_default: bool
    kind: LimitKind
    gpu_type: str
    value: int
    set_at: datetime
    may_change: bool
    """Whether the reader may."""


def set_limits(connection: Connection, actor: Actor) -> list[SetLimit]:
    """Every limit that the actor may see: all, or those of their organisations, projects and own person."""
    rows = connection.execute(select(table_of(QuotaLimit))).all()
    organisations = _names(
        connection,
        select(col(Organisation.id), col(Organisation.slug)).where(permissions.visible_organisations(actor)),
    )
    projects = _names(
        connection,
        select(col(Project.id), col(Project.account)).where(permissions.visible_projects(actor)),
    )
    people = _names(connection, select(col(User.id), col(User.username)))
    owners: dict[UUID, UUID] = {
        row.id: row.organisation_id
        for row in connection.execute(select(col(Project.id), col(Project.organisation_id)))
    }
    sees_all = permissions.may(actor, Action.VIEW)
    led = {
        key
        for key in projects
        if permissions.may(actor, Action.SET_LIMITS, organisation_id=owners.get(key), project_id=key)
    }
    administers = permissions.may(actor, Action.GRANT)
    found = []
    for row in rows:
        is_default = row.owner_id == EVERYBODY
        match row.owner_kind:
            case LimitOwner.ORGANISATION:
                is_seen = row.owner_id in organisations
            case LimitOwner.PROJECT:
                is_seen = row.owner_id in projects
            case LimitOwner.MEMBER:
                is_seen = row.within_id in projects and (
                    sees_all or row.owner_id == actor.user_id or row.within_id in led
                )
            case _:
                is_seen = sees_all or row.owner_id == actor.user_id
        if is_seen or is_default:
            found.append(
                SetLimit(
                    level=row.owner_kind,
                    organisation=organisations.get(row.owner_id, ""),
                    project=projects.get(row.owner_id) or projects.get(row.within_id, ""),
                    user=people.get(row.owner_id, ""),
                    is_default=is_default,
                    kind=row.kind,
                    gpu_type=row.gpu_type,
                    value=row.value,
                    set_at=row.set_at,
                    may_change=administers or (not is_default and _may_change(actor, row, owners)),
                )
            )
    order = list(LimitOwner)
    return sorted(
        found,
        key=lambda one: (
            order.index(one.level),
            not one.is_default,
            one.organisation,
            one.project,
            one.user,
            one.kind,
            one.gpu_type,
        ),
    )


def _may_change(actor: Actor, row: AnyRow, owners: Mapping[UUID, UUID]) -> bool:
    """As `target.find_target` decides; `owners` are organisations by project."""
    organisation_id = owners.get(row.owner_id) or owners.get(row.within_id)
    match row.owner_kind:
        case LimitOwner.PROJECT:
            return permissions.may(actor, Action.SET_LIMITS, organisation_id=organisation_id)
        case LimitOwner.MEMBER:
            return permissions.may(
                actor, Action.SET_LIMITS, organisation_id=organisation_id, project_id=row.within_id
            )
        case _:
            return False


def _names(connection: Connection, query: Select[UUID, str]) -> dict[UUID, str]:
    return {found: name for found, name in connection.execute(query)}  # noqa: C416 - rows are no plain pairs
