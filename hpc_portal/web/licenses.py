"""The page of licences: how many there are, who has them, what others use, what is kept for whom."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotAllowed, NotFound, PortalError
from hpc_portal.app.licenses.queries import license_use
from hpc_portal.app.licenses.reserve import reserve_licenses
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.problems import problems_of
from hpc_portal.web.render import pages_of

router = APIRouter(include_in_schema=False)

_MOST_DIGITS = 7


@router.get("/licenses")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Every feature."""
    return _page(request, actor, services)


@router.post("/licenses/reserve")
async def reserve(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Keep some for a project, or none any more."""
    form = await request.form()
    feature, project, count = (str(form.get(name, "")).strip() for name in ("feature", "project", "count"))
    number = int(count) if count.isdecimal() and count.isascii() and len(count) <= _MOST_DIGITS else -1
    try:
        reserve_licenses(services, actor, feature=feature, project=project, count=number)
    except (NotFound, NotAllowed):
        raise
    except PortalError as error:
        return _page(request, actor, services, error)
    return RedirectResponse("/licenses", HTTPStatus.SEE_OTHER)


def _page(request: Request, actor: Actor, services: Services, error: PortalError | None = None) -> Response:
    pages = pages_of(request)
    with services.reading() as session:
        found = license_use(session.connection(), actor)
    facts = {
        "features": found,
        "may_reserve": permissions.may(actor, Action.GRANT),
        "problems": problems_of(error, pages.language(request)) if error else [],
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    return pages.render(request, "licenses.html", facts, status=status)
