"""The reader's notices; how they are told is part of their settings."""

import asyncio
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.notices.read import list_notices, mark_read
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.render import pages_of

router = APIRouter(include_in_schema=False)


@router.get("/notices")
def show(
    request: Request, actor: CurrentActor, services: PortalServices, before: UUID | None = None
) -> Response:
    """Newest first."""
    pages = pages_of(request)
    with services.reading() as session:
        found = list_notices(session, actor, locale=pages.language(request).code, before=before)
    facts = {
        "notices": found.items,
        "next_cursor": found.next_cursor,
    }
    return pages.render(request, "notices.html", facts)


@router.post("/notices/read")
async def read(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Mark one as read and go where it leads, or mark all."""
    form = await request.form()
    notice, goal = _uuid(str(form.get("notice", ""))), str(form.get("goal", ""))
    await asyncio.to_thread(mark_read, services, actor, [notice] if notice else None)
    is_ours = goal.startswith("/") and not goal.startswith(("//", "/\\"))
    return RedirectResponse(goal if notice and is_ours else "/notices", HTTPStatus.SEE_OTHER)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
