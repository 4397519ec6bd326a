"""Campaigns: list, look at, run again what failed, stop, export."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from hpc_portal.api.campaigns_schemas import (
    CampaignPointReply,
    CampaignReply,
    ComparisonReply,
    FailureGroupReply,
    FlakyReply,
    HistoryReply,
    RerunBody,
    ResultReply,
    RowHistoryReply,
    StoppedReply,
)
from hpc_portal.api.job_schemas import SubmittedReply
from hpc_portal.api.one_form import Flag
from hpc_portal.api.schemas import ListReply, PageReply
from hpc_portal.app.campaigns import queries
from hpc_portal.app.campaigns.compare import compare_with_last
from hpc_portal.app.campaigns.export import ENDINGS, MEDIA_TYPES, ExportFormat, export_run
from hpc_portal.app.campaigns.export_history import history_to_csv
from hpc_portal.app.campaigns.history import flaky_cells, history_by_test, history_of_name
from hpc_portal.app.campaigns.kinds import CampaignKind
from hpc_portal.app.campaigns.list_all import list_all_campaigns
from hpc_portal.app.campaigns.rerun import RerunWish, rerun_failed
from hpc_portal.app.campaigns.results import failure_groups, list_results
from hpc_portal.app.campaigns.stop_campaign import stop_campaign
from hpc_portal.auth.deps import CurrentActor, PortalServices
from schedulers.jobstate import JobState

router = APIRouter(tags=["campaigns"])

Run = Annotated[int, Query(ge=0, description="0 is the first run; reruns count from 1.")]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=200)]


@router.get("/campaigns")
def campaigns(  # noqa: PLR0913 - a filter and a page
    *,
    services: PortalServices,
    actor: CurrentActor,
    kind: CampaignKind | None = None,
    state: Annotated[list[JobState] | None, Query()] = None,
    project: str = "",
    user: str = "",
    name: str = "",
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PageReply[CampaignReply]:
    """Regressions, sweeps and corners of your projects, newest first.

    Only a regression has runs, and operations of its own under `/campaigns/{campaign_id}`. A sweep and
    corners are one job, whose id they have: see `/jobs/{job_id}/sweep` and `/jobs/{job_id}/corners`.
    """
    wanted = queries.CampaignFilter(project=project, user=user, states=state or (), name=name)
    with services.reading() as session:
        page = list_all_campaigns(session, actor, wanted, kind=kind, cursor=cursor, limit=limit)
    return PageReply(
        items=[CampaignReply.model_validate(one) for one in page.items], next_cursor=page.next_cursor
    )


@router.get("/campaigns/{campaign_id}")
def campaign(services: PortalServices, actor: CurrentActor, campaign_id: UUID) -> CampaignReply:
    """One regression with its runs."""
    with services.reading() as session:
        return CampaignReply.model_validate(queries.get_campaign(session, actor, campaign_id))


@router.get("/campaigns/{campaign_id}/failures")
def failures(
    services: PortalServices, actor: CurrentActor, campaign_id: UUID, run: Run = 0
) -> ListReply[FailureGroupReply]:
    """What did not pass, grouped by cause, the largest group first; at most 100 groups."""
    with services.reading() as session:
        found = queries.get_campaign(session, actor, campaign_id).run(run)
        groups = failure_groups(session, found.job_id)
    return ListReply(items=[FailureGroupReply.model_validate(group) for group in groups])


@router.get("/campaigns/{campaign_id}/results")
def results(  # noqa: PLR0913 - which run, and which part of it
    *,
    services: PortalServices,
    actor: CurrentActor,
    campaign_id: UUID,
    run: Run = 0,
    failing: Flag = False,
    cursor: Annotated[int, Query(ge=-1, lt=2**31)] = -1,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> PageReply[ResultReply]:
    """Results of tasks by their number; with `failing`, of those that did not pass."""
    with services.reading() as session:
        found = queries.get_campaign(session, actor, campaign_id).run(run)
        page = list_results(session, found.job_id, failing=failing, after=cursor, limit=limit)
    return PageReply(
        items=[ResultReply.model_validate(one) for one in page.items], next_cursor=page.next_cursor
    )


@router.get("/campaigns/{campaign_id}/history")
def history(services: PortalServices, actor: CurrentActor, campaign_id: UUID) -> HistoryReply:
    """Pass rate, runtime and coverage over the newest campaigns of the name, in all and of each test."""
    with services.reading() as session:
        found = queries.get_campaign(session, actor, campaign_id)
        campaigns = history_of_name(session, found)
        tests, flaky = history_by_test(session, found), flaky_cells(session, found)
    return HistoryReply(
        campaigns=[CampaignPointReply.model_validate(one) for one in campaigns],
        tests=[RowHistoryReply.model_validate(one) for one in tests],
        flaky=[FlakyReply.model_validate(one) for one in flaky],
    )


@router.get("/campaigns/{campaign_id}/history/export", response_class=Response)
def export_history(services: PortalServices, actor: CurrentActor, campaign_id: UUID) -> Response:
    """The history of each test as CSV: a line for each test and campaign."""
    with services.reading() as session:
        found = queries.get_campaign(session, actor, campaign_id)
        content = history_to_csv(history_by_test(session, found))
    headers = {"content-disposition": f'attachment; filename="history-{campaign_id}.csv"'}
    return Response(content, media_type=MEDIA_TYPES[ExportFormat.CSV], headers=headers)


@router.get("/campaigns/{campaign_id}/comparison")
def comparison(services: PortalServices, actor: CurrentActor, campaign_id: UUID) -> ComparisonReply | None:
    """What is different since the campaign of the name before; null for the first of its name."""
    with services.reading() as session:
        found = compare_with_last(session, queries.get_campaign(session, actor, campaign_id))
    return ComparisonReply.model_validate(found) if found else None


@router.get("/campaigns/{campaign_id}/export", response_class=Response)
def export(
    *,
    services: PortalServices,
    actor: CurrentActor,
    campaign_id: UUID,
    form: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.JUNIT,
    run: Run = 0,
) -> Response:
    """A run as CSV, JSON or JUnit XML, tasks that never ran included."""
    with services.reading() as session:
        found = queries.get_campaign(session, actor, campaign_id)
        content = export_run(session, found, found.run(run), form)
    name = f"campaign-{campaign_id}-{run}.{ENDINGS[form]}"
    return Response(
        content,
        media_type=MEDIA_TYPES[form],
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


@router.post("/campaigns/{campaign_id}/reruns", status_code=HTTPStatus.CREATED)
async def rerun(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    services: PortalServices,
    actor: CurrentActor,
    campaign_id: UUID,
    body: RerunBody,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> SubmittedReply:
    """Run again what did not pass, as a new job of the campaign; the same Idempotency-Key makes one."""
    wish = RerunWish(new_seeds=body.new_seeds, with_waves=body.with_waves, run=body.run)
    made = await rerun_failed(services, actor, campaign_id, wish, idempotency_key=idempotency_key)
    if not made.is_new:
        response.status_code = HTTPStatus.OK
    return SubmittedReply(id=made.job_id, is_new=made.is_new)


@router.post("/campaigns/{campaign_id}/stop")
def stop(services: PortalServices, actor: CurrentActor, campaign_id: UUID) -> StoppedReply:
    """Cancel what waits and what runs of every run of it; again changes nothing."""
    return StoppedReply(job_ids=stop_campaign(services, actor, campaign_id))
