"""An organisation's page: its state, projects, people and invitations; and all organisations of the city."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.queries import list_visible_organisations
from hpc_portal.app.accounts.set_membership import set_organisation_membership
from hpc_portal.app.actor import Actor
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationRole
from hpc_portal.app.tenants.change_state import change_organisation_state
from hpc_portal.app.tenants.hand_over import hand_over_organisation
from hpc_portal.app.tenants.invite import Invited, Invitees, invite, resend_invitation, revoke_invitation
from hpc_portal.app.tenants.queries import get_organisation, list_invitations, list_tenants
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices
from hpc_portal.web.cookies import local_path
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_forms import (
    carry_out,
    read_emails,
    read_hand_over,
    read_state,
    text_of,
)
from hpc_portal.web.tenant_words import KINDS, ROLES, TENANT_STATES

router = APIRouter(include_in_schema=False)


@router.get("/organisations")
def show_all(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """The reader's own; with one alone, that one at once."""
    with services.reading() as session:
        found = list_visible_organisations(session, actor)
    if len(found) == 1:
        return RedirectResponse(f"/organisations/{found[0].slug}")
    facts = {"organisations": found, "states": TENANT_STATES, "kinds": KINDS, "roles": ROLES}
    return pages_of(request).render(request, "tenants/organisations.html", facts)


@router.get("/admin/organisations")
def show_tenants(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Every organisation with its state, kind and use."""
    with services.reading() as session:
        found = list_tenants(session, actor)
    facts = {"tenants": found, "states": TENANT_STATES, "kinds": KINDS}
    return pages_of(request).render(request, "tenants/all.html", facts)


@dataclass(frozen=True, slots=True)
class _Page:
    """Renders the organisation's page again and again."""

    request: Request
    actor: Actor
    services: Services
    slug: str

    def show(
        self,
        problems: Sequence[ShownProblem] = (),
        invited: Sequence[Invited] = (),
        entered: Mapping[str, str] | None = None,
    ) -> Response:
        with self.services.reading() as session:
            details = get_organisation(session, self.actor, self.slug)
            invitations = (
                list_invitations(session, self.actor, organisation=self.slug)
                if details.may_manage_members
                else ()
            )
        facts = {
            "tenant": details,
            "home": f"/organisations/{self.slug}",
            "problems": problems,
            "invited": invited,
            "entered": entered or {},
            "invitations": invitations,
            "now": self.services.clock.now(),
            "states": TENANT_STATES,
            "kinds": KINDS,
            "roles": ROLES,
            "choices": [role.value for role in OrganisationRole],
        }
        return pages_of(self.request).render(self.request, "tenants/organisation.html", facts)


@router.get("/organisations/{slug}")
def show(request: Request, actor: CurrentActor, services: PortalServices, slug: str) -> Response:
    """One organisation, as far as the reader may see it."""
    return _Page(request, actor, services, slug).show()


@router.post("/organisations/{slug}/state")
async def change_state(
    request: Request, actor: CurrentActor, services: PortalServices, slug: str
) -> Response:
    """Suspend, resume or close it."""
    wanted = read_state(await request.form())
    page = _Page(request, actor, services, slug)
    return await carry_out(
        request,
        lambda: change_organisation_state(services, actor, slug, wanted),
        page.show,
        f"/organisations/{slug}",
    )


@router.post("/organisations/{slug}/members/{username}")
async def set_member(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    identities: KnownIdentities,
    slug: str,
    username: str,
) -> Response:
    """Change a member's role, or end their membership."""
    wanted = text_of(await request.form(), "role")
    role = OrganisationRole(wanted) if wanted in set(OrganisationRole) else None

    def deed() -> None:
        set_organisation_membership(services, actor, organisation=slug, username=username, role=role)
        identities.forget()

    page = _Page(request, actor, services, slug)
    return await carry_out(request, deed, page.show, f"/organisations/{slug}")


@router.post("/organisations/{slug}/hand-over")
async def hand_over(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    identities: KnownIdentities,
    slug: str,
) -> Response:
    """Make another member the manager in one's stead."""
    wanted = read_hand_over(await request.form())

    def deed() -> None:
        hand_over_organisation(services, actor, slug, wanted)
        identities.forget()

    page = _Page(request, actor, services, slug)
    return await carry_out(request, deed, page.show, f"/organisations/{slug}")


@router.post("/organisations/{slug}/invite")
async def invite_people(
    request: Request, actor: CurrentActor, services: PortalServices, slug: str
) -> Response:
    """Send invitations, and show their links once."""
    form = await request.form()
    entered = {name: text_of(form, name) for name in ("emails", "role")}
    wanted = Invitees(read_emails(form), text_of(form, "role"), organisation=slug)
    page = _Page(request, actor, services, slug)
    return await carry_out(
        request,
        lambda: invite(services, actor, wanted),
        lambda problems: page.show(problems, entered=entered),
        lambda invited: page.show(invited=invited),
    )


@router.post("/invites/{invitation_id}/revoke")
async def revoke(
    request: Request, actor: CurrentActor, services: PortalServices, invitation_id: UUID
) -> Response:
    """Make an invitation's link good for nothing."""
    back = local_path(text_of(await request.form(), "back"))
    await asyncio.to_thread(revoke_invitation, services, actor, invitation_id)
    return RedirectResponse(back, 303)


@router.post("/invites/{invitation_id}/resend")
async def resend(
    request: Request, actor: CurrentActor, services: PortalServices, invitation_id: UUID
) -> Response:
    """Send an invitation again, and show its new link once."""
    back = local_path(text_of(await request.form(), "back"))

    def page(problems: Sequence[ShownProblem] = (), invited: Sequence[Invited] = ()) -> Response:
        facts = {"back": back, "problems": problems, "invited": invited}
        return pages_of(request).render(request, "tenants/sent.html", facts)

    return await carry_out(
        request,
        lambda: [resend_invitation(services, actor, invitation_id)],
        page,
        lambda invited: page(invited=invited),
    )
