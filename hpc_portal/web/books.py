"""The books as a page: what does not add up, the months and closing them, and when all was last checked."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounting.months import ListedMonth, close_next_month, list_months
from hpc_portal.app.accounting.work_list import Checked, WorkItem, decide, last_checks, work_list
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import DiscrepancyDecided, InvalidEntry
from hpc_portal.app.offered import not_offered
from hpc_portal.app.permissions import Action, may
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.language import Language
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of
from quotas.errors import MonthNotClosable
from quotas.usage_tables import DiscrepancyKind, DiscrepancyState
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_AT_ONCE = 100
_DECIDED_SHOWN = 20
_SECONDS_PER_HOUR = 3600

KINDS = {
    DiscrepancyKind.LEDGER: N_("Ledger"),
    DiscrepancyKind.DAY_AUDIT: N_("Usage of a day"),
    DiscrepancyKind.CLUSTER_DAY: N_("Cluster's accounting"),
    DiscrepancyKind.NO_RECORD: N_("Run without a record"),
    DiscrepancyKind.UNKNOWN_ACCOUNT: N_("Unknown account"),
}
STATES = {
    DiscrepancyState.OPEN: N_("Waits for a decision"),
    DiscrepancyState.EXPLAINED: N_("Explained"),
    DiscrepancyState.RESOLVED: N_("Resolved"),
}
_MEASURES = {
    "elapsed_seconds": N_("Hours of runs"),
    "cpu_seconds": N_("CPU-hours"),
    "gpu_seconds": N_("GPU-hours"),
}


@dataclass(frozen=True, slots=True)
class ShownAmount:
    """Two figures that should be equal."""

    name: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class ShownItem:
    """One discrepancy."""

    id: int
    kind: str
    text: str
    amounts: list[ShownAmount]
    found_at: datetime
    seen_at: datetime
    state: str
    reason: str
    decided_by: str
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShownMonth:
    """One month."""

    name: str
    """`2026-11`, as its form sends it."""
    month: date
    is_closed: bool
    can_close: bool
    is_next: bool
    unsettled: int
    closed_at: datetime | None
    closed_by: str
    reason: str
    sha256: str


@router.get("/admin/books")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """What does not add up, the months, and the last checks."""
    return _page(request, actor, services, [], {})


@router.post("/admin/books/close")
async def close(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Close the month that is next."""
    form = await request.form()
    month, reason = _month(form), str(form.get("reason", ""))
    return await _do(
        request, actor, services, form, lambda: close_next_month(services, actor, month=month, reason=reason)
    )


@router.post("/admin/books/{number}/decide")
async def take_off(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    number: Annotated[int, Path(ge=1, lt=2**63)],
) -> Response:
    """Explain or resolve a discrepancy."""
    form = await request.form()
    reason = str(form.get("reason", ""))
    is_resolved = form.get("state") == DiscrepancyState.RESOLVED.value
    state = DiscrepancyState.RESOLVED if is_resolved else DiscrepancyState.EXPLAINED
    return await _do(
        request, actor, services, form, lambda: decide(services, actor, number, state=state, reason=reason)
    )


async def _do(
    request: Request, actor: Actor, services: Services, form: FormData, deed: Callable[[], object]
) -> Response:
    """Do it and go back to the page; or show the page with what is in the way."""

    def work() -> Response:
        try:
            deed()
        except (InvalidEntry, MonthNotClosable, DiscrepancyDecided) as error:
            entered = {name: value for name, value in form.multi_items() if isinstance(value, str)}
            problems = problems_of(error, pages_of(request).language(request))
            return _page(request, actor, services, problems, entered)
        return RedirectResponse("/admin/books", HTTPStatus.SEE_OTHER)

    return await asyncio.to_thread(work)


