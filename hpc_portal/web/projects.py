"""Every project with its state and balance, for those who see the whole city."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.permissions import Action
from hpc_portal.app.tenants.city_projects import list_city_projects
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_words import TENANT_STATES

router = APIRouter(include_in_schema=False)


@router.get("/admin/projects")
def show(request: Request, actor: CurrentActor, services: PortalServices, text: str = "") -> Response:
    """Projects by organisation, those whose names have the text in them, and the sum."""
    with services.reading() as session:
        found = list_city_projects(session, actor, at=services.clock.now())
    wanted = text.strip().casefold()
    shown = [
        one
        for one in found
        if wanted in f"{one.account} {one.name} {one.organisation} {one.organisation_name}".casefold()
    ]
    totals = {
        name: sum(getattr(one, name) for one in shown)
        for name in ("members", "jobs_under_way", "granted_vnd", "held_vnd", "used_vnd", "available_vnd")
    }
    facts = {
        "projects": shown,
        "totals": totals,
        "text": text,
        "states": TENANT_STATES,
        "may_create": permissions.may(actor, Action.GRANT),
    }
    return pages_of(request).render(request, "admin/projects.html", facts)
