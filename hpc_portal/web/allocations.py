"""Allocations as pages: the list, one with its history, and what administrators can do to it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.budgets import change_allocation as change
from hpc_portal.app.budgets.allocations import (
    AllocationEventSeen,
    AllocationSeen,
    allocation_events,
    get_allocation,
    list_allocations,
)
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.offered import not_offered
from hpc_portal.app.permissions import Action, may
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.language import Language
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.request_form import read_amounts, read_last_day
from hpc_portal.web.show_quota import asset_label, show_asset
from hpc_portal.web.show_request import as_field_day, last_moment, show_unit
from hpc_portal.web.words import Word
from quotas.allocation_tables import AllocationEventKind
from quotas.errors import QuotaError
from quotas.tables import AllocationState, HoldPolicy
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_STOPPED = Word("player-pause", N_("Suspended with its source"), "wait")
STATES: Mapping[AllocationState, Word] = {
    AllocationState.PENDING: Word("hourglass", N_("Not yet in force"), "wait"),
    AllocationState.ACTIVE: Word("circle-check", N_("In force"), "good"),
    AllocationState.SUSPENDED: Word("player-pause", N_("Suspended"), "wait"),
    AllocationState.EXPIRED: Word("calendar", N_("Expired"), "off"),
    AllocationState.CLOSED: Word("lock", N_("Closed"), "off"),
}
POLICIES: Mapping[HoldPolicy, str] = {
    HoldPolicy.STRICT: N_("Arrays are held in full"),
    HoldPolicy.ROLLING: N_("Arrays hold only what runs at once"),
}
EVENTS: Mapping[AllocationEventKind, str] = {
    AllocationEventKind.EXTENDED: N_("Extended"),
    AllocationEventKind.SUSPENDED: N_("Suspended"),
    AllocationEventKind.RESUMED: N_("Resumed"),
    AllocationEventKind.EXPIRED: N_("Expired"),
    AllocationEventKind.CLOSED: N_("Closed"),
    AllocationEventKind.POLICY: N_("Arrays are held otherwise"),
}


@dataclass(frozen=True, slots=True)
class ShownLine:
    """One asset, as text and as a share."""

    asset: str
    label: str
    unit: str
    available: str
    held: str
    used: str
    expired: str
    percent: int


@dataclass(frozen=True, slots=True)
class ShownAllocation:
    """One allocation."""

    id: UUID
    project: str
    organisation: str
    state: Word
    has_ended: bool
    is_suspended: bool
    policy: str
    is_rolling: bool
    valid_from: datetime
    last_at: datetime
    last_day: str
    """For a date field."""
    parent_id: UUID | None
    lines: tuple[ShownLine, ...]


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One change of it."""

    text: str
    at: datetime
    by: str
    reason: str


@router.get("/allocations")
def show_list(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    project: str = "",
    scope: str = "",
) -> Response:
    """Those that go on, the one that ends first in front; or ended ones."""
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    with services.reading() as session:
        found = list_allocations(session, actor, project=project or None, ended=scope == "ended")
    facts = {
        "allocations": [_shown(one, language, now) for one in found],
        "scope": scope,
        "project": project,
        "may_grant": may(actor, Action.GRANT),
    }
    return pages.render(request, "allocations/list.html", facts)


@router.get("/allocations/{allocation_id}")
def show(request: Request, actor: CurrentActor, services: PortalServices, allocation_id: UUID) -> Response:
    """One allocation with its history; for administrators with what they can do."""
    return _page(request, actor, services, allocation_id, [])


@router.post("/allocations/{allocation_id}")
async def act(
    request: Request, actor: CurrentActor, services: PortalServices, allocation_id: UUID
) -> Response:
    """Do what the pressed button says, and go back to the page; or show it with what is in the way."""
    form = await request.form()

    def work() -> Response:
        try:
            _deed(services, actor, allocation_id, form)()
        except (InvalidEntry, QuotaError) as error:
            problems = problems_of(error, pages_of(request).language(request))
            return _page(request, actor, services, allocation_id, problems)
        return RedirectResponse(f"/allocations/{allocation_id}", HTTPStatus.SEE_OTHER)

    return await asyncio.to_thread(work)


