"""Sign in and out: the throttle, the password, then a session for the browser or an id for a token."""

from uuid import UUID

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from hpc_portal.app.accounts.authenticate import authenticate
from hpc_portal.app.errors import WrongCredentials
from hpc_portal.app.services import Services
from hpc_portal.auth.identify import Identities
from hpc_portal.auth.sessions import (
    clear_session_cookie,
    close_session,
    open_session,
    session_secret,
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
    throttle.require_turn(username, address)
    try:
        user_id = await anyio.to_thread.run_sync(authenticate, services, username, password)
    except WrongCredentials:
        throttle.failed(username, address)
        raise
    throttle.succeeded(username, address)
    return user_id


async def sign_in(request: Request, response: Response, username: str, password: str) -> None:
    """Open a session and hand its cookie to the browser; a session that the browser had before ends.

    Raises:
        WrongCredentials, TooManyAttempts: from `check_password`.
    """
    user_id = await check_password(request, username, password)
    services: Services = request.app.state.services
    await _end_present_session(request)
    agent = request.headers.get("user-agent", "")
    secret = await anyio.to_thread.run_sync(lambda: open_session(services, user_id, user_agent=agent))
    set_session_cookie(response, services.settings, secret)


async def sign_out(request: Request, response: Response) -> None:
    """End the browser's session for good and make the browser forget it."""
    services: Services = request.app.state.services
    await _end_present_session(request)
    clear_session_cookie(response, services.settings)


async def _end_present_session(request: Request) -> None:
    services: Services = request.app.state.services
    identities: Identities = request.app.state.identities
    if secret := session_secret(request):
        await anyio.to_thread.run_sync(close_session, services, secret)
        identities.forget()
