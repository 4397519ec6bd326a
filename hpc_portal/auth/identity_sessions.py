"""Browser sessions that were begun at the identity provider: marked as such, and ended when it says so."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select
from sqlmodel import col

from hpc_portal.app.accounts.secret import hash_secret
from hpc_portal.app.accounts.tables import ExternalIdentity
from hpc_portal.app.db import transact
from hpc_portal.app.services import Services
from hpc_portal.app.tables import BrowserSession
from hpc_portal.auth.identity_provider import LoggedOut

UNNAMED = "-"
"""Marks a session whose ID token named none over there: `sid` is optional."""
_LONGEST = 255


def mark_of(claims: Mapping[str, object]) -> str:
    """What a session that an ID token with these claims opens is marked with; never empty."""
    sid = claims.get("sid")
    return _mark(sid) if isinstance(sid, str) and sid else UNNAMED


def end_identity_sessions(services: Services, issuer: str, gone: LoggedOut) -> int:
    """End those of one session over there, or all of the person that were begun there; how many. Blocks.

    A session without a name may be the one that is meant, so that it ends, too. Sessions that a password
    opened go on.
    """
    mark = col(BrowserSession.identity_session)
    person = select(col(ExternalIdentity.user_id)).where(
        col(ExternalIdentity.issuer) == issuer, col(ExternalIdentity.subject) == gone.subject
    )
    is_meant: ColumnElement[bool] = mark != ""
    if gone.session:
        is_meant = mark == _mark(gone.session)
    if gone.subject:
        is_meant = and_(or_(is_meant, mark == UNNAMED), col(BrowserSession.user_id).in_(person))

    def work(connection: Connection) -> int:
        return connection.execute(delete(BrowserSession).where(is_meant)).rowcount

    return transact(services.engine, work)


def _mark(sid: str) -> str:
    is_kept_as_it_is = len(sid) <= _LONGEST and sid.isprintable() and sid != UNNAMED
    return sid if is_kept_as_it_is else hash_secret(sid)
