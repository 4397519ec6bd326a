"""Accept an invitation, as somebody who is signed in or as a new person; the link says where and as what."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.accounts.authenticate import hash_password
from hpc_portal.app.accounts.create_user import NewUser, insert_user, require_sensible
from hpc_portal.app.accounts.secret import hash_secret
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.errors import InvitationOver
from hpc_portal.app.services import Services
from hpc_portal.app.tables import (
    OrganisationMember,
    OrganisationRole,
    ProjectMember,
    ProjectRole,
    User,
)
from hpc_portal.app.tenants.keep_a_lead import lock_organisation
from hpc_portal.app.tenants.place import Place, load_place
from hpc_portal.app.tenants.tables import Invitation


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """What somebody who holds the link is told before they accept."""

    organisation: str
    """Its name, for people."""
    account: str
    """The project's, or ""."""
    role: str
    email: str
    invited_by: str
    """Their name; "" for the operator on the machine."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Joined:
    """Where somebody is a member now."""

    user_id: UUID
    organisation: str
    """The slug."""
    account: str
    """The project's, or ""."""


@dataclass(frozen=True, slots=True)
class NewPerson:
    """What a person without an account chooses; their address is the one that was invited."""

    username: str
    display_name: str
    password: str
    locale: str = "vi"


def show_invitation(services: Services, secret: str) -> OpenInvitation:
    """What the link offers.

    Raises:
        InvitationOver: nothing, or nothing any more.
    """
    with services.engine.connect() as connection:
        row, place = _find(connection, secret, services.clock.now())
    return OpenInvitation(
        place.organisation_name, place.account, row.role, row.email, row.display_name or "", row.expires_at
    )


def accept_invitation(services: Services, actor: Actor, secret: str) -> Joined:
    """Give the actor the place, whatever address it was sent to; a higher role that they have stays.

    Raises:
        InvitationOver: the link is not good, or somebody accepted it an instant earlier.
    """
    now = services.clock.now()

    def work(connection: Connection) -> Joined:
        return _join(connection, secret, actor.user_id, actor, now)

    return transact(services.engine, work)


def accept_as_new_person(services: Services, secret: str, new: NewPerson) -> Joined:
    """Create the person and give them the place, both or neither. Call it from a thread: it computes a while.

    Raises:
        InvitationOver: the link is not good, or somebody accepted it an instant earlier.
        InvalidEntry: with every field that is wrong.
        NameTaken: somebody has the user name.
    """
    email = show_invitation(services, secret).email
    user = NewUser(new.username, new.display_name, new.password, email, locale=new.locale)
    require_sensible(user)
    password_hash = hash_password(new.password)
    now = services.clock.now()

    def work(connection: Connection) -> Joined:
        user_id = insert_user(connection, user, password_hash=password_hash, at=now)
        themselves = Actor(
            user_id=user_id,
            username=user.username,
            display_name=user.display_name,
            cluster_user=user.effective_cluster_user,
            cluster_number=0,
        )
        joined = _join(connection, secret, user_id, themselves, now)
        audit.record(
            connection,
            at=now,
            actor=themselves,
            action="user.created",
            subject=user.username,
            by_invitation_to=joined.account or joined.organisation,
            cluster_user=user.effective_cluster_user,
        )
        return joined

    return transact(services.engine, work)


def _find(connection: Connection, secret: str, at: datetime) -> tuple[AnyRow, Place]:
    row = connection.execute(
        select(
            col(Invitation.id),
            col(Invitation.organisation_id),
            col(Invitation.project_id),
            col(Invitation.role),
            col(Invitation.email),
            col(Invitation.expires_at),
            col(User.display_name),
        )
        .join(User, col(User.id) == col(Invitation.invited_by), isouter=True)
        .where(
            col(Invitation.token_hash) == hash_secret(secret),
            col(Invitation.accepted_at).is_(None),
            col(Invitation.revoked_at).is_(None),
            col(Invitation.expires_at) > at,
        )
    ).first()
    if row is None:
        raise InvitationOver
    place = load_place(connection, organisation_id=row.organisation_id, project_id=row.project_id)
    if place is None or place.is_closed:
        raise InvitationOver
    return row, place


def _join(connection: Connection, secret: str, user_id: UUID, actor: Actor, at: datetime) -> Joined:
    row, place = _find(connection, secret, at)
    lock_organisation(connection, place.organisation_id)
    accepted = connection.execute(
        update(Invitation)
        .where(
            col(Invitation.id) == row.id,
            col(Invitation.token_hash) == hash_secret(secret),
            col(Invitation.accepted_at).is_(None),
            col(Invitation.revoked_at).is_(None),
        )
        .values(accepted_at=at, accepted_by=user_id)
    ).rowcount
    if not accepted:
        raise InvitationOver
    organisation_role = OrganisationRole.MEMBER if place.project_id else OrganisationRole(row.role)
    _enter_organisation(connection, place.organisation_id, user_id, organisation_role)
    if place.project_id:
        _enter_project(connection, place.project_id, user_id, ProjectRole(row.role))
    audit.record(
        connection,
        at=at,
        actor=actor,
        action="invitation.accepted",
        subject=f"{place.name}/{actor.username}",
        email=row.email,
        role=row.role,
    )
    return Joined(user_id, place.organisation, place.account)


def _enter_organisation(
    connection: Connection, organisation_id: UUID, user_id: UUID, role: OrganisationRole
) -> None:
    place = (
        col(OrganisationMember.organisation_id) == organisation_id,
        col(OrganisationMember.user_id) == user_id,
    )
    was = connection.execute(select(col(OrganisationMember.role)).where(*place).with_for_update()).scalar()
    if was is None:
        connection.execute(
            insert(OrganisationMember).values(organisation_id=organisation_id, user_id=user_id, role=role)
        )
    elif role is OrganisationRole.MANAGER:
        connection.execute(update(OrganisationMember).where(*place).values(role=role))


def _enter_project(connection: Connection, project_id: UUID, user_id: UUID, role: ProjectRole) -> None:
    place = (col(ProjectMember.project_id) == project_id, col(ProjectMember.user_id) == user_id)
    was = connection.execute(select(col(ProjectMember.role)).where(*place).with_for_update()).scalar()
    if was is None:
        connection.execute(insert(ProjectMember).values(project_id=project_id, user_id=user_id, role=role))
    elif role is ProjectRole.LEAD:
        connection.execute(update(ProjectMember).where(*place).values(role=role))
