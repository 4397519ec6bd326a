"""Invite people by e-mail: a link that is good once, for two weeks, for whoever reads that address.

Whether an address belongs to somebody with an account changes nothing that the inviter sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.secret import hash_secret, new_secret
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.errors import InvalidEntry, NotFound, Problem, TooManyInvitations
from hpc_portal.app.ids import new_id
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import queue_mail
from hpc_portal.app.permissions import Action
from hpc_portal.app.public_address import base_url
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationRole, ProjectRole
from hpc_portal.app.tenants.keep_a_lead import lock_organisation
from hpc_portal.app.tenants.place import Place, find_place
from hpc_portal.app.tenants.tables import Invitation

VALID_FOR = timedelta(days=14)
MOST_AT_ONCE = 300
MOST_OPEN = 2000
"""For one organisation."""
MOST_A_DAY = 1000
"""Mails that one person has sent."""
_DAY = timedelta(days=1)
_BETWEEN_TWO = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Invitees:
    """Who is invited where, as what."""

    emails: Sequence[str]
    role: str
    """`manager` or `member` of an organisation, `lead` or `member` of a project."""
    organisation: str = ""
    """A slug; or else:"""
    project: str = ""
    """An account name."""


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation that stands."""

    id: UUID
    email: str
    expires_at: datetime
    link: str = field(default="", repr=False)
    """Shown once; "" for an address that was invited a moment ago: nothing was sent again."""


def invite(services: Services, actor: Actor, wanted: Invitees) -> list[Invited]:
    """Send an invitation to each address; one that is open already is replaced by a new link.

    Raises:
        NotFound: no such organisation or project, or none that the actor may see.
        NotAllowed: the actor sees it, but does not manage its members.
        InvalidEntry: an address or the role is wrong, or there are too many at once.
        TenantClosed: it is closed for good.
        TooManyInvitations: a limit that keeps strangers from being flooded.
    """
    emails = list(dict.fromkeys(email.strip().lower() for email in wanted.emails if email.strip()))
    _require_sensible(emails, wanted)
    now = services.clock.now()

    def work(connection: Connection) -> list[Invited]:
        place = find_place(connection, actor, organisation=wanted.organisation, project=wanted.project)
        place.require_open()
        lock_organisation(connection, place.organisation_id)
        require_few(connection, actor, place.organisation_id, len(emails), now)
        invited = [
            send_invitation(connection, services, actor, place, email, wanted.role, at=now)
            for email in emails
        ]
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="invitation.sent",
            subject=place.name,
            emails=[one.email for one in invited if one.link],
            role=wanted.role,
        )
        return invited

    return transact(services.engine, work)


def resend_invitation(services: Services, actor: Actor, invitation_id: UUID) -> Invited:
    """Send it anew with a new link, good for two weeks from now; the old link is good no more.

    Raises:
        NotFound: there is none that is open, or none that the actor may see.
        NotAllowed: the actor does not manage the place's members.
        TenantClosed: the place is closed for good.
        TooManyInvitations: it was sent a moment ago.
    """
    now = services.clock.now()

    def work(connection: Connection) -> Invited:
        row, place = find_invitation(connection, actor, invitation_id)
        if row.accepted_at or row.revoked_at:
            raise NotFound("invitation", invitation_id)
        place.require_open()
        lock_organisation(connection, place.organisation_id)
        require_few(connection, actor, place.organisation_id, 1, now)
        invited = send_invitation(connection, services, actor, place, row.email, row.role, at=now)
        if not invited.link:
            raise TooManyInvitations(1, "to one address in five minutes")
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="invitation.sent_again",
            subject=place.name,
            email=row.email,
        )
        return invited

    return transact(services.engine, work)


def revoke_invitation(services: Services, actor: Actor, invitation_id: UUID) -> bool:
    """Make its link good for nothing; False when somebody revoked it before.

    Raises:
        NotFound: there is none, or none that the actor may see, or it was accepted.
        NotAllowed: the actor does not manage the place's members.
    """
    now = services.clock.now()

    def work(connection: Connection) -> bool:
        row, place = find_invitation(connection, actor, invitation_id)
        if row.accepted_at:
            raise NotFound("invitation", invitation_id)
        revoked = connection.execute(
            update(Invitation)
            .where(
                col(Invitation.id) == invitation_id,
                col(Invitation.accepted_at).is_(None),
                col(Invitation.revoked_at).is_(None),
            )
            .values(revoked_at=now)
        ).rowcount
        if revoked:
            audit.record(
                connection,
                at=now,
                actor=actor,
                action="invitation.revoked",
                subject=place.name,
                email=row.email,
            )
        return bool(revoked)

    return transact(services.engine, work)


