"""The whole menu as a page: where small screens find what their bar has no room for."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.auth.deps import CurrentActor
from hpc_portal.web.render import pages_of

router = APIRouter(include_in_schema=False)


@router.get("/menu")
def show(request: Request, _actor: CurrentActor) -> Response:
    """Every page that the reader can open, in groups."""
    return pages_of(request).render(request, "menu.html")
