"""Where an invitation's link leads: whoever holds it accepts, with the account they have or a new one."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.errors import InvalidEntry, InvitationOver, NameTaken
from hpc_portal.app.tenants.accept_invitation import (
    NewPerson,
    accept_as_new_person,
    accept_invitation,
    show_invitation,
)
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, MaybeActor, PortalServices
from hpc_portal.auth.errors import TooManyAttempts
from hpc_portal.auth.sign_in import enter
from hpc_portal.auth.throttle import SignInThrottle
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_forms import text_of
from hpc_portal.web.tenant_words import ROLES

router = APIRouter(include_in_schema=False)


@router.get("/invitations/{secret}")
def show(request: Request, actor: MaybeActor, services: PortalServices, secret: str) -> Response:
    """What is offered; to look at it uses nothing up."""
    del actor  # known to the template by the request
    return _page(request, services, secret)


@router.post("/invitations/{secret}/accept")
async def accept(
    actor: CurrentActor, services: PortalServices, identities: KnownIdentities, secret: str
) -> Response:
    """Take the place with the account that is signed in."""
    joined = await asyncio.to_thread(accept_invitation, services, actor, secret)
    identities.forget()
    where = f"/projects/{joined.account}" if joined.account else f"/organisations/{joined.organisation}"
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)


@router.post("/invitations/{secret}/join")
async def join(request: Request, services: PortalServices, secret: str) -> Response:
    """Make an account, take the place, and sign in."""
    request.state.actor = None
    form = await request.form()
    password = str(form.get("password", ""))
    entered = {name: text_of(form, name) for name in ("username", "display_name")}
    language = pages_of(request).language(request)
    person = NewPerson(**entered, password=password, locale=language.code)
    throttle: SignInThrottle = request.app.state.throttle
    trying = (f"invitation:{secret}", request.client.host if request.client else "")
    try:
        turn = await asyncio.to_thread(throttle.take_turn, *trying)  # the form would tell who has an account
        joined = await asyncio.to_thread(accept_as_new_person, services, secret, person)
    except (InvalidEntry, NameTaken, TooManyAttempts) as error:
        if isinstance(error, NameTaken):
            await asyncio.to_thread(throttle.failed, turn)
        elif isinstance(error, InvalidEntry):
            await asyncio.to_thread(throttle.take_back, turn)
        problems = problems_of(error, language)
        response = await asyncio.to_thread(_page, request, services, secret, entered, problems)
        is_throttled = isinstance(error, TooManyAttempts)
        response.status_code = (
            HTTPStatus.TOO_MANY_REQUESTS if is_throttled else HTTPStatus.UNPROCESSABLE_ENTITY
        )
        return response
    where = f"/projects/{joined.account}" if joined.account else f"/organisations/{joined.organisation}"
    response = RedirectResponse(where, HTTPStatus.SEE_OTHER)
    await asyncio.to_thread(throttle.succeeded, turn)
    await enter(request, response, joined.user_id)
    return response


def _page(
    request: Request,
    services: PortalServices,
    secret: str,
    entered: Mapping[str, str] | None = None,
    problems: Sequence[ShownProblem] = (),
) -> Response:
    offer, status = None, HTTPStatus.NOT_FOUND
    with contextlib.suppress(InvitationOver):
        offer, status = show_invitation(services, secret), HTTPStatus.OK
    facts = {
        "secret": secret,
        "offer": offer,
        "entered": entered or {},
        "problems": problems,
        "roles": ROLES,
    }
    return pages_of(request).render(request, "tenants/invitation.html", facts, status=status)
