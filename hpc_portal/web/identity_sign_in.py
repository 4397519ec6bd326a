"""Sign in with the city's identity: out to the provider, back from it, and out when it says so."""

import asyncio
import hmac
import secrets
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.external_person import person_of
from hpc_portal.app.accounts.pending_sign_in import keep_sign_in, take_sign_in
from hpc_portal.app.accounts.sign_in_external import sign_in_external
from hpc_portal.app.errors import IdentityNotLinked, IdentityTaken, NotFound
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, MaybeActor, PortalServices
from hpc_portal.auth.errors import IdentityUnavailable
from hpc_portal.auth.identity_provider import IdentityProvider, IdentityProviderFailed
from hpc_portal.auth.identity_sessions import end_identity_sessions, mark_of
from hpc_portal.auth.sessions import clear_pending_cookie, pending_secret, set_pending_cookie
from hpc_portal.auth.sign_in import enter
from hpc_portal.web import sign_in
from hpc_portal.web.cookies import local_path
from hpc_portal.web.render import pages_of

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)

BACK = "/sign-in/identity/back"


def _provider(request: Request) -> IdentityProvider:
    """The provider that settings name.

    Raises:
        NotFound: they name none.
    """
    found: IdentityProvider | None = request.app.state.identity_provider
    if found is None:
        raise NotFound("page", "sign-in/identity")
    return found


Provider = Annotated[IdentityProvider, Depends(_provider)]


@router.get("/sign-in/identity")
async def leave(
    request: Request,
    actor: MaybeActor,
    services: PortalServices,
    provider: Provider,
    next: str = "/",  # noqa: A002 - as it is called in URLs
) -> Response:
    """Send the browser to the provider; who is signed in goes on."""
    if actor:
        return RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER)
    request.state.actor = None
    return await _leave(request, services, provider, goal=local_path(next))


@router.post("/settings/identity")
async def link(
    request: Request, actor: CurrentActor, services: PortalServices, provider: Provider
) -> Response:
    """Begin to link one's account by a page that leads on: our forms may not send browsers elsewhere."""
    facts, url = await _begin(request, services, provider, goal="/settings?saved=true#identity")
    secret = await asyncio.to_thread(lambda: keep_sign_in(services, facts, user_id=actor.user_id))
    response = pages_of(request).render(request, "settings/leave.html", {"url": url})
    set_pending_cookie(response, services.settings, secret)
    return response


@router.get(BACK)
async def come_back(
    request: Request, services: PortalServices, provider: Provider, state: str = "", code: str = ""
) -> Response:
    """Open a session for whom the provider vouches for; only in the browser that left, and once."""
    request.state.actor = None
    pending = await asyncio.to_thread(take_sign_in, services, pending_secret(request))
    if pending is None or not hmac.compare_digest(str(pending.facts.get("state", "")), state) or not code:
        log.info("identity.not_completed", error=request.query_params.get("error", "")[:100])
        return sign_in.form(request, {"next": "/"}, error=IdentityUnavailable())
    facts = pending.facts
    try:
        claims = await provider.claims(
            code=code, back=_back(request, services), nonce=facts["nonce"], verifier=facts["verifier"]
        )
        person = person_of(claims, provider.settings)
        user_id = await asyncio.to_thread(
            lambda: sign_in_external(services, provider.settings, person, link_to=pending.user_id)
        )
    except IdentityProviderFailed as problem:
        log.warning("identity.failed", problem=str(problem))
        return sign_in.form(request, {"next": "/"}, error=IdentityUnavailable())
    except (IdentityNotLinked, IdentityTaken) as error:
        return sign_in.form(request, {"next": "/"}, error=error)
    response = RedirectResponse(str(facts["goal"]), HTTPStatus.SEE_OTHER)
    clear_pending_cookie(response, services.settings)
    await enter(request, response, user_id, identity_session=mark_of(claims))
    return response


@router.post("/sign-in/identity/logout")
async def logged_out(
    request: Request, services: PortalServices, identities: KnownIdentities, provider: Provider
) -> Response:
    """The provider says that somebody signed out there (Back-Channel Logout 1.0): end their sessions here."""
    token = str((await request.form()).get("logout_token", ""))
    try:
        gone = await provider.logged_out(token)
    except IdentityProviderFailed as problem:
        log.warning("identity.logout_refused", problem=str(problem))
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    ended = await asyncio.to_thread(end_identity_sessions, services, provider.settings.issuer, gone)
    identities.forget()
    log.info("identity.logged_out", sessions=ended)
    return Response(status_code=HTTPStatus.OK)


async def _leave(request: Request, services: Services, provider: IdentityProvider, *, goal: str) -> Response:
    try:
        facts, url = await _begin(request, services, provider, goal=goal)
    except IdentityProviderFailed as problem:
        log.warning("identity.failed", problem=str(problem))
        return sign_in.form(request, {"next": goal}, error=IdentityUnavailable())
    secret = await asyncio.to_thread(keep_sign_in, services, facts)
    response = RedirectResponse(url, HTTPStatus.SEE_OTHER)
    set_pending_cookie(response, services.settings, secret)
    return response


async def _begin(
    request: Request, services: Services, provider: IdentityProvider, *, goal: str
) -> tuple[dict[str, str], str]:
    """What has to be known when the browser comes back, and where it goes."""
    facts = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
    url = await provider.authorization_url(back=_back(request, services), **facts)
    return {**facts, "goal": goal}, url


def _back(request: Request, services: Services) -> str:
    return sign_in.absolute(request, services, BACK)
