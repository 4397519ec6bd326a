"""What is done with one request on its page: submit, withdraw, decide, attach files."""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import RedirectResponse, Response, StreamingResponse

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, Problem, RequestNotOpen
from hpc_portal.app.offered import not_offered
from hpc_portal.app.requests.attachments import (
    MOST_BYTES,
    add_attachment,
    open_attachment,
    remove_attachment,
)
from hpc_portal.app.requests.decide import approve_partly, approve_request, deny_request
from hpc_portal.app.requests.move import load_for
from hpc_portal.app.requests.queries import get_request
from hpc_portal.app.requests.review import return_request, start_review
from hpc_portal.app.requests.submit import submit_request, withdraw_request
from hpc_portal.app.requests.transitions import Deed
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.problems import problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.request_form import read_amounts, read_last_day
from hpc_portal.web.requests import show_request
from quotas.errors import QuotaError
from workloads.template import N_

router = APIRouter(include_in_schema=False)


@router.post("/requests/{request_id}/submit")
async def submit(
    request: Request, actor: CurrentActor, services: PortalServices, request_id: UUID
) -> Response:
    """Ask for a decision, with an answer where there was a question."""
    form = await request.form()
    message = _text(form, "message")
    return await _do(
        request,
        actor,
        services,
        request_id,
        form,
        lambda: submit_request(services, actor, request_id, message=message),
    )


@router.post("/requests/{request_id}/withdraw")
async def withdraw(
    request: Request, actor: CurrentActor, services: PortalServices, request_id: UUID
) -> Response:
    """Take it back."""
    form = await request.form()
    message = _text(form, "message")
    return await _do(
        request,
        actor,
        services,
        request_id,
        form,
        lambda: withdraw_request(services, actor, request_id, message=message),
    )


@router.post("/requests/{request_id}/decide")
async def decide(
    request: Request, actor: CurrentActor, services: PortalServices, request_id: UUID
) -> Response:
    """Whatever button of the reviewer's form was pressed."""
    form = await request.form()
    return await _do(
        request,
        actor,
        services,
        request_id,
        form,
        lambda: _decide(services, actor, request_id, form),
    )


@router.post("/requests/{request_id}/attachments")
async def attach(
    request: Request, actor: CurrentActor, services: PortalServices, request_id: UUID
) -> Response:
    """Attach the files that were chosen."""
    form = await request.form()
    files = [
        (item.filename or "", await item.read(MOST_BYTES + 1))
        for item in form.getlist("file")
        if isinstance(item, UploadFile) and item.filename
    ]
    await form.close()

    def work() -> None:
        if not files:
            with services.reading() as session:
                load_for(session.connection(), actor, request_id, Deed.ATTACH)
            raise InvalidEntry([Problem("file", N_("Choose a file first."))])
        for name, content in files:
            add_attachment(services, actor, request_id, name=name, content=content)

    return await _do(request, actor, services, request_id, form, work)


@router.post("/requests/{request_id}/attachments/{attachment_id}/remove")
async def detach(
    request: Request, actor: CurrentActor, services: PortalServices, request_id: UUID, attachment_id: UUID
) -> Response:
    """Take a file away."""
    form = await request.form()
    return await _do(
        request,
        actor,
        services,
        request_id,
        form,
        lambda: remove_attachment(services, actor, request_id, attachment_id),
    )


@router.get("/requests/{request_id}/attachments/{attachment_id}")
def download(
    actor: CurrentActor, services: PortalServices, request_id: UUID, attachment_id: UUID
) -> Response:
    """One file, always for saving: what somebody attached never runs as a page of ours."""
    opened = open_attachment(services, actor, request_id, attachment_id)
    return StreamingResponse(
        opened.pieces,
        media_type="application/octet-stream",
        headers={
            "content-length": str(opened.shown.size_bytes),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(opened.shown.name, safe='')}",
        },
    )


async def _do(  # noqa: PLR0913, PLR0917 - a deed, and where it is shown
    request: Request,
    actor: Actor,
    services: Services,
    request_id: UUID,
    form: FormData,
    deed: Callable[[], object],
) -> Response:
    """Do it and go back to the page; or show the page with what is in the way, as it stands now."""

    def work() -> Response:
        try:
            deed()
        except (InvalidEntry, RequestNotOpen, QuotaError) as error:
            language = pages_of(request).language(request)
            entered = {name: value for name, value in form.multi_items() if isinstance(value, str)}
            return show_request(request, actor, services, request_id, problems_of(error, language), entered)
        return RedirectResponse(f"/requests/{request_id}", HTTPStatus.SEE_OTHER)

    return await asyncio.to_thread(work)


def _decide(services: Services, actor: Actor, request_id: UUID, form: FormData) -> None:
    message, version = _text(form, "message"), _version(form)
    match form.get("deed"):
        case "start_review":
            start_review(services, actor, request_id)
        case "approve":
            approve_request(services, actor, request_id, message=message, version=version)
        case "approve_partly":
            _approve_partly(services, actor, request_id, form)
        case "return":
            return_request(services, actor, request_id, message=message, version=version)
        case "deny":
            deny_request(services, actor, request_id, message=message, version=version)
        case _:
            with services.reading() as session:
                get_request(session, actor, request_id)
            raise not_offered("deed")


def _approve_partly(services: Services, actor: Actor, request_id: UUID, form: FormData) -> None:
    with services.reading() as session:
        get_request(session, actor, request_id)
    problems: list[Problem] = []
    fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    granted = read_amounts(_granted(fields), problems, name="granted", least=0)
    valid_to = read_last_day(fields.get("last_day", ""), problems)
    if problems:
        raise InvalidEntry(problems)
    approve_partly(
        services,
        actor,
        request_id,
        granted=granted,
        valid_to=valid_to,
        message=_text(form, "message"),
        version=_version(form),
    )


def _granted(fields: Mapping[str, str]) -> dict[str, str]:
    prefix = "granted."
    return {name.removeprefix(prefix): text for name, text in fields.items() if name.startswith(prefix)}


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, "")).replace("\r\n", "\n").strip()


def _version(form: FormData) -> int | None:
    text = str(form.get("version", ""))
    return int(text) if text.isdecimal() else None
