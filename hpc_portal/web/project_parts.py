"""What belongs to a project, each part a page: usage, charges, limits, requests, classes, storage."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.limits.queries import effective_limits
from hpc_portal.app.permissions import Action
from hpc_portal.app.reports.charges import list_charges
from hpc_portal.app.reports.period import parse_day, period
from hpc_portal.app.reports.read_charges import project_charges
from hpc_portal.app.reports.usage import UsageQuery, report_usage
from hpc_portal.app.reports.usage_document import usage_document
from hpc_portal.app.requests.queries import RequestFilter, list_requests
from hpc_portal.app.storage.queries import project_storage
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.report_files import Form
from hpc_portal.web.project_tabs import project_facts
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_charges import show_charge
from hpc_portal.web.show_limits import show_effective
from hpc_portal.web.show_report import answer, edition_for, file_of
from hpc_portal.web.show_request import show_summary
from hpc_portal.web.show_storage import show_storage
from quotas.usage_report import Dimension
from workloads.template import N_

router = APIRouter(include_in_schema=False)

USAGE_BY = (
    (Dimension.USER, N_("Person")),
    (Dimension.WORKLOAD, N_("Template")),
    (Dimension.DAY, N_("Day")),
)
_LINES_OF_A_PAGE = 100

Name = Annotated[str, Query(max_length=64)]


@router.get("/projects/{account}/usage")
def usage(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, by: Name = "user"
) -> Response:
    """Who or what used it, or on which days; also as files."""
    asked = request.query_params
    respect = next((key for key, _ in USAGE_BY if key.value == by), Dimension.USER)
    since, last = (parse_day(asked.get(name, ""), name) for name in ("since", "last"))
    days = period(since, last, now=services.clock.now())
    most = None if asked.get("format") else _LINES_OF_A_PAGE
    with services.reading() as session:
        _, facts = project_facts(session, actor, account, "usage")
        query = UsageQuery((respect,), days, {Dimension.PROJECT: account})
        report = report_usage(session.connection(), actor, query, most=most)
    facts |= {"by": respect.value, "respects": USAGE_BY, "period": days}
    measure = "gpu_seconds" if report.total.gpu_seconds and not report.total.vnd else "vnd"
    document = usage_document(report, edition_for(request))
    return answer(request, document, "project/usage.html", facts, measure=measure)


@router.get("/projects/{account}/charges")
def charges(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    account: str,
    user: Name = "",
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> Response:
    """Every run that ended, with what it cost and how that was reckoned; those of some days as a file."""
    pages = pages_of(request)
    asked = request.query_params
    since, last = (parse_day(asked.get(name, ""), name) for name in ("since", "last"))
    days = period(since, last, now=services.clock.now())
    if asked.get("format", "") in set(Form):
        with services.reading() as session:
            document = project_charges(session, actor, account, days, edition_for(request), user=user)
        return file_of(request, document)
    language = pages.language(request)
    with services.reading() as session:
        details, facts = project_facts(session, actor, account, "charges")
        found = list_charges(session, actor, account, user=user, before=before)
    facts |= {
        "charges": [show_charge(one, language) for one in found.items],
        "next_cursor": found.next_cursor,
        "is_first": before is None,
        "user": user,
        "people": [member.username for member in details.members],
        "period": days,
    }
    return pages.render(request, "project/charges.html", facts)


@router.get("/projects/{account}/limits")
def limits(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, user: Name = ""
) -> Response:
    """What holds for the reader or, for who sets limits, for another member."""
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        details, facts = project_facts(session, actor, account, "limits")
        found = effective_limits(session.connection(), actor, account, user)
    where = {"organisation_id": details.project.organisation_id, "project_id": details.project.id}
    may_set = permissions.may(actor, Action.SET_LIMITS, **where)
    facts |= {
        "limits": show_effective(found.limits, language),
        "whose": found.user,
        "user": user,
        "may_set": may_set,
        "people": [member.username for member in details.members] if may_set else [],
    }
    return pages.render(request, "project/limits.html", facts)


@router.get("/projects/{account}/requests")
def requests(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    account: str,
    before: UUID | None = None,
) -> Response:
    """What it asked the city for, newest first."""
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        details, facts = project_facts(session, actor, account, "requests")
        found = list_requests(session, actor, RequestFilter(project=account), before=before)
    where = {"organisation_id": details.project.organisation_id, "project_id": details.project.id}
    facts |= {
        "requests": [show_summary(item, language) for item in found.items],
        "next_cursor": found.next_cursor,
        "may_ask": permissions.may(actor, Action.REQUEST, **where),
    }
    return pages.render(request, "project/requests.html", facts)


@router.get("/projects/{account}/classes")
def classes(request: Request, actor: CurrentActor, services: PortalServices, account: str) -> Response:
    """Budgets that were split over students; none for those who only work there."""
    with services.reading() as session:
        _, facts = project_facts(session, actor, account, "classes")
    return pages_of(request).render(request, "project/classes.html", facts)


@router.get("/projects/{account}/storage")
def storage(request: Request, actor: CurrentActor, services: PortalServices, account: str) -> Response:
    """How full its workspace is."""
    pages = pages_of(request)
    with services.reading() as session:
        _, facts = project_facts(session, actor, account, "storage")
        stored = project_storage(session, actor, account, at=services.clock.now())
    facts["stored"] = show_storage(account, stored, pages.language(request))
    return pages.render(request, "project/storage.html", facts)
