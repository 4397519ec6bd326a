"""What limits hold for the reader, where they come from, and a form for those who may set some."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from hpc_portal.app import permissions
from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, NotAllowed, NotFound, PortalError, Problem
from hpc_portal.app.limits.queries import effective_limits_of_each, set_limits
from hpc_portal.app.limits.set import change_limit
from hpc_portal.app.limits.target import Target
from hpc_portal.app.offered import chosen
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.price_form import number_of
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_limits import LEVELS, LIMIT_KINDS, show_effective, show_set
from quotas.errors import QuotaError
from quotas.limits import LimitKind, LimitOwner
from schedulers.errors import InvalidJobSpec
from schedulers.units import parse_walltime
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_FIELDS = (
    *("level", "organisation", "project", "user", "everybody"),
    *("kind", "gpu_type", "value", "reason"),
)
_IN_A_PROJECT = (LimitOwner.PROJECT, LimitOwner.MEMBER)


@router.get("/limits")
def show(
    request: Request, actor: CurrentActor, services: PortalServices, project: str = "", user: str = ""
) -> Response:
    """The reader's own projects; or one project, for one person of it."""
    return _page(request, actor, services, project=project, user=user)


@router.post("/limits")
async def change(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Set a limit, or take it away where no value is given."""
    form = await request.form()

    def work() -> Response:
        try:
            change_limit(
                services,
                actor,
                _target(form),
                kind=_kind(form),
                value=_value(form),
                gpu_type=_text(form, "gpu_type"),
                reason=_text(form, "reason"),
            )
        except (NotFound, NotAllowed):
            raise
        except (PortalError, QuotaError) as error:
            problems = problems_of(error, pages_of(request).language(request))
            return _page(request, actor, services, problems=problems, entered=form)
        return RedirectResponse("/limits", HTTPStatus.SEE_OTHER)

    return await asyncio.to_thread(work)


def _page(  # noqa: PLR0913 - a page with a form and what went wrong in it
    request: Request,
    actor: Actor,
    services: Services,
    *,
    project: str = "",
    user: str = "",
    problems: Sequence[ShownProblem] = (),
    entered: FormData | None = None,
) -> Response:
    pages = pages_of(request)
    language = pages.language(request)
    with services.reading() as session:
        visible = list_visible_projects(session, actor)
        accounts = [project] if project else [item.account for item in visible if item.role is not None]
        found = effective_limits_of_each(session.connection(), actor, accounts, user)
        everything = set_limits(session.connection(), actor)
    administers = permissions.may(actor, Action.GRANT)
    may_set = permissions.may_somewhere(actor, Action.SET_LIMITS)
    facts = {
        "projects": [(one.project, one.user, show_effective(one.limits, language)) for one in found],
        "choices": [item.account for item in visible],
        "chosen": project,
        "set": show_set(everything, language),
        "levels": [(level, text) for level, text in LEVELS.items() if administers or level in _IN_A_PROJECT],
        "kinds": list(LIMIT_KINDS.items()),
        "administers": administers,
        "may_set": may_set,
        "problems": problems,
        "entered": {name: _text(entered, name) if entered else "" for name in _FIELDS},
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return pages.render(request, "limits/limits.html", facts, status=status)


def _target(form: FormData) -> Target:
    return Target(
        level=chosen(LimitOwner, _text(form, "level"), "level"),
        organisation=_text(form, "organisation"),
        project=_text(form, "project"),
        user=_text(form, "user"),
        everybody="everybody" in form,
    )


def _kind(form: FormData) -> LimitKind:
    return chosen(LimitKind, _text(form, "kind"), "kind")


def _value(form: FormData) -> int | None:
    """A number, of a time limit also `72:00:00`; None where the limit shall be taken away."""
    text = _text(form, "value")
    if "remove" in form:
        return None
    if _text(form, "kind") == LimitKind.WALLTIME_SECONDS and ":" in text:
        try:
            return parse_walltime(text)
        except InvalidJobSpec:
            wrong = Problem("value", N_("Write a time limit as hours:minutes:seconds."))
            raise InvalidEntry([wrong]) from None
    return number_of(form, "value")


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip()
