"""Sign in and out: throttle, password, code; then a session for the browser or an id for a token."""

from uuid import UUID

import anyio.to_thread
from sqlalchemy import select
from sqlmodel import col
from starlette.requests import Request
from starlette.responses import Response

from hpc_portal.app.accounts.authenticate import authenticate
from hpc_portal.app.accounts.pending_sign_in import keep_sign_in, take_sign_in
from hpc_portal.app.accounts.second_factor import has_second_factor, use_code
from hpc_portal.app.errors import SecondFactorNeeded, WrongCode, WrongCredentials
from hpc_portal.app.services import Services
from hpc_portal.app.tables import GlobalRole, User
from hpc_portal.auth.identify import Identities
from hpc_portal.auth.known_browsers import known_secret, remember_browser, set_known_cookie
from hpc_portal.auth.sessions import (
    clear_pending_cookie,
    clear_session_cookie,
    close_session,
    open_session,
    pending_secret,
    session_secret,
    set_pending_cookie,
    set_session_cookie,
)
from hpc_portal.auth.throttle import SignInThrottle


async def check_password(request: Request, username: str, password: str) -> UUID:
    """The id of the person with this name and password.

    Raises:
        WrongCredentials: either is wrong.
        TooManyAttempts: it failed too often from this address.
    """
    services: Services = request.app.state.services
    throttle: SignInThrottle = request.app.state.throttle
    address = request.client.host if request.client else ""
    browser = known_secret(request)
    turn = await anyio.to_thread.run_sync(lambda: throttle.take_turn(username, address, browser=browser))
    try:
        user_id = await anyio.to_thread.run_sync(authenticate, services, username, password)
    except WrongCredentials:
        await anyio.to_thread.run_sync(throttle.failed, turn)
        raise
    await anyio.to_thread.run_sync(throttle.succeeded, turn)
    identity = services.settings.identity
    if identity and identity.local_sign_in == "administrators":
        await anyio.to_thread.run_sync(_require_administrator, services, user_id)
    return user_id


def _require_administrator(services: Services, user_id: UUID) -> None:
    """For breaking glass: whoever is no administrator signs in at the provider.

    Raises:
        WrongCredentials: nothing tells that the password was right.
    """
    with services.engine.connect() as connection:
        role = connection.execute(select(col(User.global_role)).where(col(User.id) == user_id)).scalar()
    if role is not GlobalRole.ADMINISTRATOR:
        raise WrongCredentials


async def sign_in(request: Request, response: Response, username: str, password: str, *, goal: str) -> bool:
    """Open a session and hand its cookie to the browser; a session that the browser had before ends.

    False: a one-time code is asked for first. The browser has a cookie for that, and is no one yet.

    Raises:
        WrongCredentials, TooManyAttempts: from `check_password`.
    """
    user_id = await check_password(request, username, password)
    services: Services = request.app.state.services
    if await anyio.to_thread.run_sync(_asks_for_code, services, user_id):
        facts = {"goal": goal, "username": username}
        secret = await anyio.to_thread.run_sync(lambda: keep_sign_in(services, facts, user_id=user_id))
        set_pending_cookie(response, services.settings, secret)
        return False
    await enter(request, response, user_id)
    return True


async def require_code(request: Request, user_id: UUID, username: str, code: str) -> None:
    """Let pass who needs no one-time code, or shows a good one.

    Raises:
        SecondFactorNeeded: none came.
        WrongCode, TooManyAttempts: it is not good.
    """
    services: Services = request.app.state.services
    if not await anyio.to_thread.run_sync(_asks_for_code, services, user_id):
        return
    if not code:
        raise SecondFactorNeeded
    await _use_code(request, user_id, username, code)


async def _use_code(request: Request, user_id: UUID, username: str, code: str) -> None:
    services: Services = request.app.state.services
    throttle: SignInThrottle = request.app.state.throttle
    address = request.client.host if request.client else ""
    tried = f"code of {username}"  # apart from the password's failures, which a right password ends
    turn = await anyio.to_thread.run_sync(throttle.take_turn, tried, address)
    try:
        await anyio.to_thread.run_sync(use_code, services, user_id, code)
    except WrongCode:
        await anyio.to_thread.run_sync(throttle.failed, turn)
        raise
    await anyio.to_thread.run_sync(throttle.succeeded, turn)


async def finish_with_code(request: Request, response: Response, code: str) -> str:
    """Open the session of a sign-in that waited for a code; returns where the person wanted to go.

    Raises:
        WrongCode: it is not good; the person begins anew with their password.
        TooManyAttempts: it failed too often from this address.
    """
    services: Services = request.app.state.services
    pending = await anyio.to_thread.run_sync(take_sign_in, services, pending_secret(request))
    if pending is None or pending.user_id is None:
        raise WrongCode
    await _use_code(request, pending.user_id, str(pending.facts["username"]), code)
    clear_pending_cookie(response, services.settings)
    await enter(request, response, pending.user_id)
    return str(pending.facts["goal"])


async def enter(request: Request, response: Response, user_id: UUID, *, identity_session: str = "") -> None:
    """Open a session for somebody who has proved who they are."""
    services: Services = request.app.state.services
    await _end_present_session(request)
    agent = request.headers.get("user-agent", "")
    secret = await anyio.to_thread.run_sync(
        lambda: open_session(services, user_id, user_agent=agent, identity_session=identity_session)
    )
    set_session_cookie(response, services.settings, secret)
    known = await anyio.to_thread.run_sync(remember_browser, services, user_id, known_secret(request))
    set_known_cookie(response, services.settings, known)


def _asks_for_code(services: Services, user_id: UUID) -> bool:
    with services.engine.connect() as connection:
        return has_second_factor(connection, user_id)


async def sign_out(request: Request, response: Response) -> bool:
    """End the browser's session for good and make the browser forget it.

    True: the identity provider had opened it, and the person may still be signed in there.
    """
    services: Services = request.app.state.services
    was_of_identity = await _end_present_session(request)
    clear_session_cookie(response, services.settings)
    return was_of_identity


async def _end_present_session(request: Request) -> bool:
    services: Services = request.app.state.services
    identities: Identities = request.app.state.identities
    if not (secret := session_secret(request)):
        return False
    was_of_identity = await anyio.to_thread.run_sync(close_session, services, secret)
    identities.forget()
    return was_of_identity
