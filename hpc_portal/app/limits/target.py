"""Whose limit is meant: from the names that people type to an owner, and who may touch it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, exists, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.accounts.find import find_organisation, find_project, find_user
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotFound, Problem, ProjectNotFound
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import ProjectMember
from quotas.limits import EVERYBODY, LimitOwner, Owner


@dataclass(frozen=True, slots=True)
class Target:
    """Names: an organisation; a project; a person; a person within a project; or everybody at a level."""

    level: LimitOwner
    organisation: str = ""
    project: str = ""
    user: str = ""
    everybody: bool = False
    """The default of the level; no names then."""

    @property
    def name(self) -> str:
        """For messages and the audit log."""
        if self.everybody:
            return f"every {self.level}"
        return {
            LimitOwner.ORGANISATION: self.organisation,
            LimitOwner.PROJECT: self.project,
            LimitOwner.MEMBER: f"{self.user} in {self.project}",
            LimitOwner.USER: self.user,
        }[self.level]


@dataclass(frozen=True, slots=True)
class FoundTarget:
    """Ids, and what stands above."""

    owner: Owner
    organisation_id: UUID | None = None
    project_id: UUID | None = None


def find_target(connection: Connection, actor: Actor, target: Target) -> FoundTarget:
    """Whom the names mean, if the actor may set their limits.

    Administrators set any; a manager those of the organisation's projects and of people within them; a lead
    those of people within the project.

    Raises:
        InvalidEntry: names are missing, or are too many.
        NotFound: nobody of that name, or none that the actor may see.
        NotAllowed: the actor's role does not reach so far.
    """
    _require_names(target)
    if target.everybody or target.level in {LimitOwner.ORGANISATION, LimitOwner.USER}:
        permissions.require(actor, Action.GRANT)
    if target.everybody:
        return FoundTarget(Owner(target.level, EVERYBODY, target.name))
    match target.level:
        case LimitOwner.ORGANISATION:
            found = find_organisation(connection, target.organisation)
            return FoundTarget(Owner(target.level, found, target.organisation), organisation_id=found)
        case LimitOwner.USER:
            return FoundTarget(Owner(target.level, find_user(connection, target.user), target.user))
        case LimitOwner.PROJECT | LimitOwner.MEMBER:
            return _find_in_project(connection, actor, target)


def _find_in_project(connection: Connection, actor: Actor, target: Target) -> FoundTarget:
    project = find_project(connection, target.project)
    hidden = ProjectNotFound(target.project)
    places = {"organisation_id": project.organisation_id, "project_id": project.id}
    if not permissions.may(actor, Action.VIEW, **places):
        raise hidden
    if target.level is LimitOwner.PROJECT:
        permissions.require(actor, Action.SET_LIMITS, organisation_id=project.organisation_id)
        return FoundTarget(Owner(target.level, project.id, target.project), **places)
    permissions.require(
        actor, Action.SET_LIMITS, organisation_id=project.organisation_id, project_id=project.id
    )
    person = find_user(connection, target.user)
    is_member = select(
        exists().where(col(ProjectMember.project_id) == project.id, col(ProjectMember.user_id) == person)
    )
    if not connection.execute(is_member).scalar_one():
        raise NotFound("user", target.user)
    return FoundTarget(Owner(target.level, person, target.user, within=project.id), **places)


_NAMES = {
    LimitOwner.ORGANISATION: {"organisation"},
    LimitOwner.PROJECT: {"project"},
    LimitOwner.MEMBER: {"project", "user"},
    LimitOwner.USER: {"user"},
}


def _require_names(target: Target) -> None:
    given = {name for name in ("organisation", "project", "user") if getattr(target, name)}
    wanted = set() if target.everybody else _NAMES[target.level]
    require(
        [
            *(Problem(name, "Say whose limit it is.") for name in sorted(wanted - given)),
            *(Problem(name, "Leave this out for a limit of this level.") for name in sorted(given - wanted)),
        ]
    )
