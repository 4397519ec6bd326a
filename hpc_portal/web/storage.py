"""Have a project's storage measured again."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.storage.measure_again import measure_again
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(include_in_schema=False)


@router.post("/projects/{account}/storage/measure")
async def measure(actor: CurrentActor, services: PortalServices, account: str) -> Response:
    """As soon as projects with older figures were."""
    await asyncio.to_thread(measure_again, services, actor, account)
    return RedirectResponse(f"/projects/{account}", HTTPStatus.SEE_OTHER)
