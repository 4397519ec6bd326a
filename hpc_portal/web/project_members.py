"""A project's people: their roles, invitations, and who leads it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlmodel import Session
from starlette.responses import Response

from hpc_portal.app.accounts.set_membership import set_project_membership
from hpc_portal.app.tables import ProjectRole
from hpc_portal.app.tenants.hand_over import hand_over_project
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.people_page import PeoplePage, wanted_role
from hpc_portal.web.project_tabs import project_facts
from hpc_portal.web.tenant_forms import read_hand_over

router = APIRouter(include_in_schema=False)


async def _page(request: Request, actor: CurrentActor, services: PortalServices, account: str) -> PeoplePage:
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


@router.get("/projects/{account}/members")
def show(page: Annotated[PeoplePage, Depends(_page)]) -> Response:
    """Who is in it."""
    return page.show()


@router.post("/projects/{account}/members/{username}")
async def set_member(page: Annotated[PeoplePage, Depends(_page)], account: str, username: str) -> Response:
    """Change a member's role, or end their membership."""
    role = await wanted_role(page.request, ProjectRole)
    return await page.change(
        lambda: set_project_membership(
            page.services, page.actor, account=account, username=username, role=role
        )
    )


@router.post("/projects/{account}/hand-over")
async def hand_over(page: Annotated[PeoplePage, Depends(_page)], account: str) -> Response:
    """Make another member the lead in one's stead."""
    wanted = read_hand_over(await page.request.form())
    return await page.change(lambda: hand_over_project(page.services, page.actor, account, wanted))


@router.post("/projects/{account}/invite")
async def invite_people(page: Annotated[PeoplePage, Depends(_page)]) -> Response:
    """Send invitations, and show their links once."""
    return await page.invite()
