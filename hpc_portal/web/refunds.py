"""Refunds as pages: asked on a job's cost tab, listed for people, decided by administrators."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.budgets.decide_refund_case import decide_refund_case
from hpc_portal.app.budgets.raise_refund_case import raise_refund_case, withdraw_refund_case
from hpc_portal.app.budgets.refund_cases import JobRefunds, ListedCase, job_refunds, list_cases
from hpc_portal.app.budgets.tables import RefundCaseState
from hpc_portal.app.errors import InvalidEntry, RefundCaseRefused
from hpc_portal.app.permissions import Action, may
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.language import Language
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_quota import asset_label, show_asset
from hpc_portal.web.words import Word
from quotas.errors import RefundRefused
from quotas.money import VND
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_DECIDED_SHOWN = 50
STATES: Mapping[RefundCaseState, Word] = {
    RefundCaseState.OPEN: Word("hourglass", N_("Waits for a decision"), "wait"),
    RefundCaseState.APPROVED: Word("circle-check", N_("Approved"), "good"),
    RefundCaseState.PARTLY_APPROVED: Word("circle-check", N_("Partly approved"), "good"),
    RefundCaseState.DENIED: Word("circle-x", N_("Denied"), "bad"),
    RefundCaseState.WITHDRAWN: Word("refresh", N_("Withdrawn"), "off"),
}


@dataclass(frozen=True, slots=True)
class ShownCase:
    """One case in the reader's words."""

    case: ListedCase
    state: Word
    asked_vnd: str
    """What the share would be, of the charge."""


@dataclass(frozen=True, slots=True)
class RefundRow:
    """One asset of a job: charged, given back, and never charged."""

    label: str
    charged: str
    refunded: str
    waived: str


@dataclass(frozen=True, slots=True)
class ShownRefunds:
    """What a job's cost tab says about refunds."""

    rows: tuple[RefundRow, ...]
    """Empty when nothing came back and nothing was left uncharged."""
    waived_runs: int
    cases: tuple[ShownCase, ...]
    can_ask: bool


def show_refunds(services: Services, actor: Actor, job_id: UUID, language: Language) -> ShownRefunds:
    """Of one job that the reader may see."""
    with services.reading() as session:
        found = job_refunds(session, actor, job_id)
    return ShownRefunds(
        _rows(found, language),
        found.waived_runs,
        tuple(_shown(case, language) for case in found.cases),
        found.can_ask,
    )


@router.get("/refunds")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Open cases, the longest-waiting first, and what was decided lately."""
    return _page(request, actor, services, [], {})


@router.post("/jobs/{job_id}/refunds")
async def ask(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """Ask for a share of what the job was charged."""
    form = await request.form()
    percent, reason = _percent(str(form.get("percent", ""))), str(form.get("reason", ""))

    def deed() -> object:
        return raise_refund_case(services, actor, job_id, percent=percent, reason=reason)

    return await _do(request, actor, services, deed, back=f"/jobs/{job_id}/cost")


@router.post("/refunds/{case_id}/withdraw")
async def withdraw(
    request: Request, actor: CurrentActor, services: PortalServices, case_id: UUID
) -> Response:
    """Take a case back."""
    return await _do(request, actor, services, lambda: withdraw_refund_case(services, actor, case_id))


@router.post("/refunds/{case_id}/decide")
async def decide(request: Request, actor: CurrentActor, services: PortalServices, case_id: UUID) -> Response:
    """Give back the share in the form; the other button denies."""
    form = await request.form()
    percent = 0 if form.get("deed") == "deny" else _percent(str(form.get("percent", "")))
    reason = str(form.get("reason", ""))

    def deed() -> object:
        return decide_refund_case(services, actor, case_id, percent=percent, reason=reason)

    return await _do(request, actor, services, deed)


async def _do(
    request: Request, actor: Actor, services: Services, deed: Callable[[], object], *, back: str = "/refunds"
) -> Response:
    """Do it and go back; or show the list with what is in the way."""

    def work() -> Response:
        try:
            deed()
        except (InvalidEntry, RefundCaseRefused, RefundRefused) as error:
            problems = problems_of(error, pages_of(request).language(request))
            return _page(request, actor, services, problems, {"back": back})
        return RedirectResponse(back, HTTPStatus.SEE_OTHER)

    return await asyncio.to_thread(work)


def _page(
    request: Request,
    actor: Actor,
    services: Services,
    problems: list[ShownProblem],
    facts: Mapping[str, object],
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        waiting = list_cases(session, actor)
        every = list_cases(session, actor, state=None, limit=_DECIDED_SHOWN)
    decided = [case for case in every if case.state is not RefundCaseState.OPEN]
    shown = {
        "waiting": [_shown(case, language) for case in waiting],
        "decided": [_shown(case, language) for case in decided],
        "may_decide": may(actor, Action.GRANT),
        "problems": problems,
        **facts,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return pages.render(request, "refunds.html", shown, status=status)


def _shown(case: ListedCase, language: Language) -> ShownCase:
    return ShownCase(case, STATES[case.state], language.vnd(case.charged_vnd * case.asked_percent // 100))


def _rows(found: JobRefunds, language: Language) -> tuple[RefundRow, ...]:
    if not found.refunded and not found.waived:
        return ()
    assets = {*found.charged, *found.refunded, *found.waived}

    def show_part(part: Mapping[str, int], asset: str) -> str:
        return show_asset(asset, part[asset], language) if part.get(asset) else ""

    return tuple(
        RefundRow(
            asset_label(asset, language),
            show_part(found.charged, asset),
            show_part(found.refunded, asset),
            show_part(found.waived, asset),
        )
        for asset in sorted(assets, key=lambda asset: (asset != VND, asset))
    )


def _percent(text: str) -> int:
    """Zero for what is no number: the verb says what to enter."""
    return int(text) if text.strip().isdecimal() and len(text) < len("1000") + 1 else -1
