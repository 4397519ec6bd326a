"""A place in an organisation or project for somebody who has an account already."""

from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.accounts.set_membership import set_organisation_membership, set_project_membership
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationRole, ProjectRole
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices
from hpc_portal.auth.identify import Identities
from hpc_portal.web.entry_form import OFFERED, entered_of
from hpc_portal.web.person import PersonPage
from hpc_portal.web.tenant_forms import carry_out

router = APIRouter(include_in_schema=False)

_ONE = "/admin/people/{username}"


@router.post(_ONE + "/organisations")
async def set_place(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    identities: KnownIdentities,
    username: str,
) -> Response:
    """Make them a member or manager of an organisation."""

    def deed(organisation: str, role: str) -> None:
        if not organisation or role not in set(OrganisationRole):
            raise InvalidEntry([Problem("organisation", OFFERED)])
        set_organisation_membership(
            services, actor, organisation=organisation, username=username, role=OrganisationRole(role)
        )

    return await _change(request, actor, services, identities, username, ("organisation", deed))


@router.post(_ONE + "/projects")
async def set_place_in_project(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    identities: KnownIdentities,
    username: str,
) -> Response:
    """Make them a member or lead of a project of their organisations."""

    def deed(project: str, role: str) -> None:
        if not project or role not in set(ProjectRole):
            raise InvalidEntry([Problem("project", OFFERED)])
        set_project_membership(services, actor, account=project, username=username, role=ProjectRole(role))

    return await _change(request, actor, services, identities, username, ("project", deed))


async def _change(  # noqa: PLR0913, PLR0917 - who, whom, where
    request: Request,
    actor: Actor,
    services: Services,
    identities: Identities,
    username: str,
    change: tuple[str, Callable[[str, str], None]],
) -> Response:
    field, deed = change
    role = f"{field}_role"
    entered = entered_of(await request.form(), (field, role))

    def work() -> None:
        permissions.require(actor, Action.GRANT)
        deed(entered[field], entered[role])
        identities.forget()

    page = PersonPage(request, actor, services, username, entered)
    return await carry_out(request, work, page.show, f"{page.address}/access")
