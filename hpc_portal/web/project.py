"""A project's first page: what it has left and for how long, who uses it, and its state."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.home.project_overview import project_overview
from hpc_portal.app.services import Services
from hpc_portal.app.storage.queries import project_storage
from hpc_portal.app.tenants.change_state import change_project_state
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.draw_burn_down import draw_burn_down
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.project_tabs import project_facts
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_burn_down import say_burn_down
from hpc_portal.web.show_quota import last_day, share_percent, show_lines
from hpc_portal.web.show_storage import show_storage
from hpc_portal.web.show_use import show_people
from hpc_portal.web.tenant_forms import carry_out, read_state
from quotas.money import VND

router = APIRouter(include_in_schema=False)


@router.get("/projects/{account}")
def show(request: Request, actor: CurrentActor, services: PortalServices, account: str) -> Response:
    """One project, as far as the reader may see it."""
    return _page(request, actor, services, account)


@router.post("/projects/{account}/state")
async def change_state(
    request: Request, actor: CurrentActor, services: PortalServices, account: str
) -> Response:
    """Suspend, resume or close it."""
    wanted = read_state(await request.form())
    return await carry_out(
        request,
        lambda: change_project_state(services, actor, account, wanted),
        lambda problems: _page(request, actor, services, account, problems),
        f"/projects/{account}",
    )


def _page(
    request: Request,
    actor: Actor,
    services: Services,
    account: str,
    problems: Sequence[ShownProblem] = (),
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    with services.reading() as session:
        _, facts = project_facts(session, actor, account, "overview")
        found = project_overview(session, actor, account, at=now)
        stored = project_storage(session, actor, account, at=now)
    money = found.balance.by_asset.get(VND)
    facts |= {
        "problems": problems,
        "overview": found,
        "money": money,
        "money_percent": share_percent(money) if money else 0,
        "lines": show_lines(found.balance, language),
        "until": last_day(found.balance),
        "drawn": draw_burn_down(found.burn_down, language) if found.burn_down else None,
        "sentence": say_burn_down(found.burn_down, language) if found.burn_down else "",
        "people": show_people(found.people, language),
        "stored": show_storage(account, stored, language),
    }
    return pages.render(request, "project/overview.html", facts)
