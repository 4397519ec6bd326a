"""Go anywhere by a few letters: a page of its own, and the lines of the palette (Ctrl K)."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.search import MOST_CHARACTERS, FoundKind, fold, search
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.guide import load_guide
from hpc_portal.web.language import Language
from hpc_portal.web.navigation import MenuPart
from hpc_portal.web.navigation import menu as menu_of
from hpc_portal.web.render import pages_of
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_PAGE = N_("Page")
_GUIDE = N_("User guide")
_MOST_GUIDE_PARTS = 3
_ICONS = {
    FoundKind.TEMPLATE: "rocket",
    FoundKind.JOB: "list-details",
    FoundKind.CAMPAIGN: "grid-dots",
    FoundKind.PROJECT: "folder",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One line to choose."""

    icon: str
    name: str
    hint: str
    kind: str
    """Untranslated."""
    href: str


@router.get("/find")
def show(request: Request, actor: CurrentActor, services: PortalServices, text: str = "") -> Response:
    """Pages whose title has it, then what else is called so; only the lines for a palette that asks."""
    pages = pages_of(request)
    language = pages.language(request)
    wanted = text.strip()[:MOST_CHARACTERS]
    with services.reading() as session:
        found = search(services, session, actor, wanted, locale=language.template_locale, say=language.text)
    choices = [
        *_matching_pages(menu_of(actor, "/find"), wanted, language),
        *(Choice(_ICONS[one.kind], one.name, one.hint, one.kind.value, one.path) for one in found),
    ]
    choices += _matching_guide_parts(wanted, language)
    is_part = request.headers.get("X-Requested-With") == "palette"
    page = "find/choices.html" if is_part else "find/page.html"
    return pages.render(request, page, {"choices": choices, "text": wanted})


def _matching_guide_parts(wanted: str, language: Language) -> Iterator[Choice]:
    """Parts of the guide with all of these words: in the title first."""
    words = fold(wanted).split()
    if not words:
        return
    guide = load_guide(language.code)
    found = [part for part in guide.parts if all(word in part.text for word in words)]
    found.sort(key=lambda part: not all(word in fold(part.title) for word in words))
    for part in found[:_MOST_GUIDE_PARTS]:
        yield Choice("file-text", part.title, "", _GUIDE, f"/help/guide/{part.anchor}")


def _matching_pages(parts: tuple[MenuPart, ...], wanted: str, language: Language) -> Iterator[Choice]:
    for part in parts:
        for link in part.links:
            if fold(wanted) in fold(language.text(link.text)):
                yield Choice(link.icon, language.text(link.text), "", _PAGE, link.href)
