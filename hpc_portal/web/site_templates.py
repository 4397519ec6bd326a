"""Site templates as administrators see them: publish a document, look at versions, retire a template."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import RedirectResponse, Response

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.templates.publish import publish_template, retire_template, validate_template
from hpc_portal.app.templates.queries import TemplateVersion, get_version, list_versions
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.language import Language
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_prices import KINDS
from quotas.tables import OrganisationKind
from workloads.errors import InvalidSiteTemplate
from workloads.site.read_document import LONGEST_DOCUMENT
from workloads.template import N_

router = APIRouter(include_in_schema=False)

Version = Annotated[int, Path(ge=1, le=10**9)]
_FILE = "template.toml"


@dataclass(frozen=True, slots=True)
class ShownTemplate:
    """One version in a list."""

    version: TemplateVersion
    who: str
    """Who may use it, in words."""


@router.get("/admin/templates")
def show_list(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """What was published, and a form for the next document; auditors see it, too."""
    return _list_page(request, actor, services)


@router.post("/admin/templates")
async def publish(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Check the document, or publish it; show it again with what is wrong."""
    async with request.form() as form:
        text, source = await _document(form)
        only_check = "check" in form

    def work() -> Response:
        try:
            if only_check:
                found = validate_template(services, actor, text, source=source)
                return _list_page(request, actor, services, text=text, checked=found.name)
            published = publish_template(services, actor, text, source=source)
        except InvalidSiteTemplate as error:
            problems = problems_of(error, pages_of(request).language(request))
            return _list_page(request, actor, services, text=text, problems=problems)
        return RedirectResponse(f"/admin/templates/{published.name}", HTTPStatus.SEE_OTHER)

    return await asyncio.to_thread(work)


@router.get("/admin/templates/{name}")
def show_current(request: Request, actor: CurrentActor, services: PortalServices, name: str) -> Response:
    """The current version with its document, and the versions before it."""
    return _version_page(request, actor, services, name, None)


@router.get("/admin/templates/{name}/{version}")
def show_version(
    request: Request, actor: CurrentActor, services: PortalServices, name: str, version: Version
) -> Response:
    """One version with its document."""
    return _version_page(request, actor, services, name, version)


@router.post("/admin/templates/{name}/retire")
def retire(actor: CurrentActor, services: PortalServices, name: str) -> Response:
    """Offer it to nobody any more."""
    retire_template(services, actor, name)
    return RedirectResponse(f"/admin/templates/{name}", HTTPStatus.SEE_OTHER)


def _list_page(  # noqa: PLR0913 - what a page is made of
    request: Request,
    actor: Actor,
    services: Services,
    *,
    text: str = "",
    checked: str = "",
    problems: Sequence[ShownProblem] = (),
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        found = list_versions(session, actor, language.template_locale, current_only=True)
    facts = {
        "templates": [ShownTemplate(item, _who(item, language)) for item in found],
        "may_publish": permissions.may(actor, Action.PUBLISH_TEMPLATES),
        "document": text,
        "checked": checked,
        "problems": problems,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return pages.render(request, "templates/list.html", facts, status=status)


def _version_page(
    request: Request, actor: Actor, services: Services, name: str, version: int | None
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        found = get_version(session, actor, name, version, language.template_locale)
        versions = list_versions(session, actor, language.template_locale, name=name)
    facts = {
        "shown": ShownTemplate(found, _who(found, language)),
        "versions": versions,
        "may_publish": permissions.may(actor, Action.PUBLISH_TEMPLATES),
    }
    return pages.render(request, "templates/version.html", facts)


def _who(item: TemplateVersion, language: Language) -> str:
    who = item.who_may_use
    if who.is_everybody:
        return language.gettext(N_("everybody"))
    known = set(OrganisationKind)
    kinds = [
        language.gettext(KINDS[OrganisationKind(kind)]) for kind in who.organisation_kinds if kind in known
    ]
    return ", ".join([*kinds, *who.organisations, *who.projects])


async def _document(form: FormData) -> tuple[str, str]:
    """The text of the uploaded file where there is one, else what was typed; and what to call it."""
    upload = form.get("file")
    if isinstance(upload, UploadFile) and upload.filename:
        content = await upload.read(LONGEST_DOCUMENT + 1)
        return content.decode("utf-8", errors="replace"), upload.filename
    typed = form.get("document", "")
    return (typed if isinstance(typed, str) else ""), _FILE
