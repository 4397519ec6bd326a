"""Sign in and out, and the language and theme that a browser remembers without an account."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.errors import WrongCredentials
from hpc_portal.auth import sign_in as auth
from hpc_portal.auth.deps import CurrentActor, MaybeActor, PortalServices
from hpc_portal.auth.errors import TooManyAttempts
from hpc_portal.auth.sessions import is_secure
from hpc_portal.web.cookies import LOCALE_COOKIE, THEME_COOKIE, local_path, remember
from hpc_portal.web.problems import problems_of
from hpc_portal.web.render import THEMES, pages_of

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def show(request: Request, actor: MaybeActor, next: str = "/") -> Response:  # noqa: A002 - as it is called in URLs
    """The form; who is signed in goes on."""
    if actor:
        return RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER)
    return pages_of(request).render(
        request, "sign_in.html", {"next": local_path(next), "problem": "", "username": ""}
    )


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Open a session, or show the form again with what is wrong."""
    form = await request.form()
    username, password = str(form.get("username", "")).strip(), str(form.get("password", ""))
    goal = local_path(str(form.get("next", "/")))
    response = RedirectResponse(goal, HTTPStatus.SEE_OTHER)
    request.state.actor = None
    try:
        await auth.sign_in(request, response, username, password)
    except (WrongCredentials, TooManyAttempts) as error:
        pages = pages_of(request)
        problem = problems_of(error, pages.language(request))[0].text
        is_throttled = isinstance(error, TooManyAttempts)
        return pages.render(
            request,
            "sign_in.html",
            {"next": goal, "problem": problem, "username": username},
            status=HTTPStatus.TOO_MANY_REQUESTS if is_throttled else HTTPStatus.UNPROCESSABLE_ENTITY,
        )
    return response


@router.post("/sign-out")
async def sign_out(request: Request, actor: CurrentActor) -> Response:
    """End the session."""
    del actor  # only who is signed in may sign out, and the CSRF token was checked with the actor
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    await auth.sign_out(request, response)
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
