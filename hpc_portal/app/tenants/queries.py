"""Every read of organisations and projects with their states, people and open invitations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.accounts.queries import (
    MemberRecord,
    ProjectRecord,
    get_project,
    list_organisation_members,
    list_project_members,
)
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotFound
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import Job, OrganisationMember, OrganisationRole, User
from hpc_portal.app.tenants.place import find_place
from hpc_portal.app.tenants.tables import Invitation, TenantStateChange
from quotas.money import VND
from quotas.tables import (
    Allocation,
    AllocationLine,
    LedgerAccount,
    Organisation,
    OrganisationKind,
    Project,
    TenantState,
    table_of,
)

_MOST_INVITATIONS = 500
_ACCOUNTS = table_of(LedgerAccount)
_AVAILABLE, _HELD, _CONSUMED = (_ACCOUNTS.alias(name) for name in ("available", "held", "consumed"))


@dataclass(frozen=True, slots=True)
class StateRecord:
    """One change of a tenant's state."""

    was: TenantState
    state: TenantState
    reason: str
    by: str
    """A name; "" for the operator on the machine, or for who has no account any more."""
    at: datetime


@dataclass(frozen=True, slots=True)
class InvitationRecord:
    """An invitation as those see it who manage the members; it never tells whose the address is."""

    id: UUID
    email: str
    role: str
    account: str
    """The project's, or "" for the organisation as a whole."""
    invited_by: str
    sent_at: datetime
    times_sent: int
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: str
    """User name of the person who took the place; "" while nobody has."""


@dataclass(frozen=True, slots=True)
class ProjectLine:
    """A project in the list of its organisation."""

    account: str
    name: str
    state: TenantState


@dataclass(frozen=True, slots=True)
class OrganisationDetails:
    """An organisation and what the asking person may do in it."""

    id: UUID
    slug: str
    name: str
    kind: OrganisationKind
    state: TenantState
    role: OrganisationRole | None
    may_manage_members: bool
    may_stop_projects: bool
    may_stop: bool
    """Suspend, resume or close the organisation itself."""
    history: Sequence[StateRecord]
    """Newest first."""
    projects: Sequence[ProjectLine]
    """Those that the person may see."""
    members: Sequence[MemberRecord]
    """Empty for those who may not see them."""


@dataclass(frozen=True, slots=True)
class ProjectDetails:
    """A project and what the asking person may do in it."""

    project: ProjectRecord
    history: Sequence[StateRecord]
    members: Sequence[MemberRecord]
    may_stop: bool
    may_split: bool


@dataclass(frozen=True, slots=True)
class TenantLine:
    """An organisation in the list of all, for those who answer for the city."""

    slug: str
    name: str
    kind: OrganisationKind
    state: TenantState
    projects: int
    members: int
    jobs_under_way: int
    granted_vnd: int
    held_vnd: int
    used_vnd: int
    available_vnd: int


