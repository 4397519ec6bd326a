"""Submit: choose a template, fill in its form, see price and balance beside it, send."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse, RedirectResponse, Response

from hpc_portal.app.accounts.queries import ProjectRecord, list_visible_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.clusters import list_snapshots
from hpc_portal.app.errors import IdempotencyKeyReused, PortalError
from hpc_portal.app.jobs.choose_cluster import partition_names
from hpc_portal.app.jobs.efficiency import Efficiency, job_efficiency
from hpc_portal.app.jobs.estimate import JobEstimate, estimate_job
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.size_from_history import SizeProposal, propose_size
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.jobs.was_submitted import was_submitted
from hpc_portal.app.services import Services
from hpc_portal.app.templates.find import find_template, reference_of
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.language import Language
from hpc_portal.web.problems import ShownProblem, problems_of, said_of
from hpc_portal.web.project_choice import chosen_account
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_efficiency import show_proposal, sized_by
from hpc_portal.web.show_form import (
    UPLOAD,
    Pairs,
    anchor,
    default_pairs,
    errors_by_field,
    field_of,
    not_understood,
    read_parameters,
    show_form,
)
from hpc_portal.web.show_quota import asset_label, show_asset
from hpc_portal.web.show_submission import show_submission
from quotas.errors import QuotaError
from quotas.tables import TenantState
from schedulers.directives.translation import TranslatedOption
from workloads import script
from workloads.errors import WorkloadError
from workloads.forms import FormField, form_fields
from workloads.script import Script
from workloads.template import N_, Template

router = APIRouter(include_in_schema=False)

_MOST_FILE_BYTES = 1024**2
_STARTS = {
    "Free": N_("Enough is free now."),
    "Resources": N_("Something that it needs is in use now."),
    "Priority": N_("Jobs ahead of it in the queue start first."),
    "Licenses": N_("Waiting for a free licence."),
    "NodesDown": N_("The nodes that it needs are down."),
    "SchedulerUnavailable": N_("The cluster does not answer now; it is handed over when it is back."),
    "BeginTime": N_("It is to begin later."),
    "Held": N_("Somebody has to release it first."),
}


@dataclass(frozen=True, slots=True)
class LeftLine:
    """An asset before and after the job."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class LinkedProblem:
    """A problem in the summary above the form, with the field to jump to."""

    anchor: str
    label: str
    text: str
    href: str = ""
    """A page that helps to mend it, and what it offers."""
    link: str = ""


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
    template = _template(request, actor, services, name)
    fields = form_fields(template.parameters)
    parameters, project = None, ""
    enough: SizeProposal | Efficiency | None = None
    if like:
        with services.reading() as session:
            job = get_job(session, actor, like)
            enough = job_efficiency(session.connection(), job) if sized else None
        parameters, project = job.parameters, job.project
    elif sized:
        enough = _propose(actor, services, reference_of(template))
    if enough:
        parameters = sized_by(parameters, enough)
    pairs = [("project", project), *default_pairs(fields, parameters)]
    return _form(request, actor, services, _Filled(template, name, fields, pairs))


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
    filled = await _read(request, actor, services, name)
    wanted = filled.request(key=filled.value("submission") or None)
    try:
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
    filled = await _read(request, actor, services, name)
    facts = await asyncio.to_thread(_estimate, request, actor, services, filled)
    facts |= _submission(request, services, filled)
    return pages_of(request).render(request, "submit/live.html", facts)


@router.post("/submit/{name}/price")
async def show_price(request: Request, actor: CurrentActor, services: PortalServices, name: str) -> Response:
    """The whole page with the price, for browsers without scripts."""
    filled = await _read(request, actor, services, name)
    return await asyncio.to_thread(_form, request, actor, services, filled, None, with_price=True)


@dataclass(frozen=True, slots=True)
class _Filled:
    """A form as it was filled in."""

    template: Template[Any]
    reference: str
    """How the address names it: perhaps with a version."""
    fields: Sequence[FormField]
    pairs: Pairs

    def value(self, name: str) -> str:
        return next((value for key, value in self.pairs if key == name), "")

    def request(self, *, key: str | None) -> SubmitRequest:
        return SubmitRequest(
            project=self.value("project"),
            template=self.reference,
            parameters=read_parameters(self.fields, self.pairs),
            idempotency_key=key,
        )


async def _read(request: Request, actor: Actor, services: Services, name: str) -> _Filled:
    template = await asyncio.to_thread(_template, request, actor, services, name)
    async with request.form() as form:
        return _Filled(template, name, form_fields(template.parameters), await _pairs(form))


def _template(request: Request, actor: Actor, services: Services, name: str) -> Template[Any]:
    return find_template(services, actor, name, pages_of(request).language(request).template_locale)


async def _pairs(form: FormData) -> Pairs:
    """Names and texts; an uploaded file becomes a text under its own name, as if it had been typed."""
    pairs: list[tuple[str, str]] = []
    for name, value in form.multi_items():
        if isinstance(value, str):
            pairs.append((name, value))
        elif isinstance(value, UploadFile) and value.filename and name.startswith(UPLOAD):
            content = await value.read(_MOST_FILE_BYTES)
            text = content.decode("utf-8", errors="replace")
            pairs.append((f"{name.removeprefix(UPLOAD)}.{value.filename}", text))
    return pairs


