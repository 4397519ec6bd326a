"""A project's people: their roles, invitations, and who leads it."""

from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import Response

from hpc_portal.app.accounts.set_membership import set_project_membership
from hpc_portal.app.actor import Actor
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ProjectRole
from hpc_portal.app.tenants.hand_over import hand_over_project
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices
from hpc_portal.web.people_page import PeoplePage, wanted_role
from hpc_portal.web.project_tabs import project_facts
from hpc_portal.web.tenant_forms import read_hand_over

router = APIRouter(include_in_schema=False)


@router.get("/projects/{account}/members")
def show(request: Request, actor: CurrentActor, services: PortalServices, account: str) -> Response:
    """Who is in it."""
    return _page(request, actor, services, account).show()


@router.post("/projects/{account}/members/{username}")
async def set_member(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    identities: KnownIdentities,
    account: str,
    username: str,
) -> Response:
    """Change a member's role, or end their membership."""
    role = await wanted_role(request, ProjectRole)
    return await _page(request, actor, services, account).change(
        identities,
        lambda: set_project_membership(services, actor, account=account, username=username, role=role),
    )


@router.post("/projects/{account}/hand-over")
async def hand_over(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    identities: KnownIdentities,
    account: str,
) -> Response:
    """Make another member the lead in one's stead."""
    wanted = read_hand_over(await request.form())
    return await _page(request, actor, services, account).change(
        identities, lambda: hand_over_project(services, actor, account, wanted)
    )


@router.post("/projects/{account}/invite")
async def invite_people(
    request: Request, actor: CurrentActor, services: PortalServices, account: str
) -> Response:
    """Send invitations, and show their links once."""
    return await _page(request, actor, services, account).invite()


def _page(request: Request, actor: Actor, services: Services, account: str) -> PeoplePage:
    def read(session: Session) -> tuple[dict[str, Any], bool]:
        details, facts = project_facts(session, actor, account, "members")
        return facts, details.project.may_manage_members

    return PeoplePage(
        request,
        actor,
        services,
        {"project": account},
        f"/projects/{account}",
        "project/members.html",
        ProjectRole,
        read,
    )
