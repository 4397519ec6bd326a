"""Invitations: send, list, send again, revoke, accept."""

from collections.abc import Iterable
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter

from hpc_portal.api.schemas import ListReply
from hpc_portal.api.tenants_schemas import (
    AcceptBody,
    InvitationReply,
    InviteBody,
    InvitedReply,
    JoinedReply,
    LinkBody,
    OpenInvitationReply,
)
from hpc_portal.app.tenants.accept_invitation import accept_invitation, show_invitation
from hpc_portal.app.tenants.invite import (
    Invited,
    Invitees,
    invite,
    resend_invitation,
    revoke_invitation,
)
from hpc_portal.app.tenants.queries import InvitationRecord, list_invitations
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices

router = APIRouter(tags=["invitations"])


@router.post("/invitations/look")
def look(services: PortalServices, body: LinkBody) -> OpenInvitationReply:
    """What a link offers, for whoever holds it; to look uses nothing up."""
    return OpenInvitationReply.model_validate(show_invitation(services, body.secret))


@router.get("/organisations/{slug}/invitations")
def of_organisation(services: PortalServices, actor: CurrentActor, slug: str) -> ListReply[InvitationReply]:
    """Invitations to an organisation and its projects, for those who manage its members."""
    with services.reading() as session:
        return _listed(list_invitations(session, actor, organisation=slug))


@router.post("/organisations/{slug}/invitations", status_code=HTTPStatus.CREATED)
def to_organisation(
    services: PortalServices, actor: CurrentActor, slug: str, body: InviteBody
) -> ListReply[InvitedReply]:
    """Invite people to an organisation, as `member` or `manager`; nothing tells who has an account."""
    return _sent(invite(services, actor, Invitees(body.emails, body.role, organisation=slug)))


@router.get("/projects/{account}/invitations")
def of_project(services: PortalServices, actor: CurrentActor, account: str) -> ListReply[InvitationReply]:
    """Invitations to a project, for those who manage its members."""
    with services.reading() as session:
        return _listed(list_invitations(session, actor, project=account))


@router.post("/projects/{account}/invitations", status_code=HTTPStatus.CREATED)
def to_project(
    services: PortalServices, actor: CurrentActor, account: str, body: InviteBody
) -> ListReply[InvitedReply]:
    """Invite people to a project and its organisation, as `member` or `lead`."""
    return _sent(invite(services, actor, Invitees(body.emails, body.role, project=account)))


@router.post("/invitations/{invitation_id}/resend")
def resend(services: PortalServices, actor: CurrentActor, invitation_id: UUID) -> InvitedReply:
    """Send it again with a new link; the old one is good no more."""
    return InvitedReply.model_validate(resend_invitation(services, actor, invitation_id))


@router.delete("/invitations/{invitation_id}", status_code=HTTPStatus.NO_CONTENT)
def revoke(services: PortalServices, actor: CurrentActor, invitation_id: UUID) -> None:
    """Make its link good for nothing."""
    revoke_invitation(services, actor, invitation_id)


@router.post("/invitations/accept")
def accept(
    services: PortalServices, actor: CurrentActor, identities: KnownIdentities, body: AcceptBody
) -> JoinedReply:
    """Take the place that a link offers, with the account that you have."""
    joined = accept_invitation(services, actor, body.secret)
    identities.forget()
    return JoinedReply(organisation=joined.organisation, account=joined.account)


def _listed(found: Iterable[InvitationRecord]) -> ListReply[InvitationReply]:
    return ListReply(items=[InvitationReply.model_validate(item) for item in found])


def _sent(found: Iterable[Invited]) -> ListReply[InvitedReply]:
    return ListReply(items=[InvitedReply.model_validate(item) for item in found])
