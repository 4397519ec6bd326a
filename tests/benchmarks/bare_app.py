"""`bare_app PORT [empty]`: the web process with a bare insert and page beside it, or an empty FastAPI app."""

import sys
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Connection, insert
from starlette.responses import HTMLResponse

from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_services
from hpc_portal.asgi import create_app
from hpc_portal.auth.deps import CurrentActor
from hpc_portal.cli.log import configure_log
from hpc_portal.cli.web import look_for_garbage_seldom

_INSERT = insert(AuditRecord)


def portal_app() -> FastAPI:
    """The real application with two references beside it.

    POST /bare/insert is one row, one commit, through the same group commit; GET /bare/page a page that knows
    who asks and says nothing else.
    """
    services = build_services(Settings())
    app = create_app(services)

    def store(connection: Connection) -> None:
        row = {"at": datetime.now(UTC), "action": "bench", "subject": "bench", "facts": {}}
        row |= dict.fromkeys(("address", "previous_hash", "hash"), "")
        connection.execute(_INSERT, row)

    @app.post("/bare/insert", status_code=201)
    async def bare_insert() -> dict[str, str]:
        await services.commits.run(store)
        return {"status": "stored"}

    @app.get("/bare/page")
    def bare_page(actor: CurrentActor) -> HTMLResponse:
        return HTMLResponse(f"<!doctype html><title>bare</title><h1>{actor.username}</h1>")

    return app


def empty_app() -> FastAPI:
    """F: what FastAPI and uvicorn cost when the handler does nothing."""
    app = FastAPI()

    @app.post("/empty", status_code=201)
    async def empty() -> dict[str, str]:
        return {"status": "nothing"}

    return app


if __name__ == "__main__":
    configure_log()
    chosen = empty_app() if sys.argv[2:] == ["empty"] else portal_app()
    look_for_garbage_seldom()  # as the portal's web process does
    uvicorn.run(chosen, port=int(sys.argv[1]), access_log=False, log_level="error")
