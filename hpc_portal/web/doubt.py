"""An administrator says on a job's page what becomes of it when nobody knows whether its cluster has it."""

import asyncio
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.errors import ChangeImpossible, Problem
from hpc_portal.app.jobs.decide_doubt import Decision, decide_doubt
from hpc_portal.app.offered import OFFERED
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.change_job import ChangeProblem
from hpc_portal.web.job import show_overview_of
from hpc_portal.web.problems import problems_of
from hpc_portal.web.render import pages_of

router = APIRouter(include_in_schema=False)


@router.post("/jobs/{job_id}/doubt")
async def decide(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """Decide and go back to the page; or show the page again with what is wrong beside the form."""
    form = {name: str(value).strip() for name, value in (await request.form()).items()}
    reason = form.get("reason", "")
    try:
        decision = _decision(form.get("decision", ""))
        await asyncio.to_thread(decide_doubt, services, actor, job_id, decision, reason=reason)
    except ChangeImpossible as error:
        language = pages_of(request).language(request)
        text = " ".join(problem.text for problem in problems_of(error, language))
        problem = ChangeProblem("doubt", reason, text)
        return await asyncio.to_thread(
            show_overview_of, request, actor, services, job_id, change_problem=problem
        )
    return RedirectResponse(f"/jobs/{job_id}", HTTPStatus.SEE_OTHER)


def _decision(text: str) -> Decision:
    try:
        return Decision(text)
    except ValueError:
        raise ChangeImpossible(Problem("decision", OFFERED)) from None
