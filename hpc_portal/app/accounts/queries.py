"""Every read of people, projects and money that a page, endpoint or command needs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, exists, func, literal, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.accounts.tables import SecondFactor
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotFound, ProjectNotFound
from hpc_portal.app.permissions import Action
from hpc_portal.app.service_accounts.in_force import is_person
from hpc_portal.app.tables import (
    ApiToken,
    ClusterAccount,
    GlobalRole,
    OrganisationMember,
    OrganisationRole,
    ProjectMember,
    ProjectRole,
    TokenScope,
    User,
)
from hpc_portal.app.tenants.tables import ClassSeat
from quotas.balance import Balance, balance
from quotas.tables import Organisation, OrganisationKind, Project, TenantState


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """One project, and what the asking person may do in it."""

    id: UUID
    account: str
    name: str
    state: TenantState
    organisation: str
    """The organisation's slug."""
    organisation_name: str
    organisation_id: UUID
    role: ProjectRole | None
    """The asking person's own place; None for those who only see it."""
    may_submit: bool
    may_manage_members: bool
    is_students_part: bool = False
    """Of a class that the asking person teaches: theirs to look after, not to work in."""


@dataclass(frozen=True, slots=True)
class OrganisationRecord:
    """One organisation."""

    id: UUID
    slug: str
    name: str
    kind: OrganisationKind
    state: TenantState
    role: OrganisationRole | None


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A person's place in a project or organisation."""

    username: str
    display_name: str
    role: str


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A person, for administrators."""

    id: UUID
    username: str
    display_name: str
    email: str
    global_role: GlobalRole | None
    cluster_user: str
    is_active: bool
    created_at: datetime
    has_second_factor: bool


@dataclass(frozen=True, slots=True)
class PlaceRecord:
    """Where a person belongs, for administrators."""

    organisation: str
    """Its slug."""
    organisation_name: str
    account: str
    """The project's; "" for the organisation as a whole."""
    role: str


@dataclass(frozen=True, slots=True)
class ClusterAccountRecord:
    """The account that a person has on a cluster, for administrators."""

    cluster: str
    username: str
    cluster_user: str
    uid: int


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """An API token of one's own; the token itself is not kept."""

    id: UUID
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    scope: TokenScope
    project: str
    """Its account; "" for all of the owner's."""


_PROJECTS: Select[*tuple[Any, ...]] = select(
    col(Project.id),
    col(Project.account),
    col(Project.name),
    col(Project.state),
    col(Organisation.slug).label("organisation"),
    col(Organisation.name).label("organisation_name"),
    col(Project.organisation_id),
    exists().where(col(ClassSeat.project_id) == col(Project.id)).label("is_class_part"),
).join(Organisation, col(Organisation.id) == col(Project.organisation_id))

_OPEN_PROJECTS = _PROJECTS.where(
    col(Project.id).in_(bindparam("own", expanding=True)), col(Project.state) != TenantState.CLOSED
).order_by(col(Project.account))
"""Built once: every page asks for them."""


def list_visible_projects(
    session: Session, actor: Actor, *, organisations: Collection[str] | None = None
) -> list[ProjectRecord]:
    """The projects that the actor may see, by account name; with slugs, those of these organisations."""
    statement = _PROJECTS.where(permissions.visible_projects(actor)).order_by(col(Project.account))
    if organisations is not None:
        statement = statement.where(col(Organisation.slug).in_(organisations))
    return [_project(actor, row._mapping) for row in session.connection().execute(statement)]  # noqa: SLF001 - public


def list_visible_accounts(session: Session, actor: Actor) -> Sequence[str]:
    """Account names of the projects that the actor may see, in order."""
    visible = select(col(Project.account)).where(permissions.visible_projects(actor))
    return session.connection().execute(visible.order_by(col(Project.account))).scalars().all()


def list_own_projects(session: Session, actor: Actor) -> list[ProjectRecord]:
    """The projects that the actor works in, by account name: no closed ones, no parts of students."""
    rows = session.connection().execute(_OPEN_PROJECTS, {"own": list(actor.projects)})
    found = (_project(actor, row._mapping) for row in rows)  # noqa: SLF001 - SQLAlchemy's public name
    return [project for project in found if not project.is_students_part]


def get_project(session: Session, actor: Actor, account: str) -> ProjectRecord:
    """One project; a session that only reads asks for it once, however many parts of a page do.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    key = (get_project, actor.user_id, account)
    if key not in session.info:
        session.info[key] = _read_project(session, actor, account)
    found: ProjectRecord = session.info[key]
    return found


def _read_project(session: Session, actor: Actor, account: str) -> ProjectRecord:
    statement = _PROJECTS.where(permissions.visible_projects(actor), col(Project.account) == account)
    row = session.connection().execute(statement).first()
    if row is None:
        raise ProjectNotFound(account)
    return _project(actor, row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def _project(actor: Actor, facts: Any) -> ProjectRecord:  # noqa: ANN401 - a row's mapping
    where = {"organisation_id": facts["organisation_id"], "project_id": facts["id"]}
    role = actor.projects.get(facts["id"])
    own = {name: value for name, value in facts.items() if name != "is_class_part"}
    return ProjectRecord(
        **own,
        role=role,
        may_submit=permissions.may(actor, Action.SUBMIT, **where),
        may_manage_members=permissions.may(actor, Action.MANAGE_MEMBERS, **where),
        is_students_part=bool(facts["is_class_part"]) and role is ProjectRole.LEAD,
    )


def project_balance(session: Session, actor: Actor, account: str, *, at: datetime) -> Balance:
    """What a project was granted, holds, has used and may still promise.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    project = get_project(session, actor, account)
    return balance(session.connection(), project.id, at)


