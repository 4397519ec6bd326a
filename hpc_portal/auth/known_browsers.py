"""Browsers in which somebody signed in before, by a cookie: others' failures do not count there."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, insert, update
from sqlmodel import col
from starlette.requests import Request
from starlette.responses import Response

from hpc_portal.app.accounts.secret import hash_secret, new_secret
from hpc_portal.app.accounts.tables import KnownBrowser
from hpc_portal.app.db import transact
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings
from hpc_portal.auth.sessions import is_secure

KEPT = timedelta(days=180)


def known_secret(request: Request) -> str:
    """The secret in the browser's cookie, which opens nothing; "" when there is none."""
    services: Services = request.app.state.services
    return request.cookies.get(_cookie_name(services.settings), "")


def remember_browser(services: Services, user_id: UUID, present: str) -> str:
    """Note that this person signed in there; returns the secret for the cookie: the present one if it is."""
    now = services.clock.now()
    new = new_secret()

    def work(connection: Connection) -> str:
        used = connection.execute(
            update(KnownBrowser)
            .where(
                col(KnownBrowser.secret_hash) == hash_secret(present), col(KnownBrowser.user_id) == user_id
            )
            .values(last_used_at=now)
        ).rowcount
        if used:
            return present
        values = {"secret_hash": hash_secret(new), "user_id": user_id, "last_used_at": now}
        connection.execute(insert(KnownBrowser).values(values))
        return new

    return transact(services.engine, work)


def set_known_cookie(response: Response, settings: Settings, secret: str) -> None:
    """Hand the secret to the browser: not readable by scripts, not sent with other sites' forms."""
    response.set_cookie(
        _cookie_name(settings),
        secret,
        max_age=int(KEPT.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_secure(settings),
    )


def _cookie_name(settings: Settings) -> str:
    return "__Host-hpc_known" if is_secure(settings) else "hpc_known"
