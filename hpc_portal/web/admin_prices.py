"""What administrators do about prices: drafts, publications, subsidies and programmes."""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotAllowed, PortalError
from hpc_portal.app.permissions import Action
from hpc_portal.app.prices import queries
from hpc_portal.app.prices.draft import change_draft, discard_draft, draft_prices
from hpc_portal.app.prices.publish import publish_draft, retire_prices
from hpc_portal.app.prices.subsidise import (
    add_to_programme,
    create_programme,
    end_rule,
    make_rule,
    remove_from_programme,
)
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.price_form import basis_points_of, instant_of, number_of, read_items, rows_of
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_prices import KINDS, show_lists, show_review, show_rules
from quotas.errors import QuotaError
from quotas.tables import OrganisationKind
from schedulers.errors import InvalidJobSpec

router = APIRouter(include_in_schema=False)

Number = Annotated[int, Path(ge=0, lt=2**31)]
_REFUSALS = (PortalError, QuotaError, InvalidJobSpec)


@router.get("/admin/prices")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Lists, drafts, subsidies and programmes; auditors see them, too."""
    return _page(request, actor, services)


@router.post("/admin/prices/drafts")
async def add_draft(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Open a draft that begins as a copy of the prices in force."""
    form = await request.form()

    def work() -> Response:
        try:
            draft = draft_prices(services, actor, name=_text(form, "name"))
        except NotAllowed:
            raise
        except _REFUSALS as error:
            return _page(request, actor, services, problems=_problems(request, error))
        return RedirectResponse(f"/admin/prices/drafts/{draft}", HTTPStatus.SEE_OTHER)

    return await asyncio.to_thread(work)


@router.get("/admin/prices/drafts/{draft_id}")
def show_draft(request: Request, actor: CurrentActor, services: PortalServices, draft_id: Number) -> Response:
    """A draft as a form, and beside it what publishing it would change."""
    return _draft_page(request, actor, services, draft_id)


@router.post("/admin/prices/drafts/{draft_id}")
async def save_draft(
    request: Request, actor: CurrentActor, services: PortalServices, draft_id: Number
) -> Response:
    """Store what was entered; or throw the draft away."""
    form = await request.form()

    def work() -> Response:
        try:
            if "discard" in form:
                discard_draft(services, actor, draft_id)
                return _back()
            items = read_items(form)
            edition = number_of(form, "edition")
            change_draft(services, actor, draft_id, name=_text(form, "name"), items=items, edition=edition)
        except NotAllowed:
            raise
        except _REFUSALS as error:
            return _draft_page(
                request, actor, services, draft_id, problems=_problems(request, error), form=form
            )
        return RedirectResponse(f"/admin/prices/drafts/{draft_id}", HTTPStatus.SEE_OTHER)

    return await asyncio.to_thread(work)


@router.post("/admin/prices/drafts/{draft_id}/publish")
async def publish(
    request: Request, actor: CurrentActor, services: PortalServices, draft_id: Number
) -> Response:
    """Publish a draft just as it was shown, now or from a later instant on."""
    form = await request.form()

    def work() -> Response:
        try:
            publish_draft(
                services,
                actor,
                draft_id,
                edition=number_of(form, "edition"),
                seen=number_of(form, "seen"),
                valid_from=instant_of(form, "valid_from"),
            )
        except NotAllowed:
            raise
        except _REFUSALS as error:
            return _draft_page(request, actor, services, draft_id, problems=_problems(request, error))
        return _back()

    return await asyncio.to_thread(work)


@router.post("/admin/prices/lists/{version}/retire")
async def retire(
    request: Request, actor: CurrentActor, services: PortalServices, version: Number
) -> Response:
    """Let a published list price no new job."""
    return await _do(
        request,
        actor,
        services,
        lambda form: retire_prices(services, actor, version, reason=_text(form, "reason")),
    )


@router.post("/admin/prices/subsidies")
async def add_subsidy(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Make a rule."""

    def make(form: FormData) -> None:
        kind = _text(form, "organisation_kind")
        make_rule(
            services,
            actor,
            basis_points=basis_points_of(form, "percent"),
            organisation=_text(form, "organisation") or None,
            programme=_text(form, "programme") or None,
            organisation_kind=OrganisationKind(kind) if kind in set(OrganisationKind) else None,
            cap_vnd=number_of(form, "cap_vnd") if _text(form, "cap_vnd") else None,
            valid_from=instant_of(form, "valid_from"),
            valid_to=instant_of(form, "valid_to"),
            reason=_text(form, "reason"),
        )

    return await _do(request, actor, services, make)


@router.post("/admin/prices/subsidies/{rule_id}/end")
async def end_subsidy(
    request: Request, actor: CurrentActor, services: PortalServices, rule_id: Number
) -> Response:
    """End a rule now."""
    return await _do(
        request,
        actor,
        services,
        lambda form: end_rule(services, actor, rule_id, reason=_text(form, "reason")),
    )


@router.post("/admin/prices/programmes")
async def add_programme(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Name a programme."""
    return await _do(
        request,
        actor,
        services,
        lambda form: create_programme(services, actor, slug=_text(form, "slug"), name=_text(form, "name")),
    )


@router.post("/admin/prices/programmes/{programme}")
async def change_programme(
    request: Request, actor: CurrentActor, services: PortalServices, programme: str
) -> Response:
    """Let a project take part, or end its part."""

    def change(form: FormData) -> None:
        deed = remove_from_programme if "remove" in form else add_to_programme
        deed(services, actor, programme=programme, account=_text(form, "project"))

    return await _do(request, actor, services, change)


async def _do(
    request: Request, actor: Actor, services: Services, deed: Callable[[FormData], object]
) -> Response:
    form = await request.form()

    def work() -> Response:
        try:
            deed(form)
        except NotAllowed:
            raise
        except _REFUSALS as error:
            return _page(request, actor, services, problems=_problems(request, error))
        return _back()

    return await asyncio.to_thread(work)


def _page(
    request: Request, actor: Actor, services: Services, *, problems: Sequence[ShownProblem] = ()
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    with services.engine.connect() as connection:
        drafts = queries.drafts(connection, actor)
        lists = queries.price_lists(connection, now)
        rules = queries.subsidy_rules(connection, actor, now)
        programmes = queries.programmes(connection, actor)
    facts = {
        "drafts": drafts,
        "lists": show_lists(lists, language),
        "rules": show_rules(rules, language),
        "programmes": programmes,
        "kinds": KINDS,
        "problems": problems,
        "may_change": permissions.may(actor, Action.GRANT),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return pages.render(request, "prices/admin.html", facts, status=status)


def _draft_page(  # noqa: PLR0913 - a form and what went wrong in it
    request: Request,
    actor: Actor,
    services: Services,
    draft_id: Number,
    *,
    problems: Sequence[ShownProblem] = (),
    form: FormData | None = None,
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    with services.engine.connect() as connection:
        review = queries.review_draft(services, connection, actor, draft_id)
    facts = {
        "draft": review.draft,
        "latest": review.latest,
        "review": show_review(review, language),
        "rows": rows_of(review.draft.items, form),
        "name": _text(form, "name") if form else review.draft.name,
        "problems": problems,
        "may_change": permissions.may(actor, Action.GRANT),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return pages.render(request, "prices/draft.html", facts, status=status)


def _problems(request: Request, error: Exception) -> list[ShownProblem]:
    return problems_of(error, pages_of(request).language(request))


def _back() -> Response:
    return RedirectResponse("/admin/prices", HTTPStatus.SEE_OTHER)


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip()
