"""Tokens, and who a token stands for."""

from http import HTTPStatus
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Request

from hpc_portal.api.people_schemas import (
    AppearanceBody,
    ConfirmEmailBody,
    EmailBody,
    EmailReply,
    IssuedTokenReply,
    MeReply,
    OrganisationReply,
    PasswordBody,
    ProjectReply,
    SessionReply,
    SignInBody,
    TokenBody,
    TokenReply,
)
from hpc_portal.api.schemas import ListReply
from hpc_portal.app.accounts.browser_sessions import end_session, list_sessions
from hpc_portal.app.accounts.change_email import Proof, ask_for_email, confirm_email
from hpc_portal.app.accounts.change_settings import change_appearance, change_display_name, change_password
from hpc_portal.app.accounts.issue_token import IssuedToken, issue_token
from hpc_portal.app.accounts.queries import list_tokens, list_visible_organisations, list_visible_projects
from hpc_portal.app.accounts.revoke_token import revoke_token
from hpc_portal.app.accounts.secret import hash_secret
from hpc_portal.app.actor import load_actor
from hpc_portal.app.errors import WrongCredentials
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices
from hpc_portal.auth.present_password import count_guesses
from hpc_portal.auth.sessions import session_secret
from hpc_portal.auth.sign_in import check_password, require_code

router = APIRouter(tags=["people"])


@router.post("/tokens/sign-in", status_code=HTTPStatus.CREATED)
async def sign_in(request: Request, services: PortalServices, body: SignInBody) -> IssuedTokenReply:
    """Exchange a password, and a one-time code where the person has a second factor, for a token.

    It is shown this once.
    """
    user_id = await check_password(request, body.username, body.password)
    await require_code(request, user_id, body.username, body.code)
    return await anyio.to_thread.run_sync(_issue_to, services, user_id, body)


def _issue_to(services: Services, user_id: UUID, body: SignInBody) -> IssuedTokenReply:
    with services.reading() as session:
        actor = load_actor(session, user_id)
    if actor is None:  # deactivated in this very moment
        raise WrongCredentials
    return issued_reply(issue_token(services, actor, name=body.name, valid_days=body.valid_days))


@router.get("/tokens")
def tokens(services: PortalServices, actor: CurrentActor) -> ListReply[TokenReply]:
    """Your tokens, newest first; revoked ones too."""
    with services.reading() as session:
        return ListReply(items=[TokenReply.model_validate(item) for item in list_tokens(session, actor)])


@router.post("/tokens", status_code=HTTPStatus.CREATED)
def create_token(services: PortalServices, actor: CurrentActor, body: TokenBody) -> IssuedTokenReply:
    """Issue a token with all your rights, or fewer; it is shown this once."""
    return issued_reply(
        issue_token(
            services,
            actor,
            name=body.name,
            valid_days=body.valid_days,
            scope=body.scope,
            project=body.project,
        )
    )


@router.delete("/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_token(
    services: PortalServices, actor: CurrentActor, identities: KnownIdentities, token_id: UUID
) -> None:
    """Revoke one of your tokens."""
    revoke_token(services, actor, token_id)
    identities.forget()


@router.get("/sessions")
def sessions(services: PortalServices, actor: CurrentActor) -> ListReply[SessionReply]:
    """The browsers in which you are signed in, newest first."""
    with services.reading() as session:
        found = list_sessions(session, actor, at=services.clock.now())
    return ListReply(items=[SessionReply.model_validate(item) for item in found])


@router.delete("/sessions/{session_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_session(
    services: PortalServices, actor: CurrentActor, identities: KnownIdentities, session_id: str
) -> None:
    """Sign one of your browsers out."""
    end_session(services, actor, session_id)
    identities.forget()


@router.get("/me")
def me(services: PortalServices, actor: CurrentActor) -> MeReply:
    """Who you are to the portal, and where you may do what."""
    with services.reading() as session:
        organisations = list_visible_organisations(session, actor)
        projects = list_visible_projects(session, actor)
    return MeReply(
        username=actor.username,
        display_name=actor.display_name,
        cluster_user=actor.cluster_user,
        cluster_accounts=dict(actor.cluster_accounts),
        locale=actor.locale,
        theme=actor.theme,
        global_role=actor.global_role,
        organisations=[OrganisationReply.model_validate(item) for item in organisations],
        projects=[ProjectReply.model_validate(item) for item in projects],
    )


@router.patch("/me", status_code=HTTPStatus.NO_CONTENT)
def change_me(
    services: PortalServices, actor: CurrentActor, identities: KnownIdentities, body: AppearanceBody
) -> None:
    """Change your name, language or theme."""
    if body.display_name is not None:
        change_display_name(services, actor, body.display_name)
    change_appearance(services, actor, locale=body.locale, theme=body.theme)
    identities.forget()


@router.post("/me/password", status_code=HTTPStatus.NO_CONTENT)
def set_password(
    request: Request,
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    body: PasswordBody,
) -> None:
    """Change your password; ends all your other browser sessions."""
    keep = hash_secret(session_secret(request))
    count_guesses(
        request,
        actor,
        lambda: change_password(services, actor, present=body.present, new=body.new, keep=keep),
    )
    identities.forget()


@router.post("/me/email", status_code=HTTPStatus.ACCEPTED)
def set_email(
    request: Request,
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    body: EmailBody,
) -> EmailReply:
    """Change your e-mail address: a link is mailed to the new one, where the portal sends mail.

    Who has no password here needs a browser session that was opened within a quarter of an hour.
    """
    proof = Proof(body.password, hash_secret(session_secret(request)))
    is_changed = count_guesses(request, actor, lambda: ask_for_email(services, actor, body.email, proof))
    identities.forget()
    return EmailReply(is_changed=is_changed)


@router.post("/me/email/confirm", status_code=HTTPStatus.NO_CONTENT)
def confirm_my_email(
    request: Request,
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    body: ConfirmEmailBody,
) -> None:
    """Take the new address; ends all your other browser sessions."""
    confirm_email(services, actor, body.secret, keep=hash_secret(session_secret(request)))
    identities.forget()


def issued_reply(token: IssuedToken) -> IssuedTokenReply:
    """A new token with its secret."""
    return IssuedTokenReply(
        id=token.id,
        name=token.name,
        token=token.secret,
        created_at=token.created_at,
        expires_at=token.expires_at,
    )
