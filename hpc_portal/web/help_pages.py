"""Help: keys, states, reasons and price words on one page, and the user guide part by part."""

from collections.abc import Iterator
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.errors import NotFound
from hpc_portal.auth.deps import CurrentActor
from hpc_portal.web.guide import load_guide
from hpc_portal.web.language import Language
from hpc_portal.web.render import pages_of
from hpc_portal.web.words import CANCELLING, HELD, OUTCOMES, REFUSED, STATES, Word
from schedulers.jobstate import JobState
from schedulers.reasons import Explanation, explain
from workloads.template import N_

router = APIRouter(include_in_schema=False)

SECTIONS = (
    ("start", "rocket", N_("How to start")),
    ("keys", "hash", N_("Keys")),
    ("states", "list-details", N_("States and ends of jobs")),
    ("waiting", "hourglass", N_("Why jobs wait")),
    ("prices", "coin", N_("What each price word means")),
    ("guide", "file-text", N_("User guide")),
)
"""Anchor, icon and heading of each part of the page; each has a template of that name."""

_WAITS = (
    *("Resources", "Priority", "Dependency", "BeginTime", "JobHeldUser", "JobHeldAdmin", "Licenses"),
    *("ReqNodeNotAvail", "Reservation", "PartitionTimeLimit", "AssocGrpGRES", "Budget"),
)
_STATES = {
    JobState.PENDING: N_("It waits for its turn; the reason stands beside it."),
    JobState.RUNNING: N_("It runs, and is charged for the time that it takes."),
    JobState.SUSPENDED: N_("It was stopped for a while and keeps its place."),
    JobState.UNKNOWN: N_("Nobody knows: the cluster does not tell. It is neither done nor failed."),
    **OUTCOMES,
}
_MORE_STATES = (
    (HELD, N_("Somebody holds it: it does not start before it is released.")),
    (CANCELLING, N_("Somebody asked to cancel it; what still runs is being ended.")),
    (REFUSED, N_("The cluster did not take it. Nothing was charged.")),
)
PRICE_WORDS = (
    (
        N_("List price"),
        N_("What an hour of a CPU, a GiB, a GPU or a licence costs by the prices in force."),
    ),
    (N_("Subsidy"), N_("The part that the city pays for your organisation.")),
    (N_("Net price"), N_("List price less subsidy: what your project pays.")),
    (N_("Price at most"), N_("The net price of all that you ask for, over the whole time limit.")),
    (N_("Held"), N_("Set aside when you submit, as much as the job can cost at most.")),
    (N_("Charged"), N_("What it really used, when it has ended; the rest of what was held comes back.")),
    (N_("Granted"), N_("The budget that your project was given for a period.")),
    (N_("Available"), N_("Granted, less what was charged and what is held: so much you can still submit.")),
    (N_("Refund"), N_("A charge that came back, by a rule for the way a job ended or by decision.")),
    (N_("Expired"), N_("What was not used when its period ended. It does not come back.")),
)


@router.get("/help")
def show(request: Request, actor: CurrentActor) -> Response:  # noqa: ARG001 - for those who are signed in
    """Everything that fits on one page."""
    pages = pages_of(request)
    language = pages.language(request)
    states: list[tuple[Word, str]] = [(STATES[state], text) for state, text in _STATES.items()]
    facts = {
        "sections": SECTIONS,
        "states": [*states, *_MORE_STATES],
        "waits": list(_waits(language)),
        "price_words": PRICE_WORDS,
        "guide": load_guide(language.code),
    }
    return pages.render(request, "help/page.html", facts)


@router.get("/help/guide")
def open_guide(actor: CurrentActor) -> Response:  # noqa: ARG001 - as above
    """Its first part."""
    return RedirectResponse(f"/help/guide/{load_guide('en').parts[0].anchor}", HTTPStatus.SEE_OTHER)


@router.get("/help/guide/{part}")
def show_part(request: Request, actor: CurrentActor, part: str) -> Response:  # noqa: ARG001 - as above
    """One part of the guide, with the contents of all of it."""
    pages = pages_of(request)
    guide = load_guide(pages.language(request).code)
    found = guide.part(part)
    if found is None:
        raise NotFound("page", part)
    before, after = guide.around(found)
    facts = {"guide": guide, "part": found, "before": before, "after": after}
    return pages.render(request, "help/part.html", facts)


def _waits(language: Language) -> Iterator[Explanation]:
    for raw in _WAITS:
        found = explain(raw, language.code)
        if found.is_known:
            yield found
