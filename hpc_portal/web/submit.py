"""Submit: choose a template, fill in its form, see price and balance beside it, send."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.clusters import list_snapshots
from hpc_portal.app.errors import IdempotencyKeyReused, InvalidSubmission, PortalError
from hpc_portal.app.jobs.choose_cluster import partition_names
from hpc_portal.app.jobs.edit_script import generated_script
from hpc_portal.app.jobs.efficiency import Efficiency, job_efficiency
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.size_from_history import SizeProposal, propose_size
from hpc_portal.app.jobs.submit import submit_job
from hpc_portal.app.jobs.was_submitted import was_submitted
from hpc_portal.app.jobs.ways_to_pay import takes_jobs
from hpc_portal.app.services import Services
from hpc_portal.app.templates.find import find_template, reference_of
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.filled_form import EDITED, Filled, digest, read_filled
from hpc_portal.web.project_choice import chosen_account
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_efficiency import show_proposal, sized_by
from hpc_portal.web.show_estimate import show_estimate
from hpc_portal.web.show_form import default_pairs, show_form
from hpc_portal.web.show_submission import show_submission
from hpc_portal.web.ways_out import last_obstacle, obstacles_of
from quotas.errors import QuotaError
from workloads.errors import WorkloadError
from workloads.forms import form_fields

router = APIRouter(include_in_schema=False)

_NOT_PLAIN = "script_not_plain"
"""A control that is there while the page shows something else than the script as the template makes it."""


@router.get("/submit/{name}")
def show(  # noqa: PLR0913 - what the address says
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    name: str,
    like: UUID | None = None,
    *,
    sized: bool = False,
) -> Response:
    """An empty form, or one filled like an earlier job, or as large as it or the last ones needed."""
    template = find_template(services, actor, name, pages_of(request).language(request).template_locale)
    fields = form_fields(template.parameters)
    parameters, project, edited = None, "", None
    edited_from: str | None = None
    enough: SizeProposal | Efficiency | None = None
    if like:
        with services.reading() as session:
            job = get_job(session, actor, like)
            edited_from = generated_script(session.connection(), like)
            enough = job_efficiency(session.connection(), job) if sized else None
        parameters, project = job.parameters, job.project
        edited = job.spec.script if edited_from is not None else None
    elif sized:
        enough = _propose(actor, services, reference_of(template))
    if enough:
        parameters = sized_by(parameters, enough)
    pairs = [("project", project), *default_pairs(fields, parameters)]
    if edited is not None:
        pairs.append((EDITED, edited))
    return _form(request, actor, services, Filled(template, name, fields, pairs), edited_from=edited_from)


def _propose(actor: Actor, services: Services, name: str) -> SizeProposal | None:
    with services.reading() as session:
        return propose_size(session.connection(), actor, name, now=services.clock.now())


@router.get("/submit/{name}/sent")
def show_sent(actor: CurrentActor, services: PortalServices, name: str, submission: str) -> JSONResponse:
    """Whether a form that was sent has become a job: its draft is over then."""
    del name
    with services.reading() as session:
        is_stored = was_submitted(session.connection(), actor, submission[:200])
    return JSONResponse({"is_stored": is_stored}, headers={"cache-control": "no-store"})


@router.post("/submit/{name}")
async def submit(request: Request, actor: CurrentActor, services: PortalServices, name: str) -> Response:
    """Submit, or show the form again with what to mend."""
    filled = await read_filled(request, actor, services, name)
    try:
        wanted = filled.request(key=filled.value("submission") or None)
        try:
            submitted = await submit_job(services, actor, wanted)
        except IdempotencyKeyReused:  # the reader went back and changed something: that is another job
            submitted = await submit_job(services, actor, filled.request(key=str(uuid4())))
    except (PortalError, QuotaError, WorkloadError) as error:
        return await asyncio.to_thread(_form, request, actor, services, filled, error)
    return RedirectResponse(f"/jobs/{submitted.job_id}", HTTPStatus.SEE_OTHER)


@router.post("/submit/{name}/estimate")
async def estimate(request: Request, actor: CurrentActor, services: PortalServices, name: str) -> Response:
    """The price of what the form says now, its script and its command, as fragments."""
    filled = await read_filled(request, actor, services, name)
    language = pages_of(request).language(request)
    bar = await asyncio.to_thread(show_estimate, services, actor, filled, language)
    facts = {"bar": bar, "reference": name, **_submission(request, services, filled)}
    is_plain = facts["shown"] is not None and not facts["shown"].changes
    is_always_the_same = is_plain and not filled.template.fixed_script
    facts["is_plain_still"] = is_always_the_same and not filled.value(_NOT_PLAIN)
    return pages_of(request).render(request, "submit/live.html", facts)


@router.post("/submit/{name}/price")
async def show_price(request: Request, actor: CurrentActor, services: PortalServices, name: str) -> Response:
    """The whole page with the price: after a way out was chosen, and for browsers without scripts."""
    filled = await read_filled(request, actor, services, name)
    return await asyncio.to_thread(_form, request, actor, services, filled, None, with_price=True)


@dataclass(frozen=True, slots=True)
class Editor:
    """The control with the script, of a template that allows edits."""

    text: str
    made: str
    """As the template makes it."""
    digest: str
    """Of what the control holds while nobody has touched it."""
    is_older: bool
    """The edit is a copied job's, whose template had another script then."""
    error: str

    @property
    def is_edited(self) -> bool:
        """Whether it differs from what the template makes."""
        return digest(self.text) != digest(self.made)


