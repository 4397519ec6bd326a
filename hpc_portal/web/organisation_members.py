"""An organisation's people: their roles, invitations, and who manages it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.accounts.set_membership import set_organisation_membership
from hpc_portal.app.actor import Actor
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationRole
from hpc_portal.app.tenants.hand_over import hand_over_organisation
from hpc_portal.app.tenants.invite import Invited, Invitees, invite
from hpc_portal.app.tenants.queries import get_organisation, list_invitations
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices
from hpc_portal.web.organisation_tabs import organisation_facts
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_forms import carry_out, read_emails, read_hand_over, text_of

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Page:
    """Renders the page again and again."""

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
        facts = organisation_facts(details, "members") | {
            "problems": problems,
            "invited": invited,
            "entered": entered or {},
            "invitations": invitations,
            "now": self.services.clock.now(),
            "choices": [role.value for role in OrganisationRole],
        }
        return pages_of(self.request).render(self.request, "organisation/members.html", facts)


@router.get("/organisations/{slug}/members")
def show(request: Request, actor: CurrentActor, services: PortalServices, slug: str) -> Response:
    """Who is in it; nobody, for those who may not see them."""
    return _Page(request, actor, services, slug).show()


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
    return await carry_out(request, deed, page.show, f"/organisations/{slug}/members")


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
    return await carry_out(request, deed, page.show, f"/organisations/{slug}/members")


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
