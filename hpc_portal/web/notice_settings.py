"""The part of one's settings that says how one is told: choices, and a webhook with its deliveries."""

import asyncio
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.errors import PortalError
from hpc_portal.app.notices.choices import choose
from hpc_portal.app.notices.webhooks import (
    list_deliveries,
    remove_webhook,
    renew_secret,
    set_webhook,
    try_webhook,
    webhook_of,
)
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.auth.form_seed import seed_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.settings import settings_page
from hpc_portal.web.show_notice_choices import read_choices

router = APIRouter(include_in_schema=False)

_WEBHOOK = "/settings#webhook"


@router.post("/settings/notices")
async def choose_groups(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Store how to be told of each group."""
    form = await request.form()
    await asyncio.to_thread(choose, services, actor, read_choices(form))
    return RedirectResponse("/settings?saved=true#notices", HTTPStatus.SEE_OTHER)


@router.post("/settings/webhook")
async def change_webhook(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Set it, or what its button says; a secret is shown in the answer and never again."""
    form, seed = await request.form(), await seed_of(request)
    deed, url = str(form.get("deed", "")), str(form.get("url", ""))

    def work() -> str | None:
        match deed:
            case "test":
                try_webhook(services, actor)
            case "secret":
                return renew_secret(services, actor, seed=seed)
            case "remove":
                remove_webhook(services, actor)
            case _:
                return set_webhook(services, actor, url=url, seed=seed)
        return None

    try:
        secret = await asyncio.to_thread(work)
    except PortalError as error:
        problem = error
        return await asyncio.to_thread(
            lambda: settings_page(request, actor, services, error=problem, webhook_url=url)
        )
    if secret:
        return await asyncio.to_thread(lambda: settings_page(request, actor, services, new_secret=secret))
    return RedirectResponse("/settings/webhook" if deed == "test" else _WEBHOOK, HTTPStatus.SEE_OTHER)


@router.get("/settings/webhook")
def show_deliveries(
    request: Request, actor: CurrentActor, services: PortalServices, before: UUID | None = None
) -> Response:
    """What was posted within the last 30 days."""
    with services.reading() as session:
        found = list_deliveries(session, actor, before=before)
        webhook = webhook_of(session, actor)
    facts = {"deliveries": found.items, "next_cursor": found.next_cursor, "webhook": webhook}
    return pages_of(request).render(request, "settings/deliveries.html", facts)
