"""The form with which an administrator opens a project of an organisation, with its lead."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import Response

from hpc_portal.app.accounts.create_project import create_project
from hpc_portal.app.accounts.queries import list_visible_organisations
from hpc_portal.app.actor import Actor
from hpc_portal.app.offered import not_offered
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.entry_form import EntryPage, at_fields, entered_of
from hpc_portal.web.tenant_forms import carry_out
from quotas.tables import TenantState

router = APIRouter(include_in_schema=False)


@router.get("/admin/projects/new")
def show(
    request: Request, actor: CurrentActor, services: PortalServices, organisation: str = "", lead: str = ""
) -> Response:
    """A form with nothing in it but perhaps the organisation and the lead."""
    return _page(request, actor, services, {"organisation": organisation, "lead": lead}).show()


@router.post("/admin/projects")
async def create(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Create it, and go on to its first grant."""
    entered = entered_of(await request.form(), ("organisation", "account", "name", "lead"))

    def deed() -> None:
        if not entered["organisation"]:
            raise not_offered("organisation")
        with at_fields({"project": "account"}):
            create_project(services, actor, **entered)

    page = _page(request, actor, services, entered)
    return await carry_out(request, deed, page.show, f"/allocations/new?project={entered['account']}&made=1")


def _page(request: Request, actor: Actor, services: Services, entered: Mapping[str, str]) -> EntryPage:
    def facts(session: Session) -> Mapping[str, Any]:
        found = list_visible_organisations(session, actor)
        return {"organisations": [one for one in found if one.state is not TenantState.CLOSED]}

    return EntryPage(request, actor, services, "admin/new_project.html", facts, entered)
