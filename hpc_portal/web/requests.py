"""Requests for quota as pages: the list, the form, one request with its history, the inbox of reviewers."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app import permissions
from hpc_portal.app.accounts.queries import ProjectRecord, list_visible_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, PortalError, ProjectNotFound
from hpc_portal.app.permissions import Action
from hpc_portal.app.requests.attachments import MOST_BYTES, MOST_FILES, TYPES
from hpc_portal.app.requests.draft import draft_request, edit_request, known_assets, wanted_for_shortage
from hpc_portal.app.requests.outlook import look_ahead, price_list_of, price_of
from hpc_portal.app.requests.queries import (
    UNDECIDED,
    RequestDetail,
    RequestFilter,
    get_request,
    list_inbox,
    list_requests,
)
from hpc_portal.app.requests.submit import submit_request
from hpc_portal.app.requests.transitions import OPEN, Deed, RequestKind, RequestState
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.request_form import (
    RequestForm,
    form_lines,
    form_of,
    read_form,
    read_missing,
    wanted_by,
)
from hpc_portal.web.show_request import (
    DEEDS,
    KIND_HINTS,
    REQUEST_KINDS,
    REQUEST_STATES,
    as_field_day,
    last_moment,
    show_lines,
    show_outlook,
    show_summary,
)
from quotas.errors import QuotaError

router = APIRouter(include_in_schema=False)

_STREAM = "also=requests"
_SCOPES = {"open": tuple(OPEN), "waiting": UNDECIDED}


@router.get("/requests")
def show_list(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    scope: str = "",
    before: UUID | None = None,
) -> Response:
    """Requests of the projects that the reader sees, newest first."""
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        found = list_requests(session, actor, RequestFilter(states=_SCOPES.get(scope, ())), before=before)
    facts = {
        "requests": [show_summary(item, language) for item in found.items],
        "next_cursor": found.next_cursor,
        "scope": scope,
        "may_ask": permissions.may_somewhere(actor, Action.REQUEST),
        "stream": _STREAM,
    }
    return pages.render(request, "requests/list.html", facts)


@router.get("/requests/inbox")
def show_inbox(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """What waits for a decision, the longest-waiting first."""
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        found = list_inbox(session, actor)
    facts = {"requests": [show_summary(item, language) for item in found], "stream": _STREAM}
    return pages.render(request, "requests/inbox.html", facts)


@router.get("/requests/new")
def show_new(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    project: str = "",
    kind: RequestKind = RequestKind.NEW,
    like: UUID | None = None,
) -> Response:
    """An empty form; or one for what a refused job lacked; or one like an earlier request."""
    if like:
        with services.reading() as session:
            earlier = get_request(session, actor, like)
        form = form_of(earlier.summary.account, earlier.wanted)
    elif project and (missing := read_missing(request.query_params)):
        form = form_of(project, wanted_for_shortage(services, actor, project, missing))
    else:
        form = RequestForm(project=project, kind=kind, from_day=as_field_day(services.clock.now()))
    return _form(request, actor, services, form)


@router.post("/requests")
async def create(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Store the draft, and submit it where that button was pressed."""
    fields = await request.form()
    form = read_form(fields)

    def work() -> Response:
        key = str(fields.get("submission", "")) or None
        try:
            request_id = draft_request(services, actor, form.project, wanted_by(form), key=key)
        except (InvalidEntry, ProjectNotFound) as error:
            return _form(request, actor, services, form, error=error)
        return _after_saving(request, actor, services, request_id, submits="submit" in fields)

    return await asyncio.to_thread(work)


