"""Tells whoever watches the web process whether it lives (/healthz) and can serve (/readyz)."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse

from hpc_portal.app.telemetry.readiness import ReadinessCheck

router = APIRouter(include_in_schema=False)

_LONGEST_SECONDS = 5


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


def _check(request: Request) -> ReadinessCheck:
    found: ReadinessCheck = request.app.state.readiness
    return found


@router.get("/healthz")
async def healthz() -> Alive:
    """200 as long as the event loop turns; looks at nothing else: no outage restarts web processes."""
    return Alive()


@router.get("/readyz")
async def readyz(check: Annotated[ReadinessCheck, Depends(_check)]) -> JSONResponse:
    """200 with each check, or 503: then send requests to another process."""
    try:
        found = await asyncio.wait_for(asyncio.to_thread(check.look), _LONGEST_SECONDS)
    except TimeoutError:
        return JSONResponse({"database": "does not answer in time"}, HTTPStatus.SERVICE_UNAVAILABLE)
    status = HTTPStatus.OK if found.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(found.checks, status)


def install(app: FastAPI, check: ReadinessCheck) -> None:
    """Give the application both addresses."""
    app.state.readiness = check
    app.include_router(router)
