"""Which ends of runs are paid for, as a page of administrators: one row and one form for each end."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.budgets.end_rules import WantedRule, decide_end_rule, read_end_rules
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.problems import problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.words import STATES, Word
from quotas.end_states import EndRule
from quotas.errors import InvalidAmount
from schedulers.jobstate import JobState
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_PAGE = "/admin/prices/end-rules"
_SECONDS_PER_HOUR = 3600
_LONGEST_NUMBER = 6


@dataclass(frozen=True, slots=True)
class ShownRule:
    """One row, with what was entered into its form."""

    state: JobState
    word: Word
    is_default: bool
    is_charged: bool
    charged: str
    """`yes` or `no`, as entered."""
    free_seconds: int
    hours: str
    reason: str = ""


@router.get(_PAGE)
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Every end, and whether it is paid for."""
    return _page(request, actor, services)


@router.post(f"{_PAGE}/{{state}}")
async def decide(
    request: Request, actor: CurrentActor, services: PortalServices, state: JobState
) -> Response:
    """Decide for one end."""
    form = await request.form()

    def deed() -> Response:
        try:
            wanted = WantedRule(state, form.get("charged") == "yes", _free_seconds(form))
            decide_end_rule(services, actor, wanted, reason=_text(form, "reason"))
        except (InvalidEntry, InvalidAmount) as error:
            return _page(request, actor, services, state=state, form=form, error=error)
        return RedirectResponse(f"{_PAGE}#{state.value}", HTTPStatus.SEE_OTHER)

    return await asyncio.to_thread(deed)


def _page(  # noqa: PLR0913 - the page, or the page with what was wrong
    request: Request,
    actor: Actor,
    services: Services,
    *,
    state: JobState | None = None,
    form: FormData | None = None,
    error: InvalidEntry | InvalidAmount | None = None,
) -> Response:
    with services.reading() as session:
        rules = read_end_rules(session, actor)
    pages = pages_of(request)
    facts = {
        "rules": [_shown(rule, form if rule.state is state else None) for rule in rules],
        "may_decide": permissions.may_somewhere(actor, Action.GRANT),
        "problems": problems_of(error, pages.language(request)) if error else [],
        "wrong": state,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    return pages.render(request, "admin/end_rules.html", facts, status=status)


def _shown(rule: EndRule, form: FormData | None) -> ShownRule:
    free = rule.free_seconds_per_job or 0
    entered = {} if form is None else {name: _text(form, name) for name in ("charged", "hours", "reason")}
    return ShownRule(
        rule.state,
        STATES[rule.state],
        rule.is_default,
        rule.is_charged,
        charged=entered.get("charged", "yes" if rule.is_charged else "no"),
        free_seconds=free,
        hours=entered.get("hours", f"{free / _SECONDS_PER_HOUR:g}" if free else ""),
        reason=entered.get("reason", ""),
    )


def _free_seconds(form: FormData) -> int | None:
    """Hours as they were entered; None for none, and where all of it is free anyway."""
    text = _text(form, "hours")
    if not text or form.get("charged") != "yes":
        return None
    if not text.isdecimal() or len(text) > _LONGEST_NUMBER:
        raise InvalidEntry([Problem("hours", N_("Enter whole hours, such as 24, or nothing."))])
    return int(text) * _SECONDS_PER_HOUR or None


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip()