@router.post("/requests/price")
async def show_price(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """What the form asks for now, at list prices: a fragment."""
    del actor  # everybody who is signed in may look
    form = read_form(await request.form())
    try:
        lines = wanted_by(form).lines
    except InvalidEntry:
        lines = {}
    total = await asyncio.to_thread(lambda: price_of(lines, price_list_of(services)))
    return pages_of(request).render(request, "requests/price.html", {"total": total, "count": len(lines)})


@router.get("/requests/{request_id}")
def show(request: Request, actor: CurrentActor, services: PortalServices, request_id: UUID) -> Response:
    """One request; for reviewers with what they need to decide."""
    return show_request(request, actor, services, request_id)


@router.get("/requests/{request_id}/edit")
def show_edit(request: Request, actor: CurrentActor, services: PortalServices, request_id: UUID) -> Response:
    """The form of a draft, or of a request that was returned."""
    with services.reading() as session:
        found = get_request(session, actor, request_id)
    permissions.require(
        actor, Action.REQUEST, organisation_id=found.organisation_id, project_id=found.project_id
    )
    return _form(request, actor, services, form_of(found.summary.account, found.wanted), existing=found)


@router.post("/requests/{request_id}/edit")
async def edit(request: Request, actor: CurrentActor, services: PortalServices, request_id: UUID) -> Response:
    """Store the changes, and submit where that button was pressed."""
    fields = await request.form()
    form = read_form(fields)

    def work() -> Response:
        with services.reading() as session:
            found = get_request(session, actor, request_id)
        version = str(fields.get("version", ""))
        try:
            edit_request(
                services,
                actor,
                request_id,
                wanted_by(form),
                version=int(version) if version.isdecimal() else None,
            )
        except InvalidEntry as error:
            return _form(request, actor, services, form, existing=found, error=error)
        return _after_saving(request, actor, services, request_id, submits="submit" in fields)

    return await asyncio.to_thread(work)


def show_request(  # noqa: PLR0913, PLR0917 - a page and what went wrong on it
    request: Request,
    actor: Actor,
    services: Services,
    request_id: UUID,
    problems: Sequence[ShownProblem] = (),
    entered: dict[str, str] | None = None,
) -> Response:
    """The page, also with what could not be done and what had been entered."""
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        found = get_request(session, actor, request_id)
    decides = permissions.may(actor, Action.AUDIT)
    outlook = look_ahead(services, actor, found) if decides else None
    summary = found.summary
    facts = {
        "request": found,
        "summary": show_summary(summary, language),
        "lines": show_lines(summary.lines, language),
        "state": REQUEST_STATES[summary.state],
        "is_decided": summary.decided_at is not None,
        "granted_day": language.day(last_moment(found.granted_to)) if found.granted_to else "",
        "last_field_day": as_field_day(last_moment(summary.valid_to)),
        "deeds": DEEDS,
        "may": {deed.value for deed in found.may},
        "is_open_to_reader": bool(found.may & {Deed.SUBMIT, Deed.WITHDRAW, Deed.APPROVE}),
        "may_ask": permissions.may(
            actor,
            Action.REQUEST,
            organisation_id=found.organisation_id,
            project_id=found.project_id,
        ),
        "outlook": show_outlook(outlook, language) if outlook else None,
        "is_returned": summary.state is RequestState.RETURNED,
        "question": next((e for e in reversed(found.events) if e.deed is Deed.RETURN), None),
        "has_fixed_end": summary.kind is RequestKind.INCREASE,
        "problems": problems,
        "entered": entered or {},
        "file_types": ",".join(sorted(TYPES)),
        "most_mib": MOST_BYTES // 1024**2,
        "most_files": MOST_FILES,
        "stream": _STREAM,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return pages.render(request, "requests/request.html", facts, status=status)


def _after_saving(
    request: Request, actor: Actor, services: Services, request_id: UUID, *, submits: bool
) -> Response:
    if submits:
        try:
            submit_request(services, actor, request_id)
        except (PortalError, QuotaError) as error:
            language = pages_of(request).language(request)
            return show_request(request, actor, services, request_id, problems_of(error, language))
    return RedirectResponse(f"/requests/{request_id}", HTTPStatus.SEE_OTHER)


def _form(  # noqa: PLR0913 - a form and what went wrong in it
    request: Request,
    actor: Actor,
    services: Services,
    form: RequestForm,
    *,
    existing: RequestDetail | None = None,
    error: PortalError | None = None,
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        projects = [project for project in list_visible_projects(session, actor) if _may_ask(actor, project)]
    prices = price_list_of(services)
    problems = problems_of(error, language) if error else []
    facts = {
        "form": form,
        "existing": existing,
        "projects": projects,
        "kinds": [(kind.value, text, KIND_HINTS[kind]) for kind, text in REQUEST_KINDS.items()],
        "lines": form_lines(form, sorted(known_assets(services)), prices, language),
        "problems": problems,
        "errors": _by_field(problems),
        "submission": str(uuid4()),
        "total": None,
        "count": 0,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return pages.render(request, "requests/form.html", facts, status=status)


def _by_field(problems: Sequence[ShownProblem]) -> dict[str, str]:
    found: dict[str, str] = {}
    for problem in problems:
        found[problem.field] = f"{found.get(problem.field, '')} {problem.text}".strip()
    return found


def _may_ask(actor: Actor, project: ProjectRecord) -> bool:
    return permissions.may(
        actor, Action.REQUEST, organisation_id=project.organisation_id, project_id=project.id
    )