def find_invitation(connection: Connection, actor: Actor, invitation_id: UUID) -> tuple[AnyRow, Place]:
    """An invitation and its place, for somebody who manages the members there.

    Raises:
        NotFound: there is none, or none that the actor may see.
        NotAllowed: the actor may see the place, but not manage its members.
    """
    hidden = NotFound("invitation", invitation_id)
    row = connection.execute(
        select(
            col(Invitation.id),
            col(Invitation.email),
            col(Invitation.role),
            col(Invitation.organisation_id),
            col(Invitation.project_id),
            col(Invitation.accepted_at),
            col(Invitation.revoked_at),
        ).where(col(Invitation.id) == invitation_id)
    ).first()
    if row is None:
        raise hidden
    permissions.require(
        actor,
        Action.MANAGE_MEMBERS,
        organisation_id=row.organisation_id,
        project_id=row.project_id,
        hidden_as=hidden,
    )
    return row, find_place(connection, actor, organisation_id=row.organisation_id, project_id=row.project_id)


def send_invitation(  # noqa: PLR0913, PLR0917 - the facts of one mail
    connection: Connection,
    services: Services,
    actor: Actor,
    place: Place,
    email: str,
    role: str,
    *,
    at: datetime,
) -> Invited:
    """Write the invitation and its mail; the caller has checked who may, and locked the organisation."""
    secret = new_secret()
    expires_at = at + VALID_FOR
    stands = connection.execute(
        select(
            col(Invitation.id),
            col(Invitation.sent_at),
            col(Invitation.expires_at),
            col(Invitation.times_sent),
        )
        .where(
            col(Invitation.place_id) == place.id,
            col(Invitation.email) == email,
            col(Invitation.accepted_at).is_(None),
            col(Invitation.revoked_at).is_(None),
        )
        .with_for_update()
    ).first()
    if stands and at - stands.sent_at < _BETWEEN_TWO:
        return Invited(stands.id, email, stands.expires_at)
    sent = {
        "role": role,
        "token_hash": hash_secret(secret),
        "locale": actor.locale,
        "invited_by": actor.user_id if actor.user_id.int else None,
        "sent_at": at,
        "expires_at": expires_at,
    }
    if stands:
        invitation_id, times = stands.id, stands.times_sent + 1
        connection.execute(
            update(Invitation).where(col(Invitation.id) == invitation_id).values(**sent, times_sent=times)
        )
    else:
        invitation_id, times = new_id(), 1
        connection.execute(
            insert(Invitation).values(
                **sent,
                id=invitation_id,
                organisation_id=place.organisation_id,
                project_id=place.project_id,
                place_id=place.id,
                email=email,
                invited_at=at,
                times_sent=times,
            )
        )
    link = f"{base_url(services)}/invitations/{secret}"
    queue_mail(
        connection,
        address=email,
        locale=actor.locale,
        kind=NoticeKind.INVITATION,
        facts={
            "by": actor.display_name,
            "place": place.title,
            "link": link,
            "expires_at": expires_at.isoformat(),
        },
        at=at,
        key=f"invitation:{invitation_id}:{times}",
    )
    return Invited(invitation_id, email, expires_at, link)


def _require_sensible(emails: Sequence[str], wanted: Invitees) -> None:
    kind = ProjectRole if wanted.project else OrganisationRole
    roles = ", ".join(role.value for role in kind)
    checks.require(
        [
            None if emails else Problem("emails", "Enter at least one address."),
            Problem("emails", "Invite at most %(most)s people at once.", {"most": MOST_AT_ONCE})
            if len(emails) > MOST_AT_ONCE
            else None,
            None
            if wanted.role in {role.value for role in kind}
            else Problem("role", "Choose one of: %(roles)s.", {"roles": roles}),
        ]
    )
    wrong = [email for email in emails if checks.email_problem(email)]
    if wrong:
        raise InvalidEntry([Problem("emails", "%(email)s is no e-mail address.", {"email": wrong[0][:100]})])


def require_few(connection: Connection, actor: Actor, organisation_id: UUID, more: int, at: datetime) -> None:
    """Let pass while neither the organisation nor the person invites more than is reasonable.

    Raises:
        TooManyInvitations: with the limit.
    """
    still_open = connection.execute(
        select(func.count()).where(
            col(Invitation.organisation_id) == organisation_id,
            col(Invitation.accepted_at).is_(None),
            col(Invitation.revoked_at).is_(None),
            col(Invitation.expires_at) > at,
        )
    ).scalar_one()
    if still_open + more > MOST_OPEN:
        raise TooManyInvitations(MOST_OPEN, "open for one organisation")
    by = actor.user_id if actor.user_id.int else None
    sent = connection.execute(
        select(func.coalesce(func.sum(col(Invitation.times_sent)), 0)).where(
            col(Invitation.invited_by) == by, col(Invitation.sent_at) > at - _DAY
        )
    ).scalar_one()
    if by and sent + more > MOST_A_DAY:
        raise TooManyInvitations(MOST_A_DAY, "by one person in a day")
