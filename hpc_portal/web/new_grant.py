"""The form with which an administrator grants a project a budget that nobody asked for, such as its first."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.grant_budget import BudgetGrant, grant_budget
from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.offered import OFFERED
from hpc_portal.app.reason import reason_problem
from hpc_portal.app.requests.draft import known_assets
from hpc_portal.app.requests.outlook import price_list_of
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.auth.form_seed import seed_of
from hpc_portal.web.entry_form import EntryPage, at_fields
from hpc_portal.web.render import pages_of
from hpc_portal.web.request_form import RequestForm, form_lines, read_form, wanted_by
from hpc_portal.web.show_request import as_field_day
from hpc_portal.web.tenant_forms import carry_out
from quotas.tables import TenantState
from workloads.template import N_

router = APIRouter(include_in_schema=False)


@router.get("/allocations/new")
def show(
    request: Request, actor: CurrentActor, services: PortalServices, project: str = "", made: str = ""
) -> Response:
    """A form with nothing in it but perhaps the project, which may have been `made` just now."""
    form = RequestForm(project=project, from_day=as_field_day(services.clock.now()))
    return _page(request, actor, services, form, is_new_project=bool(made)).show()


@router.post("/allocations")
async def create(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Grant it, once however often the form is sent, and go to the allocation's page."""
    form, seed = read_form(await request.form()), await seed_of(request)

    def deed() -> UUID:
        wanted = _wanted(form, services.clock.now())
        with at_fields({}):
            return grant_budget(services, actor, form.project, wanted, key=seed.hex())

    return await carry_out(
        request,
        deed,
        _page(request, actor, services, form).show,
        lambda allocation: RedirectResponse(f"/allocations/{allocation}", HTTPStatus.SEE_OTHER),
    )


def _wanted(form: RequestForm, now: datetime) -> BudgetGrant:
    """What the form grants.

    Raises:
        InvalidEntry: with everything that makes no sense.
    """
    problems = [problem for problem in (reason_problem(form.purpose),) if problem]
    if not form.project:
        problems.append(Problem("project", OFFERED))
    try:
        asked = wanted_by(form)
    except InvalidEntry as error:
        raise InvalidEntry([*error.problems, *problems]) from error
    if not asked.lines:
        problems.append(Problem("lines", N_("Enter at least one amount.")))
    begin, end = asked.valid_from, asked.valid_to
    if begin is None or end is None:
        missing = [name for name, at in (("valid_from", begin), ("valid_to", end)) if at is None]
        problems += [Problem(name, N_("Say from which day until which day.")) for name in missing]
        raise InvalidEntry(problems)
    if begin >= end:
        problems.append(Problem("valid_to", N_("The period must end after it begins.")))
    elif end <= now:
        problems.append(Problem("valid_to", N_("This period is over. Choose one that has not ended.")))
    if problems:
        raise InvalidEntry(problems)
    return BudgetGrant(lines=asked.lines, valid_from=begin, valid_to=end, reason=form.purpose.strip())


def _page(
    request: Request, actor: Actor, services: Services, form: RequestForm, *, is_new_project: bool = False
) -> EntryPage:
    def facts(session: Session) -> Mapping[str, Any]:
        seen = list_visible_projects(session, actor)
        projects = [one for one in seen if one.state is not TenantState.CLOSED]
        is_there = form.project in {one.account for one in projects}
        assets, language = sorted(known_assets(services)), pages_of(request).language(request)
        return {
            "form": form,
            "projects": projects,
            "made": form.project if is_new_project and is_there else "",
            "lines": form_lines(form, assets, price_list_of(services), language),
            "total": None,
            "count": 0,
        }

    return EntryPage(request, actor, services, "allocations/new.html", facts)
