"""How one signs in and is reached, on the settings page: another password, another e-mail address."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.change_email import Proof, ask_for_email, confirm_email
from hpc_portal.app.accounts.change_settings import change_password
from hpc_portal.app.accounts.secret import hash_secret
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices
from hpc_portal.auth.errors import TooManyAttempts
from hpc_portal.auth.present_password import count_guesses
from hpc_portal.auth.sessions import session_secret
from hpc_portal.web.render import pages_of
from hpc_portal.web.settings import settings_page
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_NOT_THE_SAME = N_("The new password was typed in two ways. Type it again.")


@router.post("/settings/password")
async def set_password(
    request: Request, actor: CurrentActor, services: PortalServices, identities: KnownIdentities
) -> Response:
    """Store it, and sign every other browser out."""
    form = {name: str(value) for name, value in (await request.form()).items()}

    def store() -> None:
        if form.get("new", "") != form.get("again", ""):
            raise InvalidEntry([Problem("again", _NOT_THE_SAME)])
        present, keep = form.get("present", ""), _this_session(request)
        change_password(services, actor, present=present, new=form.get("new", ""), keep=keep)

    try:
        await asyncio.to_thread(count_guesses, request, actor, store)
    except (InvalidEntry, TooManyAttempts) as error:
        return await _refused(request, actor, services, error)
    identities.forget()
    return RedirectResponse("/settings?saved=true#password", HTTPStatus.SEE_OTHER)


@router.post("/settings/email")
async def set_email(
    request: Request, actor: CurrentActor, services: PortalServices, identities: KnownIdentities
) -> Response:
    """Mail a link to the new address; where no mail is sent, store it."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    proof = Proof(form.get("present", ""), _this_session(request))

    def ask() -> bool:
        return ask_for_email(services, actor, form.get("email", ""), proof)

    try:
        is_changed = await asyncio.to_thread(count_guesses, request, actor, ask)
    except (InvalidEntry, TooManyAttempts) as error:
        return await _refused(request, actor, services, error)
    identities.forget()
    return RedirectResponse(f"/settings{'?saved=true' if is_changed else ''}#profile", HTTPStatus.SEE_OTHER)


@router.get("/settings/email/{secret}")
def show_link(request: Request, actor: CurrentActor, secret: str) -> Response:
    """Ask once more: programs that look at mails open links, too."""
    del actor  # known to the template by the request
    return pages_of(request).render(request, "settings/confirm_email.html", {"secret": secret})


@router.post("/settings/email/{secret}")
async def confirm(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    identities: KnownIdentities,
    secret: str,
) -> Response:
    """Take the address, and sign every other browser out."""
    keep = _this_session(request)
    await asyncio.to_thread(lambda: confirm_email(services, actor, secret, keep=keep))
    identities.forget()
    return RedirectResponse("/settings?saved=true#profile", HTTPStatus.SEE_OTHER)


async def _refused(
    request: Request, actor: Actor, services: Services, error: InvalidEntry | TooManyAttempts
) -> Response:
    return await asyncio.to_thread(lambda: settings_page(request, actor, services, error=error))


def _this_session(request: Request) -> str:
    return hash_secret(session_secret(request))
