"""One table says which role may do what; verbs ask it, so that no page or endpoint can forget to."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_, true
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotAllowed, NotFound
from hpc_portal.app.tables import GlobalRole, Job, OrganisationRole, ProjectRole
from quotas.tables import Organisation, Project


class Role(StrEnum):
    """What a person is towards one project and what belongs to it."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    ORGANISATION_MANAGER = "organisation_manager"
    PROJECT_LEAD = "project_lead"
    PROJECT_MEMBER = "project_member"


class Action(StrEnum):
    """What can be done."""

    VIEW = "view"
    """See a project, its jobs, files, logs and balance."""
    SUBMIT = "submit"
    CHANGE_FILES = "change_files"
    """Upload, rename and delete files that a project's people share."""
    CANCEL_OWN = "cancel_own"
    """One's own jobs, and those of service accounts that one answers for."""
    CANCEL_ANY = "cancel_any"
    CHANGE_OWN = "change_own"
    """Hold, release, requeue, and change walltime and priority of the same jobs."""
    CHANGE_ANY = "change_any"
    """The same of everybody's."""
    ADMINISTER_JOBS = "administer_jobs"
    """Hold so that only an administrator may release, release such a hold, and let a job overtake others."""
    MANAGE_MEMBERS = "manage_members"
    """Invite people, change their places, hand over leadership, look after service accounts."""
    REQUEST = "request"
    """Ask for quota, change such requests and withdraw them."""
    SET_LIMITS = "set_limits"
    """Limit projects of an organisation, and people within a project."""
    STOP_PROJECTS = "stop_projects"
    """Suspend, resume and close projects; a whole organisation takes GRANT."""
    SPLIT_BUDGET = "split_budget"
    """Make classes: split a project's budget over students, and take it back."""
    GRANT = "grant"
    """Create organisations, projects, users, grants and prices."""
    PUBLISH_TEMPLATES = "publish_templates"
    """Publish templates for tools of the site, and retire them."""
    ANNOUNCE = "announce"
    """Put announcements on everybody's pages, or on those of one organisation."""
    CLOSE_MONTHS = "close_months"
    """Close months of the books, and decide on what does not add up."""
    AUDIT = "audit"
    """Read the audit log."""


ALLOWED: Mapping[Role, frozenset[Action]] = {
    Role.ADMINISTRATOR: frozenset(Action),
    Role.AUDITOR: frozenset({Action.VIEW, Action.AUDIT}),
    Role.ORGANISATION_MANAGER: frozenset(
        {
            Action.VIEW,
            Action.CANCEL_ANY,
            Action.CHANGE_ANY,
            Action.MANAGE_MEMBERS,
            Action.STOP_PROJECTS,
            Action.SPLIT_BUDGET,
            Action.REQUEST,
            Action.SET_LIMITS,
        }
    ),
    Role.PROJECT_LEAD: frozenset(
        {
            Action.VIEW,
            Action.SUBMIT,
            Action.CHANGE_FILES,
            Action.CANCEL_OWN,
            Action.CANCEL_ANY,
            Action.CHANGE_OWN,
            Action.CHANGE_ANY,
            Action.MANAGE_MEMBERS,
            Action.SPLIT_BUDGET,
            Action.REQUEST,
            Action.SET_LIMITS,
        }
    ),
    Role.PROJECT_MEMBER: frozenset(
        {Action.VIEW, Action.SUBMIT, Action.CHANGE_FILES, Action.CANCEL_OWN, Action.CHANGE_OWN}
    ),
}

WHO_MAY: Mapping[Action, str] = {
    Action.VIEW: "the project's lead",
    Action.SUBMIT: "the project's lead to make you a member",
    Action.CHANGE_FILES: "the project's lead to make you a member",
    Action.CANCEL_OWN: "the project's lead",
    Action.CANCEL_ANY: "the job's owner or the project's lead",
    Action.CHANGE_OWN: "the project's lead",
    Action.CHANGE_ANY: "the job's owner or the project's lead",
    Action.ADMINISTER_JOBS: "the city's administrators",
    Action.MANAGE_MEMBERS: "the project's lead or the organisation's manager",
    Action.STOP_PROJECTS: "the organisation's manager or the city's administrators",
    Action.SPLIT_BUDGET: "the project's lead or the organisation's manager",
    Action.REQUEST: "the project's lead or the organisation's manager",
    Action.SET_LIMITS: "the project's lead, the organisation's manager or the city's administrators",
    Action.GRANT: "the city's administrators",
    Action.PUBLISH_TEMPLATES: "the city's administrators",
    Action.ANNOUNCE: "the city's administrators",
    Action.CLOSE_MONTHS: "the city's administrators",
    Action.AUDIT: "the city's administrators",
}


