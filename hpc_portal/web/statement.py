"""The statement page: a month of a project or an organisation, and the months there are."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action, may
from hpc_portal.app.reports.period import local_day, months_before, parse_month
from hpc_portal.app.reports.scope import Tenants, visible_tenants
from hpc_portal.app.reports.statement_document import organisation_statement, project_statement
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.render import pages_of
from hpc_portal.web.reports import tabs
from hpc_portal.web.show_report import answer, edition_for
from quotas.periods import first_open_month

router = APIRouter(include_in_schema=False)

_MONTHS_SHOWN = 24
Name = Annotated[str, Query(max_length=128)]


@router.get("/reports/statement")
def show(  # noqa: PLR0913, PLR0917 - whose, of when
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    project: Name = "",
    organisation: Name = "",
    month: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """By default this month of the reader's own first project."""
    edition = edition_for(request)
    today = local_day(edition.made_at)
    first = parse_month(month) if month else today.replace(day=1)
    with services.reading() as session:
        connection = session.connection()
        tenants = visible_tenants(connection, actor)
        whole = _organisations(actor, tenants)
        projects = sorted(tenants.projects.values())
        account = project or ("" if organisation else _own(actor, tenants) or next(iter(projects), ""))
        facts = {
            "tabs": tabs(actor),
            "projects": projects,
            "organisations": whole,
            "project": account,
            "organisation": organisation,
            "month": f"{first:%Y-%m}",
            "months": _months(today, first),
            "open_from": first_open_month(connection),
        }
        if account:
            document = project_statement(connection, actor, account, month=first, edition=edition)
        elif organisation:
            document = organisation_statement(connection, actor, organisation, month=first, edition=edition)
        else:
            document = None
    if document is None:
        return pages_of(request).render(request, "reports/no_statement.html", facts)
    return answer(request, document, "reports/statement.html", facts)


def _organisations(actor: Actor, tenants: Tenants) -> list[str]:
    """Of which the reader may see every project."""
    return sorted(
        slug for key, slug in tenants.organisations.items() if may(actor, Action.VIEW, organisation_id=key)
    )


def _own(actor: Actor, tenants: Tenants) -> str:
    return min((tenants.projects[key] for key in actor.projects if key in tenants.projects), default="")


def _months(today: date, chosen: date) -> list[str]:
    """The last two years, and the one on show."""
    months = {months_before(today, count) for count in range(_MONTHS_SHOWN)} | {chosen}
    return [f"{month:%Y-%m}" for month in sorted(months, reverse=True)]
