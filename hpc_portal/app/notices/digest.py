"""The mail of the day: what waits for it becomes one mail for each person, in one transaction."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, delete, select
from sqlmodel import col

from hpc_portal.app.clock import Clock
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import queue_mail
from hpc_portal.app.notices.tables import DigestItem
from hpc_portal.app.tables import User

DIGEST_SECONDS = 60.0
_BATCH = 500


class GatherDigestsStep:
    """One pass over what is due; several may run at once, each notice goes into one mail."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def __call__(self) -> bool:
        """Whether there may be more to do at once."""
        now = self._clock.now()
        return await asyncio.to_thread(transact, self._engine, lambda connection: gather(connection, now))


def gather(connection: Connection, now: datetime) -> bool:
    """Turn due notices into mails; whether there may be more."""
    due = (
        select(col(DigestItem.id))
        .where(col(DigestItem.due_at) <= now)
        .order_by(col(DigestItem.due_at), col(DigestItem.user_id), col(DigestItem.id))
        .limit(_BATCH)
    )
    taken = connection.execute(
        delete(DigestItem)
        .where(col(DigestItem.id).in_(due.scalar_subquery()))
        .returning(col(DigestItem.id), col(DigestItem.user_id), col(DigestItem.kind), col(DigestItem.facts))
    ).all()
    people = {
        row.id: row
        for row in connection.execute(
            select(col(User.id), col(User.email), col(User.locale)).where(
                col(User.id).in_({row.user_id for row in taken}), col(User.is_active)
            )
        )
    }
    for user_id, items in _by_person(taken):
        person = people.get(user_id)
        if person is None or not person.email:
            continue
        facts = {"count": len(items), "items": items}
        queue_mail(
            connection,
            address=person.email,
            locale=person.locale,
            kind=NoticeKind.DIGEST,
            facts=facts,
            at=now,
            key=f"{user_id}:digest:{items[0]['id']}",
            user_id=user_id,
        )
    return len(taken) == _BATCH


def _by_person(taken: Any) -> Iterator[tuple[UUID, list[dict[str, Any]]]]:  # noqa: ANN401 - rows
    def whose(row: AnyRow) -> UUID:
        found: UUID = row.user_id
        return found

    for user_id, rows in groupby(sorted(taken, key=lambda row: (row.user_id, row.id)), key=whose):
        yield user_id, [{"id": str(row.id), "kind": row.kind, "facts": row.facts} for row in rows]
