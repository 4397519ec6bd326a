"""What the city shows everybody: a page, a CSV and a workbook, without signing in."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.errors import NotFound
from hpc_portal.app.reports.open_data import open_data
from hpc_portal.app.reports.open_data_document import open_data_document
from hpc_portal.app.reports.suppress import LEAST
from hpc_portal.auth.deps import MaybeActor, PortalServices
from hpc_portal.web.show_report import answer, edition_for

router = APIRouter(include_in_schema=False)


@router.get("/open-data")
def show(request: Request, _actor: MaybeActor, services: PortalServices) -> Response:
    """Closed months; 404 where the city shows nothing.

    Raises:
        NotFound: the setting `open_data` is off.
    """
    if not services.settings.open_data:
        raise NotFound("page", "open-data")
    with services.reading() as session:
        found = open_data(session.connection())
    document = open_data_document(found, edition_for(request))
    return answer(request, document, "open_data.html", {"least": LEAST}, measure="gpu_utilisation")
