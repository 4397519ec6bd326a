"""What the script of a campaign's page asks for: the matrix of a large run, and what is new in any."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from hpc_portal.app.campaigns.compact import compact_matrix
from hpc_portal.app.campaigns.queries import RunView, get_campaign
from hpc_portal.app.campaigns.results import running_tasks, tasks_by_verdict_since
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(include_in_schema=False)

_NOT_STORED = {"cache-control": "no-store"}


@router.get("/campaigns/{campaign_id}/matrix")
def matrix(actor: CurrentActor, services: PortalServices, campaign_id: UUID, run: int = 0) -> Response:
    """Every task of the run with its state, in a form that the script draws."""
    with services.reading() as session:
        chosen = get_campaign(session, actor, campaign_id).run(run)
        found = compact_matrix(session, chosen.job_id)
    facts = {
        "rows": found.rows,
        "columns": found.columns,
        "blocks": found.blocks,
        "states": found.states,
        "after": found.sequence,
        "over": is_final(chosen),
    }
    return JSONResponse(facts, headers=_NOT_STORED)


@router.get("/campaigns/{campaign_id}/changes")
def changes(
    actor: CurrentActor,
    services: PortalServices,
    campaign_id: UUID,
    run: int = 0,
    after: Annotated[int, Query(ge=0, lt=2**53)] = 0,
) -> Response:
    """Tasks by the verdict that was read after `after`, what runs now, and whether all of it is known."""
    with services.reading() as session:
        chosen = get_campaign(session, actor, campaign_id).run(run)
        found, sequence = tasks_by_verdict_since(session, chosen.job_id, after=after)
        running = running_tasks(session, chosen.job_id)
    facts = {"after": sequence, "verdicts": found, "running": sorted(running), "over": is_final(chosen)}
    return JSONResponse(facts, headers=_NOT_STORED)


def is_final(run: RunView) -> bool:
    """Nothing of it runs, every result that it left was read, and it was charged."""
    return run.is_read and run.phase in (Phase.SETTLED, Phase.REFUSED)
