"""The web application: routers, headers, errors, and what starts and stops with the process."""

import asyncio
import contextlib
import importlib.metadata
from collections.abc import AsyncIterator
from http import HTTPStatus

import anyio.to_thread
import structlog
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hpc_portal import health
from hpc_portal.api import routes as api
from hpc_portal.api.problems import problem_reply, said_to
from hpc_portal.app.clusters import list_troubles
from hpc_portal.app.errors import PortalError
from hpc_portal.app.event_hub import EventHub
from hpc_portal.app.loops import Loop, run_loop
from hpc_portal.app.requests import attachment_files
from hpc_portal.app.requests.attachment_files import KEPT, SWEEP_SECONDS
from hpc_portal.app.services import Services
from hpc_portal.app.telemetry.readiness import ReadinessCheck
from hpc_portal.auth.csrf import refuse_cross_site
from hpc_portal.auth.identify import Identities
from hpc_portal.auth.identity_provider import IdentityProvider
from hpc_portal.auth.sessions import is_secure
from hpc_portal.auth.throttle import SignInThrottle
from hpc_portal.middleware import MAX_BODY_BYTES, SecurityHeaders
from hpc_portal.request_metrics import RequestMetrics
from hpc_portal.request_traces import request_traces
from hpc_portal.web import pages
from hpc_portal.web.say_refusal import say_refusal
from quotas.errors import QuotaError
from schedulers.errors import SchedulerError
from workloads.errors import WorkloadError

log = structlog.get_logger(__name__)

_VERSION = importlib.metadata.version("hpc-portal")

_OURS = (
    PortalError,
    QuotaError,
    WorkloadError,
    SchedulerError,
    RequestValidationError,
    HTTPException,
)


def create_app(services: Services) -> FastAPI:
    """The application of one web process; it closes `services.commits` when it stops."""
    app = FastAPI(
        title="HPC portal of Da Nang",
        version=_VERSION,
        openapi_url="/api/openapi.json",
        docs_url=None,  # both pages load scripts from elsewhere, which our content security policy refuses
        redoc_url=None,
        lifespan=_lifespan,
        max_body_size=MAX_BODY_BYTES,
        telemetry=request_traces(),
        dependencies=[Depends(close_form), Depends(refuse_nul), Depends(refuse_cross_site)],
    )
    app.state.services = services
    app.state.identities = Identities(services)
    app.state.throttle = SignInThrottle(services)
    app.state.say_refusal = say_refusal
    identity = services.settings.identity
    app.state.identity_provider = IdentityProvider(identity) if identity else None
    app.state.event_hub = EventHub(
        services.engine,
        on_clusters=services.forget_clusters,
        figures=lambda: services.figures.get().on_start_page,
        troubles=lambda: list_troubles(services),
        now=services.clock.now,
    )
    pages.install_assets(app)
    health.install(app, ReadinessCheck(services.engine, services.settings))
    api.install(app)
    app.add_middleware(SecurityHeaders, is_https=is_secure(services.settings))
    app.add_middleware(RequestMetrics)
    for error in _OURS:
        app.add_exception_handler(error, _reply_to)
    app.add_exception_handler(Exception, _reply_to)
    pages.install(app)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    log.info("web.started", version=_VERSION)
    stop = asyncio.Event()

    async def sweep() -> bool:
        before = services.clock.now() - KEPT
        await anyio.to_thread.run_sync(lambda: attachment_files.sweep(services, unchanged_since=before))
        return False

    sweeping = asyncio.create_task(run_loop(Loop("sweep_attachments", sweep, SWEEP_SECONDS), stop))
    yield
    stop.set()
    await sweeping
    hub: EventHub = app.state.event_hub
    await hub.close()
    provider: IdentityProvider | None = app.state.identity_provider
    if provider:
        await provider.close()
    await anyio.to_thread.run_sync(services.commits.close)
    log.info("web.stopped")


async def close_form(request: Request) -> AsyncIterator[None]:
    """At the end of a request, let go of the files that came with its form, also those nobody asked for."""
    try:
        yield
    finally:
        await request.close()


async def refuse_nul(request: Request) -> None:
    """No address and no form has a NUL character in it, for databases cannot store one; see also `Body`.

    Raises:
        HTTPException: 404 for an address, 422 for a form.
    """
    if "\0" in request.url.path or b"%00" in request.scope["query_string"]:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is nothing at this address.")
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = await request.body()
        if b"%00" in form or b"\0" in form:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "Remove the NUL character.")


async def _reply_to(request: Request, error: Exception) -> Response:
    """Problem JSON in the reader's language; the pages put their own handlers in front of this one."""
    return problem_reply(request, error, said_to(request, error))
