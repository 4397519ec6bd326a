"""An organisation's people: their roles, invitations, and who manages it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlmodel import Session
from starlette.responses import Response

from hpc_portal.app.accounts.set_membership import set_organisation_membership
from hpc_portal.app.tables import OrganisationRole
from hpc_portal.app.tenants.hand_over import hand_over_organisation
from hpc_portal.app.tenants.queries import get_organisation
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.organisation_tabs import organisation_facts
from hpc_portal.web.people_page import PeoplePage, wanted_role
from hpc_portal.web.tenant_forms import read_hand_over

router = APIRouter(include_in_schema=False)


async def _page(request: Request, actor: CurrentActor, services: PortalServices, slug: str) -> PeoplePage:
    def read(session: Session) -> tuple[dict[str, Any], bool]:
        details = get_organisation(session, actor, slug)
        return organisation_facts(details, "members"), details.may_manage_members

    return PeoplePage(
        request,
        actor,
        services,
        {"organisation": slug},
        f"/organisations/{slug}",
        "organisation/members.html",
        OrganisationRole,
        read,
    )


@router.get("/organisations/{slug}/members")
def show(page: Annotated[PeoplePage, Depends(_page)]) -> Response:
    """Who is in it; nobody, for those who may not see them."""
    return page.show()


@router.post("/organisations/{slug}/members/{username}")
async def set_member(page: Annotated[PeoplePage, Depends(_page)], slug: str, username: str) -> Response:
    """Change a member's role, or end their membership."""
    role = await wanted_role(page.request, OrganisationRole)
    return await page.change(
        lambda: set_organisation_membership(
            page.services, page.actor, organisation=slug, username=username, role=role
        )
    )


@router.post("/organisations/{slug}/hand-over")
async def hand_over(page: Annotated[PeoplePage, Depends(_page)], slug: str) -> Response:
    """Make another member the manager in one's stead."""
    wanted = read_hand_over(await page.request.form())
    return await page.change(lambda: hand_over_organisation(page.services, page.actor, slug, wanted))


@router.post("/organisations/{slug}/invite")
async def invite_people(page: Annotated[PeoplePage, Depends(_page)]) -> Response:
    """Send invitations, and show their links once."""
    return await page.invite()
