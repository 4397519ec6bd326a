"""A project's people: their roles, invitations, and who leads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.accounts.set_membership import set_project_membership
from hpc_portal.app.actor import Actor
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ProjectRole
from hpc_portal.app.tenants.hand_over import hand_over_project
from hpc_portal.app.tenants.invite import Invited, Invitees, invite
from hpc_portal.app.tenants.queries import list_invitations
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.project_tabs import project_facts
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_forms import carry_out, read_emails, read_hand_over, text_of

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Page:
    """Renders the page again and again."""

    request: Request
    actor: Actor
    services: Services
    account: str

    def show(
        self,
        problems: Sequence[ShownProblem] = (),
        invited: Sequence[Invited] = (),
        entered: Mapping[str, str] | None = None,
    ) -> Response:
        with self.services.reading() as session:
            details, facts = project_facts(session, self.actor, self.account, "members")
            invitations = (
                list_invitations(session, self.actor, project=self.account)
                if details.project.may_manage_members
                else ()
            )
        facts |= {
            "problems": problems,
            "invited": invited,
            "entered": entered or {},
            "invitations": invitations,
            "now": self.services.clock.now(),
            "choices": [role.value for role in ProjectRole],
        }
        return pages_of(self.request).render(self.request, "project/members.html", facts)


@router.get("/projects/{account}/members")
def show(request: Request, actor: CurrentActor, services: PortalServices, account: str) -> Response:
    """Who is in it."""
    return _Page(request, actor, services, account).show()


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
    wanted = text_of(await request.form(), "role")
    role = ProjectRole(wanted) if wanted in set(ProjectRole) else None

    def deed() -> None:
        set_project_membership(services, actor, account=account, username=username, role=role)
        identities.forget()

    page = _Page(request, actor, services, account)
    return await carry_out(request, deed, page.show, f"/projects/{account}/members")


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

    def deed() -> None:
        hand_over_project(services, actor, account, wanted)
        identities.forget()

    page = _Page(request, actor, services, account)
    return await carry_out(request, deed, page.show, f"/projects/{account}/members")


@router.post("/projects/{account}/invite")
async def invite_people(
    request: Request, actor: CurrentActor, services: PortalServices, account: str
) -> Response:
    """Send invitations, and show their links once."""
    form = await request.form()
    entered = {name: text_of(form, name) for name in ("emails", "role")}
    wanted = Invitees(read_emails(form), text_of(form, "role"), project=account)
    page = _Page(request, actor, services, account)
    return await carry_out(
        request,
        lambda: invite(services, actor, wanted),
        lambda problems: page.show(problems, entered=entered),
        lambda invited: page.show(invited=invited),
    )
