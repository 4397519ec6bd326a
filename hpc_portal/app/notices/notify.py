"""Tell people, in the transaction of the deed itself: what is rolled back was never told."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, select
from sqlmodel import col

from hpc_portal.app.ids import new_id
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.tables import Mail, Notice, NoticeChoice
from hpc_portal.app.tables import User
from quotas.journal import insert_once
from quotas.tables import table_of

_NOTICES = table_of(Notice)
_MAILS = table_of(Mail)


def notify(  # noqa: PLR0913 - the facts of a notice, all by keyword
    connection: Connection,
    *,
    to: Iterable[UUID],
    kind: NoticeKind,
    facts: Mapping[str, object],
    at: datetime,
    key: str,
) -> None:
    """Tell each of them, once for a key; by mail too, where they have an address and want it.

    Args:
        connection: the transaction that does what is told.
        to: ids of people; repeated ones are told once.
        kind: what is told; its words are in texts.py.
        facts: what fills the words: JSON. A name's end says what a value is: `_vnd` whole đồng,
            `_bytes` bytes, `_at` an instant in ISO format, `_on` a day in ISO format, `lines` amounts by
            asset.
        at: when it was done.
        key: names the deed; the same key never tells a person twice.
    """
    wanted = sorted(set(to))
    if not wanted:
        return
    people = connection.execute(
        select(col(User.id), col(User.email), col(User.locale), col(NoticeChoice.mail))
        .outerjoin(NoticeChoice, and_(col(NoticeChoice.user_id) == col(User.id)))
        .where(col(User.id).in_(wanted), col(User.is_active))
    ).all()
    for user_id, email, locale, mail in sorted(people, key=lambda person: person.id):
        notice = {
            "id": new_id(),
            "user_id": user_id,
            "key": key,
            "kind": kind.value,
            "facts": dict(facts),
            "at": at,
        }
        if _insert(connection, _NOTICES, notice) and email and mail is not False:
            queue_mail(
                connection,
                address=email,
                locale=locale,
                kind=kind,
                facts=facts,
                at=at,
                key=f"{user_id}:{key}",
                user_id=user_id,
            )


def who_was_told(
    connection: Connection, people: Collection[UUID], keys: Collection[str]
) -> AbstractSet[tuple[UUID, str]]:
    """Who of these people was told which of these already: who looks again and again then writes nothing."""
    rows = connection.execute(
        select(_NOTICES.c.user_id, _NOTICES.c.key).where(
            _NOTICES.c.user_id.in_(list(people)), _NOTICES.c.key.in_(list(keys))
        )
    )
    return {(row.user_id, row.key) for row in rows}


def queue_mail(  # noqa: PLR0913 - the facts of a mail, all by keyword
    connection: Connection,
    *,
    address: str,
    locale: str,
    kind: NoticeKind,
    facts: Mapping[str, object],
    at: datetime,
    key: str,
    user_id: UUID | None = None,
) -> None:
    """Have a mail sent to an address, once for a key; for people without an account: others are notified."""
    mail = {
        "id": new_id(),
        "key": key,
        "user_id": user_id,
        "address": address,
        "locale": locale,
        "kind": kind.value,
        "facts": dict(facts),
        "created_at": at,
        "not_before": at,
        "attempts": 0,
        "problem": "",
    }
    _insert(connection, _MAILS, mail)


def _insert(connection: Connection, table: Any, row: Mapping[str, object]) -> bool:  # noqa: ANN401 - Table
    """Whether it is new."""
    statement = insert_once(table)[connection.dialect.name].returning(table.c.id)
    return connection.execute(statement, dict(row)).first() is not None
