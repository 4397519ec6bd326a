"""One's own one-time codes: set up, confirm, give up."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.second_factor import (
    confirm_second_factor,
    drop_second_factor,
    offer_second_factor,
)
from hpc_portal.app.errors import WrongCode
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.auth.form_seed import seed_of
from hpc_portal.web.settings import settings_page

router = APIRouter(include_in_schema=False)


@router.post("/settings/second-factor/offer")
async def offer(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Show a new secret, which does nothing until it is confirmed."""
    offered = await asyncio.to_thread(offer_second_factor, services, actor)
    return await asyncio.to_thread(lambda: settings_page(request, actor, services, offered=offered))


@router.post("/settings/second-factor/confirm")
async def confirm(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """From now on codes are asked for; those for paper are shown in the answer to this form alone."""
    code, seed = str((await request.form()).get("code", "")), await seed_of(request)
    try:
        papers = await asyncio.to_thread(confirm_second_factor, services, actor, code, seed=seed)
    except WrongCode as error:
        problem = error
        return await asyncio.to_thread(lambda: settings_page(request, actor, services, error=problem))
    return await asyncio.to_thread(lambda: settings_page(request, actor, services, papers=papers))


@router.post("/settings/second-factor/end")
async def end(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Do without codes, which a good one proves."""
    code = str((await request.form()).get("code", ""))
    try:
        await asyncio.to_thread(drop_second_factor, services, actor, code)
    except WrongCode as error:
        problem = error
        return await asyncio.to_thread(lambda: settings_page(request, actor, services, error=problem))
    return RedirectResponse("/settings?saved=true#second-factor", HTTPStatus.SEE_OTHER)
