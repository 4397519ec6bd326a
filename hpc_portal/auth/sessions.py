"""Browser sessions: a random secret in a cookie, its SHA-256 in the table, an end in time."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select
from sqlmodel import col
from starlette.requests import Request
from starlette.responses import Response

from hpc_portal.app.accounts.secret import hash_secret, new_secret
from hpc_portal.app.db import transact
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import BrowserSession


def is_secure(settings: Settings) -> bool:
    """Whether browsers reach the portal by https, so that cookies must not travel otherwise."""
    return settings.public_url.startswith("https://")


def cookie_name(settings: Settings) -> str:
    """`__Host-` makes browsers refuse the cookie from sub-domains and over http."""
    return "__Host-hpc_session" if is_secure(settings) else "hpc_session"


def session_secret(request: Request) -> str:
    """The secret in the browser's cookie; "" when there is none."""
    services: Services = request.app.state.services
    return request.cookies.get(cookie_name(services.settings), "")


def open_session(
    services: Services, user_id: UUID, *, user_agent: str = "", identity_session: str = ""
) -> str:
    """A new session; returns the secret for the cookie. Sessions that ran out are swept away with it."""
    secret = new_secret()
    now = services.clock.now()

    def work(connection: Connection) -> None:
        connection.execute(delete(BrowserSession).where(col(BrowserSession.expires_at) <= now))
        connection.execute(
            insert(BrowserSession).values(
                id_hash=hash_secret(secret),
                user_id=user_id,
                created_at=now,
                expires_at=now + timedelta(hours=services.settings.session_hours),
                user_agent=user_agent[:255],
                identity_session=identity_session,
            )
        )

    transact(services.engine, work)
    return secret


def close_session(services: Services, secret: str) -> bool:
    """End a session for good; whether the identity provider had opened it. One that is unknown is fine."""

    def work(connection: Connection) -> str | None:
        ended: str | None = connection.execute(
            delete(BrowserSession)
            .where(col(BrowserSession.id_hash) == hash_secret(secret))
            .returning(col(BrowserSession.identity_session))
        ).scalar()
        return ended

    return bool(transact(services.engine, work))


def user_of_session(services: Services, connection: Connection, secret: str) -> UUID | None:
    """Whose session it is; None when it is unknown or has run out."""
    found: UUID | None = connection.execute(
        select(col(BrowserSession.user_id)).where(
            col(BrowserSession.id_hash) == hash_secret(secret),
            col(BrowserSession.expires_at) > services.clock.now(),
        )
    ).scalar()
    return found


def set_session_cookie(response: Response, settings: Settings, secret: str) -> None:
    """Hand the secret to the browser: not readable by scripts, not sent with other sites' forms."""
    response.set_cookie(
        cookie_name(settings),
        secret,
        max_age=settings.session_hours * 3600,
        httponly=True,
        samesite="lax",
        secure=is_secure(settings),
    )


def clear_session_cookie(response: Response, settings: Settings) -> None:
    """Make the browser forget the secret."""
    response.delete_cookie(cookie_name(settings), httponly=True, samesite="lax", secure=is_secure(settings))


_PENDING_SECONDS = 600


def set_pending_cookie(response: Response, settings: Settings, secret: str) -> None:
    """Hand out the secret of a sign-in that goes on elsewhere; it comes back from there, too."""
    response.set_cookie(
        _pending_cookie(settings),
        secret,
        max_age=_PENDING_SECONDS,
        httponly=True,
        samesite="lax",
        secure=is_secure(settings),
    )


def pending_secret(request: Request) -> str:
    """The secret of the sign-in under way in this browser; "" when there is none."""
    services: Services = request.app.state.services
    return request.cookies.get(_pending_cookie(services.settings), "")


def clear_pending_cookie(response: Response, settings: Settings) -> None:
    """It is over."""
    response.delete_cookie(
        _pending_cookie(settings), httponly=True, samesite="lax", secure=is_secure(settings)
    )


def _pending_cookie(settings: Settings) -> str:
    return "__Host-hpc_pending" if is_secure(settings) else "hpc_pending"
