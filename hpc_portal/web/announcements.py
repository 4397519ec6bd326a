"""Announcements: dismissed on any page, made and withdrawn by administrators on a page of their own."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from hpc_portal.app import permissions
from hpc_portal.app.accounts.queries import list_visible_organisations
from hpc_portal.app.actor import Actor
from hpc_portal.app.announcements.announce import NewAnnouncement, announce, withdraw_announcement
from hpc_portal.app.announcements.dismiss import dismiss_announcement
from hpc_portal.app.announcements.read import AnnouncementStanding, list_announcements
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.cookies import local_path
from hpc_portal.web.price_form import instant_of
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_forms import carry_out, text_of
from hpc_portal.web.words import Word
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_PAGE = "/admin/announcements"
_FIELDS = ("text_vi", "text_en", "organisation", "starts_at", "ends_at", "key")
STANDINGS = {
    AnnouncementStanding.COMING: Word("calendar", N_("To come"), "wait"),
    AnnouncementStanding.IN_FORCE: Word("eye", N_("Shown now"), "good"),
    AnnouncementStanding.OVER: Word("history", N_("Over"), "off"),
    AnnouncementStanding.WITHDRAWN: Word("ban", N_("Withdrawn"), "off"),
}


@router.get(_PAGE)
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """All of them, and a form for who may announce something."""
    return _page(request, actor, services)


@router.post(_PAGE)
async def make(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Announce something."""
    form = await request.form()
    entered = {name: text_of(form, name) for name in _FIELDS}
    return await carry_out(
        request,
        lambda: announce(services, actor, _wanted(form), key=entered["key"] or str(uuid4())),
        lambda problems: _page(request, actor, services, problems, entered, is_urgent="is_urgent" in form),
        _PAGE,
    )


@router.post("/admin/announcements/{announcement_id}/withdraw")
async def withdraw(actor: CurrentActor, services: PortalServices, announcement_id: UUID) -> Response:
    """Take it off all pages."""
    await asyncio.to_thread(withdraw_announcement, services, actor, announcement_id)
    return RedirectResponse(_PAGE, HTTPStatus.SEE_OTHER)


@router.post("/announcements/{announcement_id}/dismiss")
async def dismiss(
    request: Request, actor: CurrentActor, services: PortalServices, announcement_id: UUID
) -> Response:
    """Put it aside and go back to the page that it stood on."""
    back = local_path(text_of(await request.form(), "back"))
    await asyncio.to_thread(dismiss_announcement, services, actor, announcement_id)
    return RedirectResponse(back, HTTPStatus.SEE_OTHER)


def _page(  # noqa: PLR0913 - a page with a form and what went wrong in it
    request: Request,
    actor: Actor,
    services: Services,
    problems: Sequence[ShownProblem] = (),
    entered: Mapping[str, str] | None = None,
    *,
    is_urgent: bool = False,
) -> Response:
    with services.reading() as session:
        found = list_announcements(session, actor, at=services.clock.now())
        organisations = list_visible_organisations(session, actor)
    facts = {
        "listed": found,
        "standings": STANDINGS,
        "running": (AnnouncementStanding.COMING, AnnouncementStanding.IN_FORCE),
        "organisations": organisations,
        "may_announce": permissions.may(actor, Action.ANNOUNCE),
        "problems": problems,
        "entered": entered or dict.fromkeys(_FIELDS, "") | {"key": str(uuid4())},
        "is_urgent": is_urgent,
    }
    return pages_of(request).render(request, "admin/announcements.html", facts)


def _wanted(form: FormData) -> NewAnnouncement:
    return NewAnnouncement(
        text_vi=text_of(form, "text_vi"),
        text_en=text_of(form, "text_en"),
        starts_at=instant_of(form, "starts_at"),
        ends_at=instant_of(form, "ends_at"),
        organisation=text_of(form, "organisation"),
        is_urgent="is_urgent" in form,
    )