def list_project_members(session: Session, actor: Actor, account: str) -> list[MemberRecord]:
    """Who is in a project, by user name; its service accounts are listed apart.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    project = get_project(session, actor, account)
    statement = (
        select(col(User.username), col(User.display_name), col(ProjectMember.role))
        .join(ProjectMember, col(ProjectMember.user_id) == col(User.id))
        .where(col(ProjectMember.project_id) == project.id, is_person(col(User.id)))
        .order_by(col(User.username))
    )
    rows = session.connection().execute(statement)
    return [MemberRecord(row.username, row.display_name, row.role.value) for row in rows]


def list_visible_organisations(session: Session, actor: Actor) -> list[OrganisationRecord]:
    """The organisations that the actor belongs to, or all for those who see all; by slug."""
    statement = (
        select(
            col(Organisation.id),
            col(Organisation.slug),
            col(Organisation.name),
            col(Organisation.kind),
            col(Organisation.state),
        )
        .where(permissions.visible_organisations(actor))
        .order_by(col(Organisation.slug))
    )
    rows = session.connection().execute(statement)
    return [OrganisationRecord(*row, role=actor.organisations.get(row.id)) for row in rows]


def list_organisation_members(session: Session, actor: Actor, slug: str) -> list[MemberRecord]:
    """Who is in an organisation, by user name; for its managers and those who see all.

    Raises:
        NotFound: there is none, or the actor does not belong to it.
        NotAllowed: the actor belongs to it, but is no manager.
    """
    organisation_id = (
        session.connection()
        .execute(
            select(col(Organisation.id)).where(
                col(Organisation.slug) == slug, permissions.visible_organisations(actor)
            )
        )
        .scalar()
    )
    if organisation_id is None:
        raise NotFound("organisation", slug)
    permissions.require(actor, Action.VIEW, organisation_id=organisation_id)
    statement = (
        select(col(User.username), col(User.display_name), col(OrganisationMember.role))
        .join(OrganisationMember, col(OrganisationMember.user_id) == col(User.id))
        .where(col(OrganisationMember.organisation_id) == organisation_id)
        .order_by(col(User.username))
    )
    rows = session.connection().execute(statement)
    return [MemberRecord(row.username, row.display_name, row.role.value) for row in rows]


_USERS: Select[*tuple[Any, ...]] = select(
    col(User.id),
    col(User.username),
    col(User.display_name),
    col(User.email),
    col(User.global_role),
    col(User.cluster_user),
    col(User.is_active),
    col(User.created_at),
    exists()
    .where(col(SecondFactor.user_id) == col(User.id), col(SecondFactor.confirmed_at).is_not(None))
    .label("has_second_factor"),
)


def list_users(session: Session, actor: Actor) -> list[UserRecord]:
    """Everybody, by user name.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    statement = _USERS.order_by(col(User.username))
    return [UserRecord(*row) for row in session.connection().execute(statement)]


def get_user(session: Session, actor: Actor, username: str) -> UserRecord:
    """One person or service account.

    Raises:
        NotAllowed: only administrators and auditors may.
        NotFound: nobody has this user name.
    """
    permissions.require(actor, Action.AUDIT)
    row = session.connection().execute(_USERS.where(col(User.username) == username)).first()
    if row is None:
        raise NotFound("user", username)
    return UserRecord(*row)


def list_places(session: Session, actor: Actor, username: str) -> list[PlaceRecord]:
    """A person's places: each organisation, and behind it its projects where they have one.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    names = (col(Organisation.slug), col(Organisation.name))
    organisations = (
        select(*names, literal("").label("account"), col(OrganisationMember.role))
        .join(OrganisationMember, col(OrganisationMember.organisation_id) == col(Organisation.id))
        .join(User, col(User.id) == col(OrganisationMember.user_id))
        .where(col(User.username) == username)
    )
    projects = (
        select(*names, col(Project.account), col(ProjectMember.role))
        .join(Project, col(Project.organisation_id) == col(Organisation.id))
        .join(ProjectMember, col(ProjectMember.project_id) == col(Project.id))
        .join(User, col(User.id) == col(ProjectMember.user_id))
        .where(col(User.username) == username)
    )
    connection = session.connection()
    rows = [*connection.execute(organisations), *connection.execute(projects)]
    found = [PlaceRecord(row.slug, row.name, row.account, row.role.value) for row in rows]
    return sorted(found, key=lambda place: (place.organisation, place.account))


def list_cluster_accounts(session: Session, actor: Actor, username: str = "") -> list[ClusterAccountRecord]:
    """Everybody's accounts on clusters that give out their own, or one person's, by cluster and user name.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    statement = (
        select(
            col(ClusterAccount.cluster),
            col(User.username),
            col(ClusterAccount.cluster_user),
            col(ClusterAccount.uid),
        )
        .join(User, col(User.id) == col(ClusterAccount.user_id))
        .order_by(col(ClusterAccount.cluster), col(User.username))
    )
    if username:
        statement = statement.where(col(User.username) == username)
    return [ClusterAccountRecord(*row) for row in session.connection().execute(statement)]


def list_tokens(session: Session, actor: Actor) -> list[TokenRecord]:
    """The actor's own tokens, newest first; revoked ones too."""
    statement = (
        select(
            col(ApiToken.id),
            col(ApiToken.name),
            col(ApiToken.created_at),
            col(ApiToken.expires_at),
            col(ApiToken.last_used_at),
            col(ApiToken.revoked_at),
            col(ApiToken.scope),
            func.coalesce(col(Project.account), ""),
        )
        .outerjoin(Project, col(Project.id) == col(ApiToken.project_id))
        .where(col(ApiToken.user_id) == actor.user_id)
        .order_by(col(ApiToken.id).desc())
    )
    return [TokenRecord(*row) for row in session.connection().execute(statement)]
