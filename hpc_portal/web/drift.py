"""How accounts and budgets on every mirrored cluster stand against the portal's, on one page."""

from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.mirror.queries import mirror_reports
from hpc_portal.app.permissions import Action, require
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.problems import say_stored
from hpc_portal.web.render import pages_of

router = APIRouter(include_in_schema=False)


@router.get("/admin/drift")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """What others changed past the portal, and runs that nobody pays for, cluster by cluster."""
    require(actor, Action.AUDIT)
    pages = pages_of(request)
    with services.reading() as session:
        found = mirror_reports(session, actor)
    facts = {"mirrors": found, "say": partial(say_stored, language=pages.language(request))}
    return pages.render(request, "admin/drift.html", facts)
