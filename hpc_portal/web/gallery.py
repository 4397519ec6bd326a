"""What can be run, by the field of work, and searched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.search import MOST_CHARACTERS, fold
from hpc_portal.app.templates.find import offered
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.language import Language
from hpc_portal.web.render import pages_of
from workloads.template import N_, Template

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Domain:
    """A field of work."""

    title: str
    """Untranslated."""
    icon: str
    """An id of the vendored sprite."""


DOMAINS = {
    "verification": Domain(N_("Verification"), "test-pipe"),
    "synthesis": Domain(N_("Synthesis"), "cpu"),
    "timing": Domain(N_("Timing"), "timeline"),
    "layout": Domain(N_("Layout"), "grid-dots"),
    "signoff": Domain(N_("Sign-off"), "shield-check"),
    "analog": Domain(N_("Analogue"), "wave-square"),
    "training": Domain(N_("AI"), "brain"),
    "general": Domain(N_("Your own programs"), "terminal-2"),
    "operations": Domain(N_("Operations"), "rocket"),
}
"""By the word that templates use; in the order in which people see them."""


@dataclass(frozen=True, slots=True)
class Card:
    """One template to choose."""

    name: str
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """The templates of one field."""

    domain: Domain
    cards: Sequence[Card]


@router.get("/submit")
def show(request: Request, actor: CurrentActor, services: PortalServices, text: str = "") -> Response:
    """All that this person can submit, or what has the text in its name, title or summary."""
    pages = pages_of(request)
    language = pages.language(request)
    wanted = text.strip()[:MOST_CHARACTERS]
    found = offered(services, actor, language.template_locale)
    shelves = shelves_of(found, fold(wanted), language)
    return pages.render(request, "submit/gallery.html", {"shelves": shelves, "text": wanted})


def shelves_of(templates: Iterable[Template[Any]], wanted: str, language: Language) -> list[Shelf]:
    """In the order of DOMAINS, without empty ones; `wanted` is folded."""
    cards: dict[str, list[Card]] = {domain: [] for domain in DOMAINS}
    for template in templates:
        card = Card(template.name, language.text(template.title), language.text(template.summary))
        if wanted in fold(f"{card.name} {card.title} {card.summary}"):
            cards[template.domain].append(card)
    return [Shelf(DOMAINS[domain], tuple(found)) for domain, found in cards.items() if found]
