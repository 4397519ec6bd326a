"""The quota page: what each project was granted, holds, has used and may still promise."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.permissions import Action, may_somewhere
from hpc_portal.app.storage.queries import project_storage
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_quota import ShownProject, last_day, show_lines
from hpc_portal.web.show_storage import show_storage
from quotas.balance import balance

router = APIRouter(include_in_schema=False)


@router.get("/quota")
def show(request: Request, actor: CurrentActor, services: PortalServices, project: str = "") -> Response:
    """The reader's own projects, or all that they may see when they belong to none; see also classes."""
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    with services.reading() as session:
        visible = list_visible_projects(session, actor)
        own = [record for record in visible if record.role is not None and not record.is_students_part]
        wanted = [record for record in visible if record.account == project] if project else own or visible
        shown = []
        for record in wanted:
            budget = balance(session.connection(), record.id, now)
            stored = project_storage(session, actor, record.account, at=now)
            shown.append(
                ShownProject(
                    record.account,
                    record.name,
                    record.organisation_name,
                    last_day(budget),
                    show_lines(budget, language),
                    show_storage(record.account, stored, language),
                )
            )
    facts = {"projects": shown, "may_ask": may_somewhere(actor, Action.REQUEST)}
    return pages.render(request, "quota.html", facts)