def _page(
    request: Request,
    actor: Actor,
    services: Services,
    problems: list[ShownProblem],
    entered: Mapping[str, str],
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        waiting = work_list(session, actor, limit=_AT_ONCE)
        every = work_list(session, actor, state=None, limit=_AT_ONCE)
        months = list_months(session, actor, now=services.clock.now())
        checks = last_checks(session, actor)
    decided = [item for item in every if item.found.state is not DiscrepancyState.OPEN]
    facts = {
        "waiting": [_shown(item, language) for item in waiting],
        "decided": [_shown(item, language) for item in decided[:_DECIDED_SHOWN]],
        "months": [_shown_month(month) for month in months],
        "checks": [_checked(check, language) for check in checks],
        "may_decide": may(actor, Action.CLOSE_MONTHS),
        "problems": problems,
        "entered": entered,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return pages.render(request, "admin/books.html", facts, status=status)


def _month(form: FormData) -> date:
    try:
        return date.fromisoformat(f"{form.get('month', '')}-01")
    except ValueError as error:
        raise not_offered("month") from error


def _shown_month(of: ListedMonth) -> ShownMonth:
    return ShownMonth(
        name=f"{of.month:%Y-%m}",
        month=of.month,
        is_closed=of.is_closed,
        can_close=of.is_next and of.is_over,
        is_next=of.is_next,
        unsettled=of.unsettled,
        closed_at=of.closed_at,
        closed_by=of.closed_by or "operator",
        reason=of.reason,
        sha256=of.sha256 or "",
    )


def _shown(item: WorkItem, language: Language) -> ShownItem:
    found = item.found
    return ShownItem(
        id=found.id,
        kind=language.gettext(KINDS[found.kind]),
        text=_sentence(found.kind, found.facts, language),
        amounts=_amounts(found.facts, language),
        found_at=found.found_at,
        seen_at=found.seen_at,
        state=language.gettext(STATES[found.state]),
        reason=language.text(found.reason),
        decided_by=item.decided_by or "",
        decided_at=found.decided_at,
    )


def _sentence(kind: DiscrepancyKind, facts: Mapping[str, Any], language: Language) -> str:
    say, said = language.gettext, {name: str(value) for name, value in facts.items()}
    match kind:
        case DiscrepancyKind.LEDGER:
            return say(N_("The rule %(rule)s does not hold: %(subject)s."), **_of(said, "rule", "subject"))
        case DiscrepancyKind.DAY_AUDIT:
            return say(
                N_("The usage kept for %(day)s differs from what its records say in %(rows)s rows."),
                **_of(said, "day", "rows"),
            )
        case DiscrepancyKind.CLUSTER_DAY:
            return say(
                N_("On %(day)s cluster %(cluster)s counts another use of account %(account)s."),
                **_of(said, "day", "cluster", "account"),
            )
        case DiscrepancyKind.NO_RECORD:
            return say(
                N_(
                    "Cluster %(cluster)s has not accounted task %(task_index)s of job %(scheduler_job_id)s a "
                    "day after it ended. It was charged by what the portal saw of it."
                ),
                **_of(said, "cluster", "task_index", "scheduler_job_id"),
            )
        case DiscrepancyKind.UNKNOWN_ACCOUNT:
            return say(
                N_(
                    "%(cluster_user)s made %(runs)s runs under account %(account)s of cluster %(cluster)s "
                    "that nobody pays for: %(why)s"
                ),
                **_of(said, "cluster_user", "runs", "account", "cluster"),
                why=language.text(said.get("why", "")),
            )


def _of(said: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: said.get(name, "–") for name in names}  # noqa: RUF001 - a dash for what is not known


def _amounts(facts: Mapping[str, Any], language: Language) -> list[ShownAmount]:
    expected, found = facts.get("expected"), facts.get("found")
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return [
            ShownAmount(
                language.gettext(name),
                language.number(int(expected.get(key, 0)) // _SECONDS_PER_HOUR),
                language.number(int(found.get(key, 0)) // _SECONDS_PER_HOUR),
            )
            for key, name in _MEASURES.items()
            if expected.get(key) != found.get(key)
        ]
    if isinstance(expected, int) and isinstance(found, int):
        asset = language.resource(str(facts.get("asset", "")))
        return [ShownAmount(asset, language.number(expected), language.number(found))]
    return []


def _checked(check: Checked, language: Language) -> dict[str, object]:
    name = check.name.removeprefix("cluster:")
    title = (
        language.gettext(N_("Compared with the accounting of cluster %(cluster)s"), cluster=name)
        if name != check.name
        else language.gettext(N_("Ledger, closed months and roll-ups"))
    )
    days = ", ".join(check.facts.get("days", [])) or " – ".join(  # noqa: RUF001 - from and to
        str(check.facts[end]) for end in ("since", "until") if end in check.facts
    )
    return {
        "title": title,
        "checked_at": check.checked_at,
        "days": days,
        "found": int(check.facts.get("found", 0)),
    }