def list_tenants(session: Session, actor: Actor) -> list[TenantLine]:
    """Every organisation with its state, people and use, by slug.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    connection = session.connection()

    def counted(column: object, model: type, *where: object) -> Mapping[UUID, int]:
        statement = select(column, func.count()).select_from(model).where(*where).group_by(column)  # type: ignore[call-overload]
        return {row[0]: row[1] for row in connection.execute(statement)}

    projects = counted(col(Project.organisation_id), Project)
    members = counted(col(OrganisationMember.organisation_id), OrganisationMember)
    jobs = counted(col(Job.organisation_id), Job, under_way())
    money = {
        row.organisation_id: row
        for row in connection.execute(
            select(
                col(Project.organisation_id),
                func.sum(_AVAILABLE.c.balance).label("available"),
                func.sum(_HELD.c.balance).label("held"),
                func.sum(_CONSUMED.c.balance).label("consumed"),
            )
            .join_from(Project, Allocation, col(Allocation.project_id) == col(Project.id))
            .join(AllocationLine, col(AllocationLine.allocation_id) == col(Allocation.id))
            .join(_AVAILABLE, _AVAILABLE.c.id == col(AllocationLine.available_id))
            .join(_HELD, _HELD.c.id == col(AllocationLine.held_id))
            .join(_CONSUMED, _CONSUMED.c.id == col(AllocationLine.consumed_id))
            .where(col(AllocationLine.asset) == VND)
            .group_by(col(Project.organisation_id))
        )
    }
    rows = connection.execute(
        select(
            col(Organisation.id),
            col(Organisation.slug),
            col(Organisation.name),
            col(Organisation.kind),
            col(Organisation.state),
        ).order_by(col(Organisation.slug))
    )
    found = []
    for row in rows:
        sums = money.get(row.id)
        available, held, used = (
            (int(sums.available), int(sums.held), int(sums.consumed)) if sums else (0, 0, 0)
        )
        found.append(
            TenantLine(
                row.slug,
                row.name,
                row.kind,
                row.state,
                projects.get(row.id, 0),
                members.get(row.id, 0),
                jobs.get(row.id, 0),
                granted_vnd=available + held + used,
                held_vnd=held,
                used_vnd=used,
                available_vnd=available,
            )
        )
    return found


def get_organisation(session: Session, actor: Actor, slug: str) -> OrganisationDetails:
    """One organisation, for its people and those who see all.

    Raises:
        NotFound: there is none, or the actor does not belong to it.
    """
    connection = session.connection()
    row = connection.execute(
        select(
            col(Organisation.id),
            col(Organisation.slug),
            col(Organisation.name),
            col(Organisation.kind),
            col(Organisation.state),
        ).where(col(Organisation.slug) == slug, permissions.visible_organisations(actor))
    ).first()
    if row is None:
        raise NotFound("organisation", slug)
    projects = connection.execute(
        select(col(Project.account), col(Project.name), col(Project.state))
        .where(col(Project.organisation_id) == row.id, permissions.visible_projects(actor))
        .order_by(col(Project.account))
    )
    sees_people = permissions.may(actor, Action.VIEW, organisation_id=row.id)
    return OrganisationDetails(
        *row,
        role=actor.organisations.get(row.id),
        may_manage_members=permissions.may(actor, Action.MANAGE_MEMBERS, organisation_id=row.id),
        may_stop_projects=permissions.may(actor, Action.STOP_PROJECTS, organisation_id=row.id),
        may_stop=permissions.may(actor, Action.GRANT),
        history=state_history(session, row.id),
        projects=[ProjectLine(*line) for line in projects],
        members=list_organisation_members(session, actor, slug) if sees_people else (),
    )


def get_project_details(session: Session, actor: Actor, account: str) -> ProjectDetails:
    """One project with its people, for those who may see it.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    project = get_project(session, actor, account)
    where = {"organisation_id": project.organisation_id, "project_id": project.id}
    history = state_history(session, project.id, project.organisation_id)
    return ProjectDetails(
        project,
        history=sorted(history, key=lambda change: change.at, reverse=True),
        members=list_project_members(session, actor, account),
        may_stop=permissions.may(actor, Action.STOP_PROJECTS, **where),
        may_split=permissions.may(actor, Action.SPLIT_BUDGET, **where),
    )


def state_history(session: Session, *tenants: UUID) -> list[StateRecord]:
    """What became of these tenants, newest first; the caller knows that the reader may see it."""
    return [StateRecord(*row) for row in session.connection().execute(_HISTORY, {"tenants": tenants})]


_HISTORY = (
    select(
        col(TenantStateChange.was),
        col(TenantStateChange.state),
        col(TenantStateChange.reason),
        func.coalesce(col(User.display_name), ""),
        col(TenantStateChange.at),
    )
    .join(User, col(User.id) == col(TenantStateChange.changed_by), isouter=True)
    .where(col(TenantStateChange.tenant_id).in_(bindparam("tenants", expanding=True)))
    .order_by(col(TenantStateChange.sequence).desc())
)


def list_invitations(
    session: Session, actor: Actor, *, organisation: str = "", project: str = ""
) -> list[InvitationRecord]:
    """Invitations that were not revoked, newest first: of a project, or of an organisation with its projects.

    Raises:
        NotFound: no such place, or none that the actor may see.
        NotAllowed: the actor sees it, but does not manage its members.
    """
    place = find_place(session.connection(), actor, organisation=organisation, project=project)
    here = (
        col(Invitation.project_id) == place.project_id
        if place.project_id
        else col(Invitation.organisation_id) == place.organisation_id
    )
    inviter, guest = table_of(User).alias("inviter"), table_of(User).alias("guest")
    rows = session.connection().execute(
        select(
            col(Invitation.id),
            col(Invitation.email),
            col(Invitation.role),
            func.coalesce(col(Project.account), ""),
            func.coalesce(inviter.c.display_name, ""),
            col(Invitation.sent_at),
            col(Invitation.times_sent),
            col(Invitation.expires_at),
            col(Invitation.accepted_at),
            func.coalesce(guest.c.username, ""),
        )
        .join(Project, col(Project.id) == col(Invitation.project_id), isouter=True)
        .join(inviter, inviter.c.id == col(Invitation.invited_by), isouter=True)
        .join(guest, guest.c.id == col(Invitation.accepted_by), isouter=True)
        .where(here, col(Invitation.revoked_at).is_(None))
        .order_by(col(Invitation.id).desc())
        .limit(_MOST_INVITATIONS)
    )
    return [InvitationRecord(*row) for row in rows]
