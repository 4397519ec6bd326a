"""Sign in and out, and the language and theme that a browser remembers without an account."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.errors import PortalError, WrongCode, WrongCredentials
from hpc_portal.app.services import Services
from hpc_portal.app.settings import IdentitySettings
from hpc_portal.auth import sign_in as auth
from hpc_portal.auth.deps import CurrentActor, MaybeActor, PortalServices
from hpc_portal.auth.errors import TooManyAttempts
from hpc_portal.auth.identity_provider import IdentityProvider, IdentityProviderFailed
from hpc_portal.auth.sessions import is_secure, pending_secret
from hpc_portal.web.cookies import LOCALE_COOKIE, THEME_COOKIE, local_path, remember
from hpc_portal.web.problems import problems_of
from hpc_portal.web.render import THEMES, pages_of

log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 2
"""A form waits no longer for the identity provider, which only adds a link to it."""

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def show(
    request: Request,
    actor: MaybeActor,
    services: PortalServices,
    next: str = "/",  # noqa: A002 - as it is called in URLs
    left: str = "",
) -> Response:
    """The form; who is signed in goes on. Who `left` a session of the identity learns how to end it there."""
    if actor:
        return RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER)
    there = await _end_session_url(request, services) if left == "identity" else ""
    return form(request, {"next": local_path(next), "sign_out_there": there})


async def _end_session_url(request: Request, services: Services) -> str:
    provider: IdentityProvider | None = request.app.state.identity_provider
    if provider is None:
        return ""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await provider.end_session_url(back=absolute(request, services, "/sign-in"))
    except (IdentityProviderFailed, TimeoutError) as problem:
        log.warning("identity.failed", problem=str(problem) or "it takes long to answer")
        return ""


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Open a session, or show the form again with what is wrong."""
    entered = await request.form()
    username, password = str(entered.get("username", "")).strip(), str(entered.get("password", ""))
    goal = local_path(str(entered.get("next", "/")))
    response = RedirectResponse(goal, HTTPStatus.SEE_OTHER)
    request.state.actor = None
    try:
        if not await auth.sign_in(request, response, username, password, goal=goal):
            response.headers["location"] = "/sign-in/code"
    except (WrongCredentials, TooManyAttempts) as error:
        return form(request, {"next": goal, "username": username}, error=error)
    return response


@router.get("/sign-in/code")
async def ask_for_code(request: Request) -> Response:
    """Where a person with a second factor goes after their password."""
    if not pending_secret(request):
        return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    return pages_of(request).render(request, "sign_in_code.html", {})


@router.post("/sign-in/code")
async def take_code(request: Request) -> Response:
    """Open the session; with a wrong code everything begins anew, so that nobody can try them all."""
    code = str((await request.form()).get("code", ""))
    request.state.actor = None
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    try:
        response.headers["location"] = await auth.finish_with_code(request, response, code)
    except (WrongCode, TooManyAttempts) as error:
        return form(request, {"next": "/"}, error=error)
    return response


def absolute(request: Request, services: Services, path: str) -> str:
    """The address of a page of ours, as the identity provider knows it."""
    base = services.settings.public_url or str(request.base_url)
    return base.rstrip("/") + path


def name_of(identity: IdentitySettings | None) -> str:
    """What people call the provider; "" when there is none."""
    return (identity.name or urlsplit(identity.issuer).hostname or "") if identity else ""


def form(request: Request, facts: Mapping[str, str], *, error: PortalError | None = None) -> Response:
    """The page to sign in on, with what went wrong."""
    services: Services = request.app.state.services
    pages = pages_of(request)
    shown = {
        "problem": problems_of(error, pages.language(request))[0].text if error else "",
        "username": "",
        "sign_out_there": "",
        "identity": name_of(services.settings.identity),
        **facts,
    }
    if error is None:
        return pages.render(request, "sign_in.html", shown)
    is_throttled = isinstance(error, TooManyAttempts)
    status = HTTPStatus.TOO_MANY_REQUESTS if is_throttled else HTTPStatus.UNPROCESSABLE_ENTITY
    return pages.render(request, "sign_in.html", shown, status=status)


@router.post("/sign-out")
async def sign_out(request: Request, actor: CurrentActor) -> Response:
    """End the session."""
    del actor  # only who is signed in may sign out, and the CSRF token was checked with the actor
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    if await auth.sign_out(request, response):
        response.headers["location"] = "/sign-in?left=identity"
    return response


@router.get("/language/{code}")
async def choose_language(request: Request, services: PortalServices, code: str, next: str = "/") -> Response:  # noqa: A002
    """Remember the language in this browser and go back."""
    response = RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER)
    if code in pages_of(request).languages:
        remember(response, LOCALE_COOKIE, code, secure=is_secure(services.settings))
    return response


@router.get("/theme/{name}")
async def choose_theme(services: PortalServices, name: str, next: str = "/") -> Response:  # noqa: A002
    """Remember the theme in this browser and go back."""
    response = RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER)
    if name in dict(THEMES):
        remember(response, THEME_COOKIE, name, secure=is_secure(services.settings))
    return response
