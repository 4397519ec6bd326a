"""Tell people, in the transaction of the deed itself: what is rolled back was never told."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, insert, select
from sqlmodel import col

from hpc_portal.app.db import AnyRow
from hpc_portal.app.ids import new_id
from hpc_portal.app.notices.choices import stored_choice
from hpc_portal.app.notices.groups import Choice, MailPace, NoticeGroup, choice_of, group_of
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.tables import (
    DigestItem,
    Mail,
    Notice,
    NoticeChoice,
    NoticeGroupChoice,
    Webhook,
    WebhookDelivery,
)
from hpc_portal.app.tables import User
from quotas.journal import insert_once
from quotas.tables import table_of
from schedulers.units import CITY_TIME

_NOTICES = table_of(Notice)
_MAILS = table_of(Mail)
_DELIVERIES = table_of(WebhookDelivery)
_MORNING_HOUR = 7


def notify(  # noqa: PLR0913 - the facts of a notice, all by keyword
    connection: Connection,
    *,
    to: Iterable[UUID],
    kind: NoticeKind,
    facts: Mapping[str, object],
    at: datetime,
    key: str,
    is_asked: bool = False,
) -> None:
    """Tell each of them, once for a key, in the ways that they have chosen.

    Args:
        connection: the transaction that does what is told.
        to: ids of people; repeated ones are told once.
        kind: what is told; its words are in texts.py.
        facts: what fills the words: JSON. A name's end says what a value is: `_vnd` whole đồng,
            `_bytes` bytes, `_at` an instant in ISO format, `_on` a day in ISO format, `lines` amounts by
            asset.
        at: when it was done.
        key: names the deed; the same key never tells a person twice.
        is_asked: they asked for just this, with the job that it is about.
    """
    wanted = sorted(set(to))
    if not wanted:
        return
    group = group_of(kind)
    news = _News(kind, facts, at, key)
    for person in sorted(_people(connection, wanted, group), key=lambda row: row.id):
        choice = choice_of(
            group, stored_choice(person), wants_mail=person.mail is not False, is_asked=is_asked
        )
        _tell(connection, person, news, choice)


@dataclass(frozen=True, slots=True)
class _News:
    """What is told."""

    kind: NoticeKind
    facts: Mapping[str, object]
    at: datetime
    key: str


def _people(connection: Connection, wanted: Sequence[UUID], group: NoticeGroup | None) -> Sequence[AnyRow]:
    """Those who are still active, with what they chose for the group, and whether their webhook works."""
    chosen = and_(
        col(NoticeGroupChoice.user_id) == col(User.id), col(NoticeGroupChoice.notice_group) == str(group)
    )
    return connection.execute(
        select(
            *(col(User.id), col(User.email), col(User.locale), col(NoticeChoice.mail)),
            *(
                col(NoticeGroupChoice.on_page),
                col(NoticeGroupChoice.by_mail),
                col(NoticeGroupChoice.by_webhook),
            ),
            and_(col(Webhook.user_id).is_not(None), col(Webhook.disabled_at).is_(None)).label("has_webhook"),
        )
        .select_from(User)
        .outerjoin(NoticeChoice, col(NoticeChoice.user_id) == col(User.id))
        .outerjoin(NoticeGroupChoice, chosen)
        .outerjoin(Webhook, col(Webhook.user_id) == col(User.id))
        .where(col(User.id).in_(wanted), col(User.is_active))
    ).all()


def _tell(connection: Connection, person: AnyRow, news: _News, choice: Choice) -> None:
    notice_id = new_id()
    said = {"kind": news.kind.value, "facts": dict(news.facts), "at": news.at}
    notice = {"id": notice_id, "user_id": person.id, "key": news.key, **said}
    notice |= {"on_page": choice.on_page, "read_at": None if choice.on_page else news.at}
    if not _insert(connection, _NOTICES, notice):
        return
    if choice.by_mail is MailPace.AT_ONCE and person.email:
        queue_mail(
            connection,
            address=person.email,
            locale=person.locale,
            kind=news.kind,
            facts=news.facts,
            at=news.at,
            key=f"{person.id}:{news.key}",
            user_id=person.id,
        )
    if choice.by_mail is MailPace.DAILY and person.email:
        item = {"id": notice_id, "user_id": person.id, "due_at": next_morning(news.at), **said}
        connection.execute(insert(DigestItem).values(item))
    if choice.by_webhook and person.has_webhook:
        queue_delivery(
            connection,
            user_id=person.id,
            locale=person.locale,
            kind=news.kind,
            facts=news.facts,
            at=news.at,
            key=news.key,
        )


def next_morning(at: datetime) -> datetime:
    """When the mail of the day goes out that follows this instant: at seven in the city. Pure."""
    local = at.astimezone(CITY_TIME)
    morning = local.replace(hour=_MORNING_HOUR, minute=0, second=0, microsecond=0)
    return morning if local < morning else morning + timedelta(days=1)


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


def queue_delivery(  # noqa: PLR0913 - the facts of a delivery, all by keyword
    connection: Connection,
    *,
    user_id: UUID,
    locale: str,
    kind: NoticeKind,
    facts: Mapping[str, object],
    at: datetime,
    key: str,
) -> None:
    """Have a notice posted to a person's webhook, once for a key."""
    delivery = {
        "id": new_id(),
        "user_id": user_id,
        "key": key,
        "kind": kind.value,
        "facts": dict(facts),
        "locale": locale,
        "created_at": at,
        "not_before": at,
        "attempts": 0,
        "problem": "",
    }
    _insert(connection, _DELIVERIES, delivery)


def _insert(connection: Connection, table: Any, row: Mapping[str, object]) -> bool:  # noqa: ANN401 - Table
    """Whether it is new."""
    statement = insert_once(table)[connection.dialect.name].returning(table.c.id)
    return connection.execute(statement, dict(row)).first() is not None