def _deed(  # noqa: PLR0911 - one return for each button
    services: Services, actor: Actor, allocation_id: UUID, form: FormData
) -> Callable[[], object]:
    """What the form asks for.

    Raises:
        InvalidEntry: a field of it makes no sense.
    """
    reason, key = str(form.get("reason", "")), str(form.get("key", "")) or str(uuid4())
    of = (services, actor, allocation_id)
    match form.get("deed"):
        case "increase":
            lines = _amounts(form)
            return lambda: change.increase_allocation(*of, lines, reason=reason, key=key)
        case "reduce":
            lines = _amounts(form)
            return lambda: change.reduce_allocation(*of, lines, reason=reason, key=key)
        case "extend":
            valid_to = _last_day(str(form.get("last_day", "")))
            return lambda: change.extend_allocation(*of, valid_to, reason=reason)
        case "suspend":
            return lambda: change.suspend_allocation(*of, reason=reason)
        case "resume":
            return lambda: change.resume_allocation(*of, reason=reason)
        case "close":
            return lambda: change.close_allocation(*of, reason=reason)
        case "rolling" | "strict" as policy:
            return lambda: change.set_hold_policy(*of, HoldPolicy(policy), reason=reason)
        case "carry":
            target = _target(str(form.get("target", "")))
            return lambda: change.carry_over_budget(*of, target, lines=None, reason=reason, key=key)
    raise not_offered("deed")


def _page(
    request: Request, actor: Actor, services: Services, allocation_id: UUID, problems: list[ShownProblem]
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    with services.reading() as session:
        found = get_allocation(session, actor, allocation_id)
        events = allocation_events(session, actor, allocation_id)
        others = list_allocations(session, actor, project=found.project)
    facts = {
        "allocation": _shown(found, language, now),
        "events": [_event(event, language) for event in events],
        "targets": [_shown(one, language, now) for one in others if one.id != allocation_id],
        "may_change": may(actor, Action.GRANT),
        "key": uuid4(),
        "problems": problems,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return pages.render(request, "allocations/allocation.html", facts, status=status)


def _word(of: AllocationSeen, now: datetime) -> Word:
    if of.state is not AllocationState.ACTIVE:
        return STATES[of.state]
    if of.stopped_by is not None:
        return _STOPPED
    return STATES[of.state if of.valid_from <= now else AllocationState.PENDING]


def _shown(of: AllocationSeen, language: Language, now: datetime) -> ShownAllocation:
    def show_line(asset: str, amount: int) -> str:
        return show_asset(asset, amount, language)

    return ShownAllocation(
        id=of.id,
        project=of.project,
        organisation=of.organisation,
        state=_word(of, now),
        has_ended=of.state in {AllocationState.EXPIRED, AllocationState.CLOSED},
        is_suspended=of.state is AllocationState.SUSPENDED,
        policy=language.gettext(POLICIES[of.hold_policy]),
        is_rolling=of.hold_policy is HoldPolicy.ROLLING,
        valid_from=of.valid_from,
        last_at=last_moment(of.valid_to),
        last_day=as_field_day(last_moment(of.valid_to)),
        parent_id=of.parent_id,
        lines=tuple(
            ShownLine(
                line.asset,
                asset_label(line.asset, language),
                show_unit(line.asset, language),
                show_line(line.asset, line.available),
                show_line(line.asset, line.held),
                show_line(line.asset, line.consumed),
                show_line(line.asset, line.expired) if line.expired else "",
                min(line.used_percent, 100),
            )
            for line in of.lines
        ),
    )


def _event(event: AllocationEventSeen, language: Language) -> ShownEvent:
    text = language.gettext(EVENTS[event.kind])
    if event.kind is AllocationEventKind.EXTENDED:
        text = f"{text}: {language.day(last_moment(datetime.fromisoformat(event.became)))}"
    by = event.by or language.gettext(N_("the portal"))
    return ShownEvent(text, event.at, by, event.reason)


def _amounts(form: FormData) -> dict[str, int]:
    entered = {
        name.removeprefix("lines."): str(value)
        for name, value in form.multi_items()
        if name.startswith("lines.") and str(value).strip()
    }
    problems: list[Problem] = []
    found = read_amounts(entered, problems)
    if not entered:
        problems.append(Problem("lines", N_("Enter at least one amount.")))
    if problems:
        raise InvalidEntry(problems)
    return found


def _last_day(text: str) -> datetime:
    problems: list[Problem] = []
    found = read_last_day(text, problems)
    if found is None or problems:
        raise InvalidEntry(problems or [Problem("last_day", N_("Choose a day."))])
    return found


def _target(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise not_offered("target") from error