def _form(  # noqa: PLR0913 - what a page is made of
    request: Request,
    actor: Actor,
    services: Services,
    filled: _Filled,
    error: Exception | None = None,
    *,
    with_price: bool = False,
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    problems = _mend_texts(filled, problems_of(error, language), language) if error else []
    by_field = errors_by_field(filled.fields, problems)
    errors = {name: problem.text for name, problem in by_field.items()}
    errors |= {problem.field: problem.text for problem in problems if problem.field == "project"}
    with services.reading() as session:
        projects = [project for project in list_visible_projects(session, actor) if _is_offered(project)]
    price = (
        _estimate(request, actor, services, filled) if with_price else {"estimate": None, "no_estimate": ""}
    )
    proposal = _propose(actor, services, filled.template.name)
    facts = {
        "template": filled.template,
        "reference": filled.reference,
        "proposal": show_proposal(proposal, language) if proposal else None,
        "partitions": partition_names(list_snapshots(services, actor)),
        "groups": show_form(filled.fields, filled.pairs, errors),
        "errors": errors,
        "problems": [_linked(filled, problem) for problem in problems],
        "projects": projects,
        "chosen_project": filled.value("project") or chosen_account(request, projects),
        "submission": filled.value("submission") or str(uuid4()),
        **price,
    }
    facts |= _submission(request, services, filled, project=facts["chosen_project"])
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    return pages.render(request, "submit/form.html", facts, status=status)


def _is_offered(project: ProjectRecord) -> bool:
    """Neither what is closed for good, nor the parts of students whom the reader teaches."""
    is_open = project.state is not TenantState.CLOSED
    return project.may_submit and is_open and not project.is_students_part


def _estimate(request: Request, actor: Actor, services: Services, filled: _Filled) -> dict[str, Any]:
    language = pages_of(request).language(request)
    try:
        found = estimate_job(services, actor, filled.request(key=None))
    except (PortalError, QuotaError, WorkloadError) as error:
        return {"estimate": None, "no_estimate": " ".join(_told(filled, error, language))}
    return {"estimate": found, "no_estimate": "", **_around(found, language), "header": _header(filled)}


def _submission(
    request: Request, services: Services, filled: _Filled, *, project: str = ""
) -> dict[str, Any]:
    """The script and the commands; while something is wrong the last problem instead."""
    language = pages_of(request).language(request)
    try:
        shown = show_submission(
            filled.template,
            filled.reference,
            filled.fields,
            read_parameters(filled.fields, filled.pairs),
            project=project or filled.value("project"),
            address=services.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/"),
        )
    except WorkloadError as error:
        return {"shown": None, "last_problem": _told(filled, error, language)[-1]}
    return {"shown": shown, "last_problem": ""}


def _told(filled: _Filled, error: Exception, language: Language) -> list[str]:
    """Each problem with the field that it is about."""
    problems = _mend_texts(filled, problems_of(error, language), language)
    return [
        f"{language.gettext(one.label)}: {one.text}" if one.label else one.text
        for one in (_linked(filled, problem) for problem in problems)
    ]


def _header(filled: _Filled) -> Sequence[TranslatedOption]:
    """What the header lines of a script come to; nothing for other templates."""
    if not isinstance(filled.template, Script):
        return ()
    parameters = filled.template.validate(read_parameters(filled.fields, filled.pairs))
    translation = script.header_of(parameters)
    return translation.options if translation else ()


def _around(found: JobEstimate, language: Language) -> Mapping[str, Any]:
    """The estimate's balances and start, in words."""
    after = found.available_after
    start = found.expected_start
    if start.latest is None:
        likely = language.gettext(N_("not foreseeable"))
    elif start.reason == "Free":
        likely = language.gettext(N_("within seconds"))
    else:
        likely = language.gettext(N_("at the latest %(time)s"), time=language.relative(start.latest))
    return {
        "left": [
            LeftLine(
                asset_label(asset, language),
                show_asset(asset, found.available.get(asset, 0), language),
                show_asset(asset, after.get(asset, 0), language),
            )
            for asset in sorted(found.needed)
            if found.needed[asset]
        ],
        "obstacles": [problems_of(refusal, language)[0] for refusal in found.refusals],
        "notes": [said_of(remark, language).text for remark in found.remarks],
        "likely_start": likely,
        "start_reason": _STARTS.get(start.reason, start.reason),
    }


def _mend_texts(filled: _Filled, problems: Sequence[ShownProblem], language: Language) -> list[ShownProblem]:
    """Times and sizes that were not understood are explained in their own notation."""
    not_numbers = language.gettext(N_("Enter a whole number."))
    mended = []
    for problem in problems:
        better = not_understood(filled.fields, field_of(filled.fields, problem.field))
        is_about_form = problem.text == not_numbers and better
        mended.append(ShownProblem(problem.field, language.gettext(better)) if is_about_form else problem)
    return mended


def _linked(filled: _Filled, problem: ShownProblem) -> LinkedProblem:
    if problem.field == "project":
        return LinkedProblem("project", N_("Project"), problem.text)
    name = field_of(filled.fields, problem.field)
    title = next((one.title for one in filled.fields if one.name == name), problem.field)
    return LinkedProblem(anchor(name) if name else "", title, problem.text, problem.href, problem.link)
