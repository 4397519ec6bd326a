"""One's own settings: language, theme, API tokens, and the browsers in which one is signed in."""

import asyncio
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.browser_sessions import end_other_sessions, end_session, list_sessions
from hpc_portal.app.accounts.change_settings import change_appearance
from hpc_portal.app.accounts.issue_token import issue_token
from hpc_portal.app.accounts.queries import list_tokens
from hpc_portal.app.accounts.revoke_token import revoke_token
from hpc_portal.app.accounts.secret import hash_secret
from hpc_portal.app.actor import Actor
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices
from hpc_portal.auth.sessions import is_secure, session_secret
from hpc_portal.web.cookies import LOCALE_COOKIE, THEME_COOKIE, remember
from hpc_portal.web.render import THEMES, pages_of
from hpc_portal.web.show_device import device_of

router = APIRouter(include_in_schema=False)


@router.get("/settings")
def show(request: Request, actor: CurrentActor, services: PortalServices, saved: bool = False) -> Response:  # noqa: FBT001, FBT002 - a flag in the URL
    """All of it."""
    return _page(request, actor, services, saved=saved)


@router.post("/settings")
async def change(
    request: Request, actor: CurrentActor, services: PortalServices, identities: KnownIdentities
) -> Response:
    """Store language and theme with the account, and let this browser use them at once."""
    form = await request.form()
    locale, theme = str(form.get("locale", "")), str(form.get("theme", ""))
    await asyncio.to_thread(
        lambda: change_appearance(services, actor, locale=locale or None, theme=theme or None)
    )
    identities.forget()
    response = RedirectResponse("/settings?saved=true", HTTPStatus.SEE_OTHER)
    for name, value in ((LOCALE_COOKIE, locale), (THEME_COOKIE, theme)):
        if value:
            remember(response, name, value, secure=is_secure(services.settings))
    return response


@router.post("/settings/tokens")
async def create_token(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """A new token, shown in the answer and never again."""
    form = await request.form()
    name = str(form.get("name", ""))
    token = await asyncio.to_thread(lambda: issue_token(services, actor, name=name))
    return await asyncio.to_thread(lambda: _page(request, actor, services, new_token=token.secret))


@router.post("/settings/tokens/{token_id}/revoke")
async def revoke(
    actor: CurrentActor, services: PortalServices, identities: KnownIdentities, token_id: UUID
) -> Response:
    """End a token for good."""
    await asyncio.to_thread(revoke_token, services, actor, token_id)
    identities.forget()
    return RedirectResponse("/settings", HTTPStatus.SEE_OTHER)


@router.post("/settings/sessions/end")
async def end_sessions(
    request: Request, actor: CurrentActor, services: PortalServices, identities: KnownIdentities
) -> Response:
    """Sign one browser out, or all but this one."""
    session_id = str((await request.form()).get("session", ""))
    if session_id:
        await asyncio.to_thread(end_session, services, actor, session_id)
    else:
        keep = hash_secret(session_secret(request))
        await asyncio.to_thread(lambda: end_other_sessions(services, actor, keep=keep))
    identities.forget()
    return RedirectResponse("/settings", HTTPStatus.SEE_OTHER)


def _page(
    request: Request, actor: Actor, services: Services, *, saved: bool = False, new_token: str = ""
) -> Response:
    with services.reading() as session:
        tokens = list_tokens(session, actor)
        sessions = list_sessions(session, actor, at=services.clock.now())
    facts = {
        "saved": saved,
        "new_token": new_token,
        "tokens": tokens,
        "sessions": [(one, device_of(one.user_agent)) for one in sessions],
        "this_session": hash_secret(session_secret(request)),
        "theme_choices": THEMES,
    }
    return pages_of(request).render(request, "settings.html", facts)