def roles(actor: Actor, *, organisation_id: UUID | None = None, project_id: UUID | None = None) -> set[Role]:
    """Every role that the actor has towards a project, or towards an organisation as a whole."""
    found: set[Role] = set()
    match actor.global_role:
        case GlobalRole.ADMINISTRATOR:
            found.add(Role.ADMINISTRATOR)
        case GlobalRole.AUDITOR:
            found.add(Role.AUDITOR)
        case None:
            pass
    if organisation_id and actor.organisations.get(organisation_id) is OrganisationRole.MANAGER:
        found.add(Role.ORGANISATION_MANAGER)
    match actor.projects.get(project_id) if project_id else None:
        case ProjectRole.LEAD:
            found.add(Role.PROJECT_LEAD)
        case ProjectRole.MEMBER:
            found.add(Role.PROJECT_MEMBER)
        case None:
            pass
    return found


def may(
    actor: Actor, action: Action, *, organisation_id: UUID | None = None, project_id: UUID | None = None
) -> bool:
    """Whether any of the actor's roles towards this project or organisation allows the action."""
    return any(
        action in ALLOWED[role]
        for role in roles(actor, organisation_id=organisation_id, project_id=project_id)
    )


def may_somewhere(actor: Actor, action: Action) -> bool:
    """Whether the action is allowed towards the city, or any organisation or project of the actor's."""
    return (
        may(actor, action)
        or any(may(actor, action, organisation_id=key) for key in actor.organisations)
        or any(may(actor, action, project_id=key) for key in actor.projects)
    )


def require(
    actor: Actor,
    action: Action,
    *,
    organisation_id: UUID | None = None,
    project_id: UUID | None = None,
    hidden_as: NotFound | None = None,
) -> None:
    """Let pass who may, and tell others no more than they may know.

    Args:
        actor: who asks.
        action: what they want to do.
        organisation_id: the tenant that it concerns.
        project_id: the project that it concerns.
        hidden_as: raised instead of NotAllowed when the actor may not even see the thing.

    Raises:
        NotAllowed: the actor may see it but not do that.
        NotFound: `hidden_as`, when they may not see it.
    """
    if may(actor, action, organisation_id=organisation_id, project_id=project_id):
        return
    if hidden_as and not may(actor, Action.VIEW, organisation_id=organisation_id, project_id=project_id):
        raise hidden_as
    raise NotAllowed(action, WHO_MAY[action])


def _managed(actor: Actor) -> list[UUID]:
    return [
        key
        for key, role in actor.organisations.items()
        if Action.VIEW in ALLOWED[Role.ORGANISATION_MANAGER] and role is OrganisationRole.MANAGER
    ]


def sees_all(actor: Actor) -> bool:
    """Whether the actor sees every project of every organisation."""
    return may(actor, Action.VIEW)


def visible_jobs(actor: Actor) -> ColumnElement[bool]:
    """A WHERE clause: the jobs that the actor may see."""
    if sees_all(actor):
        return true()
    return or_(
        false(), col(Job.project_id).in_(list(actor.projects)), col(Job.organisation_id).in_(_managed(actor))
    )


def job_scopes(actor: Actor) -> list[ColumnElement[bool]] | None:
    """The same as `visible_jobs` in disjoint parts that an index serves each; None for those who see all."""
    if sees_all(actor):
        return None
    managed = _managed(actor)
    own = [key for key in actor.projects if actor.project_organisations.get(key) not in managed]
    return [
        *(col(Job.organisation_id) == key for key in managed),
        *(col(Job.project_id) == key for key in own),
    ]


def visible_projects(actor: Actor) -> ColumnElement[bool]:
    """A WHERE clause: the projects that the actor may see."""
    if sees_all(actor):
        return true()
    return or_(
        false(), col(Project.id).in_(list(actor.projects)), col(Project.organisation_id).in_(_managed(actor))
    )


def visible_organisations(actor: Actor) -> ColumnElement[bool]:
    """A WHERE clause: the organisations that the actor belongs to, or all for those who see all."""
    if sees_all(actor):
        return true()
    own = {*actor.organisations, *actor.project_organisations.values()}
    return col(Organisation.id).in_(own)
