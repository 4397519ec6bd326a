"""The browsers in which one is signed in: list them, end one, end all but the one in use."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, select
from sqlmodel import Session, col

from hpc_portal.app import audit
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotFound
from hpc_portal.app.services import Services
from hpc_portal.app.tables import BrowserSession


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One signed-in browser."""

    id: str
    """The SHA-256 of its secret, in hexadecimal: names it, and lets nobody in."""
    created_at: datetime
    expires_at: datetime
    user_agent: str


def list_sessions(session: Session, actor: Actor, *, at: datetime) -> list[SessionRecord]:
    """The actor's own that have not run out, newest first."""
    statement: Select[*tuple[Any, ...]] = (
        select(
            col(BrowserSession.id_hash).label("id"),
            col(BrowserSession.created_at),
            col(BrowserSession.expires_at),
            col(BrowserSession.user_agent),
        )
        .where(col(BrowserSession.user_id) == actor.user_id, col(BrowserSession.expires_at) > at)
        .order_by(col(BrowserSession.created_at).desc())
    )
    rows = session.connection().execute(statement)
    return [SessionRecord(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def end_session(services: Services, actor: Actor, session_id: str) -> None:
    """Sign one browser out.

    Raises:
        NotFound: the actor has no such session; it may have ended already.
    """
    if not _end(services, actor, col(BrowserSession.id_hash) == session_id):
        raise NotFound("session", session_id)


def end_other_sessions(services: Services, actor: Actor, *, keep: str) -> int:
    """Sign every browser out but the one of that id; how many. Also when there is none of that id."""
    return _end(services, actor, col(BrowserSession.id_hash) != keep)


def _end(services: Services, actor: Actor, which: ColumnElement[bool]) -> int:
    now = services.clock.now()

    def work(connection: Connection) -> int:
        ended = connection.execute(
            delete(BrowserSession).where(col(BrowserSession.user_id) == actor.user_id, which)
        ).rowcount
        if ended:
            audit.record(
                connection,
                at=now,
                actor=actor,
                action="session.ended",
                subject=actor.username,
                sessions=ended,
            )
        return ended

    return transact(services.engine, work)
