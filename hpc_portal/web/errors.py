"""Error pages: people get HTML in their language, everything under /api keeps its JSON."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.errors import PortalError
from hpc_portal.auth.deps import find_actor
from hpc_portal.auth.errors import CrossSiteRequest, SignInRequired
from hpc_portal.web.problems import problems_of, status_of
from hpc_portal.web.render import pages_of
from quotas.errors import QuotaError
from workloads.errors import WorkloadError
from workloads.template import N_

_NOTHING_HERE = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)

Handler = Callable[[Request, Exception], Response | Awaitable[Response]]

_HEADINGS = {
    HTTPStatus.FORBIDDEN: N_("You may not do this"),
    HTTPStatus.NOT_FOUND: N_("Not found"),
    HTTPStatus.UNPROCESSABLE_ENTITY: N_("This cannot be done"),
    HTTPStatus.SERVICE_UNAVAILABLE: N_("Not ready yet"),
    HTTPStatus.INTERNAL_SERVER_ERROR: N_("The portal made a mistake"),
}


def install_error_pages(app: FastAPI) -> None:
    """Put HTML pages in front of the handlers that the application already has."""
    kinds = (
        PortalError,
        QuotaError,
        WorkloadError,
        HTTPException,
        RequestValidationError,
        Exception,
    )
    for kind in kinds:
        app.add_exception_handler(kind, _for_people(app.exception_handlers.get(kind)))


def _for_people(otherwise: Handler | None) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        if otherwise is not None and not _wants_page(request):
            found = otherwise(request, error)
            return await found if isinstance(found, Awaitable) else found
        return await _page(request, error)

    return handle


def _wants_page(request: Request) -> bool:
    path = request.url.path
    is_machine = path.startswith(("/api/", "/static/")) or path in {"/api", "/healthz", "/readyz", "/metrics"}
    accepted = request.headers.get("accept", "")
    return not is_machine and ("text/html" in accepted or "hx-request" in request.headers)


async def _page(request: Request, error: Exception) -> Response:
    if isinstance(error, SignInRequired):
        return _to_sign_in(request)
    if not hasattr(request.state, "actor"):
        request.state.actor = None
        if request.method == "GET":
            await find_actor(request)
    pages = pages_of(request)
    language = pages.language(request)
    match error:
        case CrossSiteRequest():
            status = HTTPStatus.FORBIDDEN
            text = language.gettext(
                N_(
                    "This request did not come from a page of the portal that is still valid. "
                    "Reload and try again."
                )
            )
        case PortalError() | QuotaError() | WorkloadError():
            status = status_of(error)
            text = " ".join(problem.text for problem in problems_of(error, language))
        case HTTPException() if error.status_code not in _NOTHING_HERE:
            status = HTTPStatus(error.status_code)
            text = language.gettext(N_("The portal could not read this request. Go back and try again."))
        case HTTPException() | RequestValidationError():
            status = HTTPStatus.NOT_FOUND
            text = language.gettext(N_("There is nothing at this address."))
        case _:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            text = language.gettext(
                N_(
                    "Nothing was lost. Try again; if it happens again, tell the city's administrators "
                    "when it was."
                )
            )
    heading = language.gettext(_HEADINGS.get(status, N_("This cannot be done")))
    return pages.render(
        request, "error.html", {"status": status, "heading": heading, "explanation": text}, status=status
    )


def _to_sign_in(request: Request) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    goal = "/sign-in" if request.method != "GET" or here == "/" else f"/sign-in?next={quote(here)}"
    if "hx-request" in request.headers or "text/event-stream" in request.headers.get("accept", ""):
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/sign-in"})
    return RedirectResponse(goal, HTTPStatus.SEE_OTHER)
