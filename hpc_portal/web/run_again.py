"""Run the ticked jobs again: a page with the price of each and of all, and the button that submits them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs.queries import JobSummary
from hpc_portal.app.jobs.run_again import MOST_AT_ONCE, MOST_KEY_CHARACTERS, RanAgain, price_again, run_again
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.jobs import ticked_jobs
from hpc_portal.web.language import Language
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ShownAgain:
    """A line of the page: an earlier job with its price, or with what is in its way."""

    job: JobSummary
    total_vnd: int | None
    tasks: int
    problems: Sequence[ShownProblem]


@router.post("/jobs/again")
async def choose(request: Request, actor: CurrentActor) -> Response:
    """From the ticks of the list to an address that can be read again."""
    del actor  # everybody who is signed in may
    ids = await ticked_jobs(request)
    query = urlencode([("id", str(one)) for one in ids[: MOST_AT_ONCE + 1]])
    return RedirectResponse(f"/jobs/again?{query}" if query else "/jobs", HTTPStatus.SEE_OTHER)


@router.get("/jobs/again")
def show(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    id: Annotated[list[UUID], Query(max_length=MOST_AT_ONCE + 1)],  # noqa: A002 - as it is called in URLs
) -> Response:
    """What it would cost."""
    return _page(request, actor, services, id)


@router.post("/jobs/again/submit")
async def submit(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Submit them and show the new ones; or the page again with those that were refused."""
    ids = await ticked_jobs(request)
    key = str((await request.form()).get("key", ""))[:MOST_KEY_CHARACTERS]
    done = await run_again(services, actor, ids, key=key)
    if done.left_out:
        return await asyncio.to_thread(_page, request, actor, services, ids, done, key)
    made = list(done.made.values())
    return RedirectResponse(f"/jobs/{made[0]}" if len(made) == 1 else "/jobs", HTTPStatus.SEE_OTHER)


def _page(  # noqa: PLR0913, PLR0917 - what was asked, and what came of it
    request: Request,
    actor: Actor,
    services: Services,
    ids: Sequence[UUID],
    done: RanAgain | None = None,
    key: str = "",
) -> Response:
    """Args: done: of a submit some of whose jobs were refused; its key is used again for those."""
    pages = pages_of(request)
    language = pages.language(request)
    if done:
        ids = [left.job.id for left in done.left_out]
    price = price_again(services, actor, ids)
    refused = {left.job.id: left.refusal for left in done.left_out} if done else {}
    lines = [
        ShownAgain(
            one.job,
            one.estimate.total_vnd if one.estimate else None,
            one.job.tasks_total,
            _said(refused.get(one.job.id, one.refusal), language),
        )
        for one in price.jobs
    ]
    facts = {
        "lines": lines,
        "price": price,
        "going": [one.job.id for one in price.jobs if one.estimate and one.refusal is None],
        "made": list(done.made.values()) if done else [],
        "key": key or str(uuid4()),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if done else HTTPStatus.OK
    return pages.render(request, "jobs/again.html", facts, status=status)


def _said(refusal: Exception | None, language: Language) -> Sequence[ShownProblem]:
    return problems_of(refusal, language) if refusal else ()
