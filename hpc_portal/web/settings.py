"""One's own settings: name, language, theme, notices, API tokens, and where one is signed in."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from uuid import UUID

import segno
from fastapi import APIRouter, Request
from sqlmodel import Session, col, select
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.browser_sessions import end_other_sessions, end_session, list_sessions
from hpc_portal.app.accounts.change_email import waiting_email
from hpc_portal.app.accounts.change_settings import change_appearance, change_display_name
from hpc_portal.app.accounts.issue_token import IssuedToken, issue_token
from hpc_portal.app.accounts.queries import list_tokens, list_visible_projects
from hpc_portal.app.accounts.revoke_token import revoke_token
from hpc_portal.app.accounts.second_factor import Offered, has_second_factor
from hpc_portal.app.accounts.secret import hash_secret
from hpc_portal.app.accounts.tables import ExternalIdentity
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, PortalError
from hpc_portal.app.notices.choices import choices_of
from hpc_portal.app.notices.webhooks import webhook_of
from hpc_portal.app.services import Services
from hpc_portal.app.tables import TokenScope, User
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices
from hpc_portal.auth.errors import TooManyAttempts
from hpc_portal.auth.form_seed import seed_of
from hpc_portal.auth.sessions import is_secure, session_secret
from hpc_portal.web.cookies import LOCALE_COOKIE, THEME_COOKIE, remember
from hpc_portal.web.problems import problems_of
from hpc_portal.web.render import THEMES, pages_of
from hpc_portal.web.show_device import device_of
from hpc_portal.web.show_notice_choices import PACES, show_choices
from hpc_portal.web.sign_in import name_of
from hpc_portal.web.token_scope import SCOPES, read_scope
from workloads.template import N_

router = APIRouter(include_in_schema=False)

SECTIONS = (
    ("profile", "user", N_("Profile")),
    ("password", "lock", N_("Password")),
    ("appearance", "language", N_("Language and theme")),
    ("notices", "bell", N_("Notices")),
    ("webhook", "plug-connected", N_("Webhook")),
    ("second-factor", "lock", N_("One-time codes")),
    ("identity", "user", N_("The city's identity")),
    ("tokens", "key", N_("API tokens")),
    ("sessions", "device-desktop", N_("Signed-in browsers")),
)
"""Anchor, icon and heading of each part of the page; each has a template of that name."""


@router.get("/settings")
def show(request: Request, actor: CurrentActor, services: PortalServices, saved: bool = False) -> Response:  # noqa: FBT001, FBT002 - a flag in the URL
    """All of it."""
    return settings_page(request, actor, services, saved=saved)


@router.post("/settings")
async def change(
    request: Request, actor: CurrentActor, services: PortalServices, identities: KnownIdentities
) -> Response:
    """Store language and theme with the account, and let this browser use them at once."""
    form = await request.form()
    locale, theme = str(form.get("locale", "")), str(form.get("theme", ""))
    await asyncio.to_thread(
        lambda: change_appearance(services, actor, locale=locale or None, theme=theme or None)
    )
    identities.forget()
    response = RedirectResponse("/settings?saved=true#appearance", HTTPStatus.SEE_OTHER)
    for name, value in ((LOCALE_COOKIE, locale), (THEME_COOKIE, theme)):
        if value:
            remember(response, name, value, secure=is_secure(services.settings))
    return response


@router.post("/settings/profile")
async def change_profile(
    request: Request, actor: CurrentActor, services: PortalServices, identities: KnownIdentities
) -> Response:
    """Store how one is called."""
    name = str((await request.form()).get("display_name", ""))
    try:
        await asyncio.to_thread(change_display_name, services, actor, name)
    except PortalError as error:
        problem = error
        return await asyncio.to_thread(lambda: settings_page(request, actor, services, error=problem))
    identities.forget()
    return RedirectResponse("/settings?saved=true#profile", HTTPStatus.SEE_OTHER)


@router.post("/settings/tokens")
async def create_token(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """A new token, shown in the answer and never again."""
    form = await request.form()
    wish = {name: str(form.get(name, "")) for name in ("name", "scope", "project", "days")}
    seed = await seed_of(request)
    try:
        token = await asyncio.to_thread(_issue, services, actor, wish, seed)
    except InvalidEntry as error:
        problem = error
        return await asyncio.to_thread(lambda: settings_page(request, actor, services, error=problem))
    return await asyncio.to_thread(lambda: settings_page(request, actor, services, new_token=token.secret))


@router.post("/settings/tokens/{token_id}/revoke")
async def revoke(
    actor: CurrentActor, services: PortalServices, identities: KnownIdentities, token_id: UUID
) -> Response:
    """End a token for good."""
    await asyncio.to_thread(revoke_token, services, actor, token_id)
    identities.forget()
    return RedirectResponse("/settings#tokens", HTTPStatus.SEE_OTHER)


@router.post("/settings/sessions/end")
async def end_sessions(
    request: Request, actor: CurrentActor, services: PortalServices, identities: KnownIdentities
) -> Response:
    """Sign one browser out, or all but this one."""
    session_id = str((await request.form()).get("session", ""))
    if session_id:
        await asyncio.to_thread(end_session, services, actor, session_id)
    else:
        keep = hash_secret(session_secret(request))
        await asyncio.to_thread(lambda: end_other_sessions(services, actor, keep=keep))
    identities.forget()
    return RedirectResponse("/settings#sessions", HTTPStatus.SEE_OTHER)


def _issue(services: Services, actor: Actor, wish: Mapping[str, str], seed: bytes) -> IssuedToken:
    days = wish["days"].strip()
    return issue_token(
        services,
        actor,
        name=wish["name"],
        valid_days=(int(days) if days.isascii() and days.isdigit() else 0) if days else None,
        scope=read_scope(wish["scope"] or TokenScope.EVERYTHING),
        project=wish["project"],
        seed=seed,
    )


def settings_page(  # noqa: PLR0913 - what one of the forms has to say
    request: Request,
    actor: Actor,
    services: Services,
    *,
    saved: bool = False,
    new_token: str = "",
    new_secret: str = "",
    error: PortalError | TooManyAttempts | None = None,
    webhook_url: str | None = None,
    offered: Offered | None = None,
    papers: Sequence[str] = (),
) -> Response:
    """The whole page, with what a form on it has to say: that it was stored, a secret, or what is wrong."""
    pages = pages_of(request)
    with services.reading() as session:
        facts = _stored(session, actor, services)
    webhook = facts["webhook"]
    facts |= {
        "sections": [part for part in SECTIONS if part[0] != "identity" or services.settings.identity],
        "offered": offered,
        "offered_qr": offered and segno.make(offered.uri).svg_data_uri(border=2, scale=4, light="white"),
        "papers": papers,
        "saved": saved,
        "new_token": new_token,
        "new_secret": new_secret,
        "problems": problems_of(error, pages.language(request)) if error else [],
        "webhook_url": webhook_url if webhook_url is not None else getattr(webhook, "url", ""),
        "this_session": hash_secret(session_secret(request)),
        "theme_choices": THEMES,
        "sends_mail": services.settings.smtp is not None,
        "paces": PACES,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    return pages.render(request, "settings/page.html", facts, status=status)


def _linked(session: Session, actor: Actor, services: Services) -> ExternalIdentity | None:
    identity = services.settings.identity
    if identity is None:
        return None
    mine = select(ExternalIdentity).where(
        col(ExternalIdentity.user_id) == actor.user_id, col(ExternalIdentity.issuer) == identity.issuer
    )
    return session.exec(mine).first()


def _stored(session: Session, actor: Actor, services: Services) -> dict[str, object]:
    user = session.get_one(User, actor.user_id)
    sessions = list_sessions(session, actor, at=services.clock.now())
    return {
        "display_name": user.display_name,
        "email": user.email,
        "waiting_email": waiting_email(session, actor, at=services.clock.now()),
        "has_password": bool(user.password_hash),
        "tokens": list_tokens(session, actor),
        "token_scopes": SCOPES.items(),
        "own_projects": [
            one.account for one in list_visible_projects(session, actor) if one.id in actor.projects
        ],
        "sessions": [(one, device_of(one.user_agent)) for one in sessions],
        "choices": show_choices(choices_of(session, actor)),
        "webhook": webhook_of(session, actor),
        "has_second_factor": has_second_factor(session.connection(), actor.user_id),
        "linked_identity": _linked(session, actor, services),
        "identity_name": name_of(services.settings.identity),
    }
