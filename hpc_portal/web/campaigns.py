"""One campaign as pages: its matrix and failures, its tasks; run again, stop, export."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from sqlmodel import Session
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.cells import cells_of
from hpc_portal.app.campaigns.export import ENDINGS, MEDIA_TYPES, ExportFormat, export_run
from hpc_portal.app.campaigns.queries import RunView, get_campaign
from hpc_portal.app.campaigns.rerun import RerunWish, rerun_failed
from hpc_portal.app.campaigns.results import (
    failing_verdicts,
    failure_groups,
    list_results,
    running_tasks,
    verdicts,
)
from hpc_portal.app.campaigns.stop_campaign import stop_campaign
from hpc_portal.app.errors import InvalidSubmission, TenantNotActive
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.campaign_page import show_campaign_page
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_campaign import CELLS_A_PAGE, show_cells
from hpc_portal.web.words import VERDICTS
from quotas.errors import QuotaError
from workloads.errors import WorkloadError

router = APIRouter(include_in_schema=False)

_ROWS_SHOWN = 500


@router.get("/campaigns/{campaign_id}")
def show(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    campaign_id: UUID,
    run: int = 0,
    only: str = "",
    view: str = "",
    page: int = 0,
    part: str = "all",
    task: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
) -> Response:
    """Its runs, the matrix of one of them and its failures by cause; `part=head` leaves the matrix out.

    The page's script draws a matrix of more than 10,000 cells; `view=table` shows it as pages of a table.
    `task` leads on to a task, in so few characters that ten thousand cells can say it.
    """
    only_failing = only == "failing"
    with services.reading() as session:
        campaign = get_campaign(session, actor, campaign_id)
        chosen = campaign.run(run)
        if task is not None:
            return _to_task(session, chosen, task)
        facts: dict[str, Any] = {"groups": failure_groups(session, chosen.job_id), "matrix": None}
        if part == "all" and (view == "table" or _fits_a_table(chosen, only_failing=only_failing)):
            facts |= _matrix(session, chosen, only_failing=only_failing, page=page)
    facts |= {"only": "failing" if only_failing else "", "parts": part}
    return show_campaign_page(request, actor, campaign, chosen, "matrix", facts)


@router.get("/campaigns/{campaign_id}/results")
def show_results(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    campaign_id: UUID,
    run: int = 0,
    only: str = "failing",
    after: int = -1,
) -> Response:
    """Tasks one by one, those that did not pass unless all are asked for."""
    with services.reading() as session:
        campaign = get_campaign(session, actor, campaign_id)
        chosen = campaign.run(run)
        failing = only == "failing"
        found = list_results(session, chosen.job_id, failing=failing, after=after, limit=_ROWS_SHOWN)
    rows = [(row, VERDICTS[row.verdict]) for row in found.items]
    facts = {"rows": rows, "next": found.next_cursor, "only": only}
    return show_campaign_page(request, actor, campaign, chosen, "results", facts)


@router.get("/campaigns/{campaign_id}/task")
def open_task(
    actor: CurrentActor, services: PortalServices, campaign_id: UUID, index: int = 0, run: int = 0
) -> Response:
    """Where a cell leads: the failing line in its log, else the end of what the task printed."""
    with services.reading() as session:
        return _to_task(session, get_campaign(session, actor, campaign_id).run(run), index)


@router.get("/campaigns/{campaign_id}/export")
def export(
    actor: CurrentActor,
    services: PortalServices,
    campaign_id: UUID,
    form: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.CSV,
    run: int = 0,
) -> Response:
    """A run as a file."""
    with services.reading() as session:
        campaign = get_campaign(session, actor, campaign_id)
        content = export_run(session, campaign, campaign.run(run), form)
    name = f"campaign-{campaign_id}-{run}.{ENDINGS[form]}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=MEDIA_TYPES[form], headers=headers)


@router.post("/campaigns/{campaign_id}/rerun")
async def rerun(
    request: Request, actor: CurrentActor, services: PortalServices, campaign_id: UUID
) -> Response:
    """Submit what failed once more and show that run; or show the page with what is in the way."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    number = int(form["run"]) if form.get("run", "").isdecimal() else None
    wish = RerunWish(form.get("seeds") == "new", form.get("waves") == "yes", number)
    key = form.get("key") or str(uuid4())
    try:
        made = await rerun_failed(services, actor, campaign_id, wish, idempotency_key=key)
    except (InvalidSubmission, TenantNotActive, QuotaError, WorkloadError) as error:
        problems = problems_of(error, pages_of(request).language(request))
        return await asyncio.to_thread(
            _show_again, request, actor, services, campaign_id, number or 0, problems
        )

    def numbered() -> int:
        with services.reading() as session:
            runs = get_campaign(session, actor, campaign_id).runs
        return next(one.number for one in runs if one.job_id == made.job_id)

    return RedirectResponse(
        f"/campaigns/{campaign_id}?run={await asyncio.to_thread(numbered)}", HTTPStatus.SEE_OTHER
    )


@router.post("/campaigns/{campaign_id}/stop")
def stop(actor: CurrentActor, services: PortalServices, campaign_id: UUID) -> Response:
    """Cancel what waits and what runs."""
    stop_campaign(services, actor, campaign_id)
    return RedirectResponse(f"/campaigns/{campaign_id}", HTTPStatus.SEE_OTHER)


def _show_again(  # noqa: PLR0913, PLR0917 - the page of a form that was refused
    request: Request,
    actor: Actor,
    services: PortalServices,
    campaign_id: UUID,
    number: int,
    problems: list[ShownProblem],
) -> Response:
    with services.reading() as session:
        campaign = get_campaign(session, actor, campaign_id)
        chosen = campaign.run(number)
        facts: dict[str, Any] = {"groups": failure_groups(session, chosen.job_id), "matrix": None}
        if _fits_a_table(chosen, only_failing=False):
            facts |= _matrix(session, chosen, only_failing=False, page=0)
    facts |= {"only": "", "parts": "all", "problems": problems}
    return show_campaign_page(request, actor, campaign, chosen, "matrix", facts)


def _to_task(session: Session, run: RunView, index: int) -> Response:
    found = list_results(session, run.job_id, failing=False, after=index - 1, limit=1).items
    target = f"/jobs/{run.job_id}/log?task={index}"
    if found and found[0].task_index == index and found[0].file and found[0].line_number:
        line = found[0].line_number
        target += f"&{urlencode({'file': found[0].file, 'line': line})}#L{line}"
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)


def _fits_a_table(run: RunView, *, only_failing: bool) -> bool:
    return (run.not_passed if only_failing else run.tasks_total) <= CELLS_A_PAGE


def _matrix(session: Session, run: RunView, *, only_failing: bool, page: int) -> dict[str, Any]:
    read = failing_verdicts if only_failing else verdicts
    found, sequence = read(session, run.job_id)
    running = frozenset() if run.is_over else running_tasks(session, run.job_id)
    cells = cells_of(session, run.job_id)
    shown = show_cells(cells, found, running, run, only_failing=only_failing, page=page)
    return {"matrix": shown, "sequence": sequence}
