"""The quota page: what each project was granted, holds, has used and may still promise."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.permissions import Action, may_somewhere
from hpc_portal.app.storage.queries import storage_now
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_quota import ShownProject, last_day, show_lines
from hpc_portal.web.show_storage import show_storage
from quotas.balance import balances

router = APIRouter(include_in_schema=False)


PAGE_SIZE = 20
"""Projects; those who see the whole city read on from the last one."""


@router.get("/quota")
def show(
    request: Request, actor: CurrentActor, services: PortalServices, project: str = "", after: str = ""
) -> Response:
    """The reader's own projects, or all that they may see when they belong to none; see also classes."""
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    with services.reading() as session:
        visible = list_visible_projects(session, actor)
        own = [record for record in visible if record.role is not None and not record.is_students_part]
        wanted = [record for record in visible if record.account == project] if project else own or visible
        following = [record for record in wanted if record.account > after]
        shown = following[:PAGE_SIZE]
        budgets = balances(session.connection(), [record.id for record in shown], now)
        stored = storage_now(session, actor, shown, at=now)
    facts = {
        "projects": [
            ShownProject(
                record.account,
                record.name,
                record.organisation_name,
                last_day(budgets[record.id]),
                show_lines(budgets[record.id], language),
                show_storage(record.account, stored[record.id], language),
            )
            for record in shown
        ],
        "more": f"/quota?{urlencode({'after': shown[-1].account})}" if len(following) > PAGE_SIZE else "",
        "may_ask": may_somewhere(actor, Action.REQUEST),
    }
    return pages.render(request, "quota.html", facts)
