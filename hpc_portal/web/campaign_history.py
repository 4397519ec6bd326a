"""A campaign beside the others of its name: what changed, what is flaky, how each test went on."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app.campaigns.compare import compare_with_last
from hpc_portal.app.campaigns.export import MEDIA_TYPES, ExportFormat
from hpc_portal.app.campaigns.export_history import history_to_csv
from hpc_portal.app.campaigns.history import flaky_cells, history_by_test, history_of_name
from hpc_portal.app.campaigns.queries import get_campaign
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.campaign_page import show_campaign_page
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_history import changed_parts, name_curves, show_trends
from hpc_portal.web.words import VERDICTS

router = APIRouter(include_in_schema=False)

_TESTS_SHOWN = 100


@router.get("/campaigns/{campaign_id}/history")
def show_history(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    campaign_id: UUID,
    after: Annotated[int, Query(ge=0, le=10**6)] = 0,
) -> Response:
    """Against the last one of its name; then trends, a hundred tests at a time."""
    with services.reading() as session:
        campaign = get_campaign(session, actor, campaign_id)
        comparison = compare_with_last(session, campaign)
        trends = show_trends(history_by_test(session, campaign))
        points = history_of_name(session, campaign)
        flaky = flaky_cells(session, campaign)
    facts = {
        "comparison": comparison,
        "changed": changed_parts(comparison) if comparison else (),
        "trends": trends[after : after + _TESTS_SHOWN],
        "has_coverage": any(one.coverage for one in trends),
        "next": after + _TESTS_SHOWN if len(trends) > after + _TESTS_SHOWN else 0,
        "curves": name_curves(points, pages_of(request).language(request)),
        "flaky": flaky,
        "verdict_words": VERDICTS,
    }
    return show_campaign_page(request, actor, campaign, campaign.first, "history", facts)


@router.get("/campaigns/{campaign_id}/history/export")
def export_history(actor: CurrentActor, services: PortalServices, campaign_id: UUID) -> Response:
    """A line for each test and campaign, as CSV."""
    with services.reading() as session:
        campaign = get_campaign(session, actor, campaign_id)
        content = history_to_csv(history_by_test(session, campaign))
    headers = {"content-disposition": f'attachment; filename="history-{campaign_id}.csv"'}
    return Response(content, media_type=MEDIA_TYPES[ExportFormat.CSV], headers=headers)
