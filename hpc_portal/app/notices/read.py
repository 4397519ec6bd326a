"""One's own notices: list them, count what is new, mark them as read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select, update
from sqlmodel import Session, col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.queries import Page
from hpc_portal.app.notices.say import SaidNotice, say
from hpc_portal.app.notices.tables import Notice
from hpc_portal.app.services import Services

_NOTICES: Select[*tuple[Any, ...]] = select(
    col(Notice.id), col(Notice.kind), col(Notice.at), col(Notice.read_at), col(Notice.facts)
)
_IS_UNREAD = (col(Notice.user_id) == bindparam("reader"), col(Notice.read_at).is_(None))
_UNREAD_COUNT = select(func.count()).where(*_IS_UNREAD)
"""Built once: every page asks, and building takes four times as long as asking."""
_UNREAD = _NOTICES.where(*_IS_UNREAD).order_by(col(Notice.id).desc()).limit(bindparam("most"))


@dataclass(frozen=True, slots=True)
class ShownNotice:
    """One notice, in its reader's words."""

    id: UUID
    kind: str
    at: datetime
    is_read: bool
    said: SaidNotice


def list_notices(
    session: Session, actor: Actor, *, locale: str, before: UUID | None = None, limit: int = 50
) -> Page[ShownNotice]:
    """The actor's own, newest first; the cursor is the last one's id."""
    statement = (
        _NOTICES.where(col(Notice.user_id) == actor.user_id, col(Notice.on_page))
        .order_by(col(Notice.id).desc())
        .limit(limit + 1)
    )
    if before is not None:
        statement = statement.where(col(Notice.id) < before)
    items = _shown(session, statement, locale)
    return Page(items[:limit], str(items[limit - 1].id) if len(items) > limit else None)


def list_unread(session: Session, actor: Actor, *, locale: str, limit: int) -> tuple[ShownNotice, ...]:
    """The actor's new ones, newest first."""
    return _shown(session, _UNREAD, locale, {"reader": actor.user_id, "most": limit})


def _shown(
    session: Session,
    statement: Select[*tuple[Any, ...]],
    locale: str,
    asked: Mapping[str, object] | None = None,
) -> tuple[ShownNotice, ...]:
    return tuple(
        ShownNotice(row.id, row.kind, row.at, row.read_at is not None, say(row.kind, row.facts, locale))
        for row in session.connection().execute(statement, asked or {})
    )


def count_unread(session: Session, actor: Actor) -> int:
    """How many of the actor's notices are new."""
    return int(session.connection().execute(_UNREAD_COUNT, {"reader": actor.user_id}).scalar_one())


def mark_read(services: Services, actor: Actor, notices: Collection[UUID] | None = None) -> int:
    """Mark these of the actor's own as read, or all of them; how many were new. Others' are left alone."""
    now = services.clock.now()
    statement = (
        update(Notice)
        .where(col(Notice.user_id) == actor.user_id, col(Notice.read_at).is_(None))
        .values(read_at=now)
    )
    if notices is not None:
        statement = statement.where(col(Notice.id).in_(list(notices)))
    return transact(services.engine, lambda connection: connection.execute(statement).rowcount)