def _form(  # noqa: PLR0913 - what a page is made of
    request: Request,
    actor: Actor,
    services: Services,
    filled: Filled,
    error: Exception | None = None,
    *,
    with_price: bool = False,
    edited_from: str | None = None,
) -> Response:
    """Args: edited_from: what the template had made of the job whose edited script the form holds."""
    pages = pages_of(request)
    language = pages.language(request)
    obstacles = obstacles_of(services, actor, filled, error, language) if error else []
    errors = {one.field: one.text for one in reversed(obstacles) if one.field}
    with services.reading() as session:
        projects = [project for project in list_visible_projects(session, actor) if takes_jobs(project)]
    proposal = _propose(actor, services, filled.template.name)
    facts: dict[str, Any] = {
        "template": filled.template,
        "reference": filled.reference,
        "proposal": show_proposal(proposal, language) if proposal else None,
        "partitions": partition_names(list_snapshots(services, actor)),
        "groups": show_form(filled.fields, filled.pairs, errors),
        "errors": errors,
        "obstacles": obstacles,
        "projects": projects,
        "chosen_project": filled.value("project") or chosen_account(request, projects),
        "submission": filled.value("submission") or str(uuid4()),
        "bar": show_estimate(services, actor, filled, language) if with_price else None,
        "editor": _editor(filled, edited_from, errors.get(EDITED, "")),
        "is_typed": bool(error) or with_price,
    }
    facts |= _submission(request, services, filled, project=facts["chosen_project"])
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    return pages.render(request, "submit/form.html", facts, status=status)


def _editor(filled: Filled, edited_from: str | None, error: str) -> Editor | None:
    made = filled.template.script_to_edit()
    if not made:
        return None
    text = filled.edited_script or made
    is_older = edited_from is not None and digest(edited_from) != digest(made)
    return Editor(text, made, digest(made), is_older=is_older, error=error)


def _submission(request: Request, services: Services, filled: Filled, *, project: str = "") -> dict[str, Any]:
    """The script and the commands; while something is wrong the last problem instead."""
    language = pages_of(request).language(request)
    try:
        shown = show_submission(
            filled,
            project=project or filled.value("project"),
            address=services.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/"),
        )
    except (WorkloadError, InvalidSubmission) as error:
        last = last_obstacle(filled, error, language)
        return {"shown": None, "last_obstacle": last, "not_plain": _NOT_PLAIN}
    return {"shown": shown, "last_obstacle": None, "not_plain": _NOT_PLAIN}
