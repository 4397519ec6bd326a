"""An organisation's projects with their figures, its usage and state; and all organisations of the city."""

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.queries import list_visible_organisations
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotFound
from hpc_portal.app.home.organisation_overview import organisation_overview
from hpc_portal.app.permissions import Action, may
from hpc_portal.app.reports.period import parse_day, period
from hpc_portal.app.reports.usage import UsageQuery, report_usage
from hpc_portal.app.reports.usage_document import usage_document
from hpc_portal.app.services import Services
from hpc_portal.app.tenants.change_state import change_organisation_state
from hpc_portal.app.tenants.invite import Invited, resend_invitation, revoke_invitation
from hpc_portal.app.tenants.queries import get_organisation, list_tenants
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.cookies import local_path
from hpc_portal.web.organisation_tabs import organisation_facts
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.render import pages_of
from hpc_portal.web.reports import LINES_OF_A_PAGE
from hpc_portal.web.show_report import answer, edition_for
from hpc_portal.web.tenant_forms import carry_out, read_state, text_of
from hpc_portal.web.tenant_words import KINDS, ROLES, TENANT_STATES
from quotas.usage_report import Dimension
from workloads.template import N_

router = APIRouter(include_in_schema=False)

USAGE_BY = (
    (Dimension.PROJECT, N_("Project")),
    (Dimension.USER, N_("Person")),
    (Dimension.WORKLOAD, N_("Template")),
    (Dimension.DAY, N_("Day")),
)
Name = Annotated[str, Query(max_length=64)]


@router.get("/organisations")
def show_all(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """The reader's own; with one alone, that one at once."""
    with services.reading() as session:
        found = list_visible_organisations(session, actor)
    if len(found) == 1:
        return RedirectResponse(f"/organisations/{found[0].slug}")
    facts = {"organisations": found, "states": TENANT_STATES, "kinds": KINDS, "roles": ROLES}
    return pages_of(request).render(request, "tenants/organisations.html", facts)


@router.get("/admin/organisations")
def show_tenants(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Every organisation with its state, kind and use."""
    with services.reading() as session:
        found = list_tenants(session, actor)
    facts = {
        "tenants": found,
        "states": TENANT_STATES,
        "kinds": KINDS,
        "may_create": may(actor, Action.GRANT),
    }
    return pages_of(request).render(request, "tenants/all.html", facts)


@router.get("/organisations/{slug}")
def show(request: Request, actor: CurrentActor, services: PortalServices, slug: str) -> Response:
    """One organisation, as far as the reader may see it."""
    return _page(request, actor, services, slug)


@router.get("/organisations/{slug}/usage")
def usage(
    request: Request, actor: CurrentActor, services: PortalServices, slug: str, by: Name = "project"
) -> Response:
    """Which project, who, what, or on which days; of the projects that the reader may see. Also as files."""
    asked = request.query_params
    respect = next((key for key, _ in USAGE_BY if key.value == by), Dimension.PROJECT)
    since, last = (parse_day(asked.get(name, ""), name) for name in ("since", "last"))
    days = period(since, last, now=services.clock.now())
    most = None if asked.get("format") else LINES_OF_A_PAGE
    with services.reading() as session:
        details = get_organisation(session, actor, slug)
        if not details.projects:
            raise NotFound("report", slug)
        query = UsageQuery((respect,), days, {Dimension.ORGANISATION: slug})
        report = report_usage(session.connection(), actor, query, most=most)
    facts = organisation_facts(details, "usage") | {
        "by": respect.value,
        "respects": USAGE_BY,
        "period": days,
    }
    measure = "gpu_seconds" if report.total.gpu_seconds and not report.total.vnd else "vnd"
    document = usage_document(report, edition_for(request))
    return answer(request, document, "organisation/usage.html", facts, measure=measure)


@router.post("/organisations/{slug}/state")
async def change_state(
    request: Request, actor: CurrentActor, services: PortalServices, slug: str
) -> Response:
    """Suspend, resume or close it."""
    wanted = read_state(await request.form())
    return await carry_out(
        request,
        lambda: change_organisation_state(services, actor, slug, wanted),
        lambda problems: _page(request, actor, services, slug, problems),
        f"/organisations/{slug}",
    )


@router.post("/invites/{invitation_id}/revoke")
async def revoke(
    request: Request, actor: CurrentActor, services: PortalServices, invitation_id: UUID
) -> Response:
    """Make an invitation's link good for nothing."""
    back = local_path(text_of(await request.form(), "back"))
    await asyncio.to_thread(revoke_invitation, services, actor, invitation_id)
    return RedirectResponse(back, 303)


@router.post("/invites/{invitation_id}/resend")
async def resend(
    request: Request, actor: CurrentActor, services: PortalServices, invitation_id: UUID
) -> Response:
    """Send an invitation again, and show its new link once."""
    back = local_path(text_of(await request.form(), "back"))

    def page(problems: Sequence[ShownProblem] = (), invited: Sequence[Invited] = ()) -> Response:
        facts = {"back": back, "problems": problems, "invited": invited}
        return pages_of(request).render(request, "tenants/sent.html", facts)

    return await carry_out(
        request,
        lambda: [resend_invitation(services, actor, invitation_id)],
        page,
        lambda invited: page(invited=invited),
    )


def _page(
    request: Request,
    actor: Actor,
    services: Services,
    slug: str,
    problems: Sequence[ShownProblem] = (),
) -> Response:
    with services.reading() as session:
        found = organisation_overview(session, actor, slug, at=services.clock.now())
    totals = {
        name: sum(getattr(one, name) for one in found.projects)
        for name in ("members", "jobs_under_way", "granted_vnd", "held_vnd", "used_vnd", "available_vnd")
    }
    facts = organisation_facts(found.details, "overview") | {
        "problems": problems,
        "overview": found,
        "totals": totals,
        "may_create": may(actor, Action.GRANT),
    }
    return pages_of(request).render(request, "organisation/overview.html", facts)
