"""Change jobs under way from their pages: one of them, or those that are ticked in the list."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.errors import ChangeImpossible, Problem
from hpc_portal.app.jobs.change import request_change, request_one_change
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.job import show_overview_of
from hpc_portal.web.jobs import back_to_list, ticked_jobs
from hpc_portal.web.problems import problems_of
from hpc_portal.web.render import pages_of
from quotas.errors import QuotaError
from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import ArraySpec
from schedulers.protocol import (
    CancelTasks,
    HoldJob,
    JobChange,
    ReleaseJob,
    RequeueJob,
    SetNice,
    SetWalltime,
)
from schedulers.units import parse_walltime
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_MOST_SECONDS = 366 * 86_400
_MOST_NICE = 2_147_483_645
_FIELDS = {"walltime": "walltime", "nice": "nice", "cancel_tasks": "tasks"}
"""The field of the form that holds a change's value."""


@dataclass(frozen=True, slots=True)
class ChangeProblem:
    """A form that was refused: which, what was typed, and what to mend."""

    change: str
    value: str
    text: str


@router.post("/jobs/hold")
async def hold_many(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Hold the ticked jobs; those that cannot be held are left as they are."""
    return await _change_ticked(request, actor, services, HoldJob())


@router.post("/jobs/release")
async def release_many(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Release the ticked jobs; those that are not held are left as they are."""
    return await _change_ticked(request, actor, services, ReleaseJob())


@router.post("/jobs/{job_id}/change")
async def change(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """Record the wish and go back to the page; or show the page again with what is wrong beside the form."""
    form = {name: str(value).strip() for name, value in (await request.form()).items()}
    try:
        wish = _wish(form)
        await asyncio.to_thread(request_one_change, services, actor, job_id, wish)
    except (ChangeImpossible, QuotaError) as error:
        language = pages_of(request).language(request)
        kind = form.get("change", "")
        text = " ".join(problem.text for problem in problems_of(error, language))
        problem = ChangeProblem(kind, form.get(_FIELDS.get(kind, ""), ""), text)
        return await asyncio.to_thread(
            show_overview_of, request, actor, services, job_id, change_problem=problem
        )
    return RedirectResponse(f"/jobs/{job_id}", HTTPStatus.SEE_OTHER)


async def _change_ticked(
    request: Request, actor: CurrentActor, services: PortalServices, wish: JobChange
) -> Response:
    ids = await ticked_jobs(request)
    recorded = await asyncio.to_thread(request_change, services, actor, ids, wish)
    if recorded.left_out and not recorded.changes:
        raise ChangeImpossible(recorded.left_out[0].problem)
    return back_to_list(request, left_out=len(recorded.left_out))


def _wish(form: Mapping[str, Any]) -> JobChange:
    """What the form asks for.

    Raises:
        ChangeImpossible: the value makes no sense.
    """
    match form.get("change"):
        case "hold":
            return HoldJob()
        case "release":
            return ReleaseJob()
        case "requeue":
            return RequeueJob()
        case "walltime":
            return SetWalltime(_seconds(form.get("walltime", "")))
        case "nice":
            return SetNice(_whole_number(form.get("nice", "")))
        case "cancel_tasks":
            return CancelTasks(_tasks(form.get("tasks", "")))
    raise ChangeImpossible(Problem("change", N_("This change does not exist.")))


def _seconds(text: str) -> int:
    try:
        seconds = parse_walltime(text)
    except InvalidJobSpec:
        seconds = 0
    if not 0 < seconds <= _MOST_SECONDS:
        raise ChangeImpossible(Problem("walltime", N_("Enter a time such as 01:30:00 or 2-12:00:00.")))
    return seconds


def _whole_number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ChangeImpossible(Problem("nice", N_("Enter a whole number."))) from None
    if abs(number) > _MOST_NICE:
        raise ChangeImpossible(Problem("nice", N_("This number is too large.")))
    return number


def _tasks(text: str) -> ArraySpec:
    try:
        return ArraySpec(expression=text)
    except ValidationError:
        raise ChangeImpossible(Problem("tasks", N_("Enter tasks such as 3-7,12, in rising order."))) from None
