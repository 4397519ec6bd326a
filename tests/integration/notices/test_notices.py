"""Notices: told in the transaction of the deed, once, and only to those they are for."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.notices.choices import choose_mail, wants_mail
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.read import count_unread, list_notices, mark_read
from hpc_portal.app.notices.tables import Mail
from tests.small_city import City

AT = datetime(2026, 3, 2, 3, tzinfo=UTC)
FACTS = {
    "project": "chips",
    "by": "Lan",
    "message": "Welcome.",
    "lines": {"VND": 5_000_000},
    "request_id": "r1",
}


def tell(city: City, *people: Actor, key: str = "k1") -> None:
    def work(connection: Connection) -> None:
        notify(
            connection,
            to=[person.user_id for person in people],
            kind=NoticeKind.REQUEST_APPROVED,
            facts=FACTS,
            at=AT,
            key=key,
        )

    transact(city.services.engine, work)


def mails(city: City) -> int:
    with city.services.reading() as session:
        return int(session.connection().execute(select(func.count(col(Mail.id)))).scalar_one())


def test_a_notice_is_read_in_the_readers_language(city: City) -> None:
    tell(city, city.chips.lead)
    with city.services.reading() as session:
        [vi] = list_notices(session, city.chips.lead, locale="vi").items
        [en] = list_notices(session, city.chips.lead, locale="en").items
    assert vi.said.title == "Đề nghị của chips đã được duyệt"
    assert "5.000.000 ₫" in vi.said.body
    assert en.said.title == "The request of chips was approved"
    assert vi.said.path == en.said.path == "/requests/r1"


def test_the_same_key_tells_nobody_twice(city: City) -> None:
    tell(city, city.chips.lead, city.chips.lead, city.chips.member)
    before = mails(city)
    tell(city, city.chips.lead, city.chips.member)
    with city.services.reading() as session:
        assert count_unread(session, city.chips.lead) == 1
        assert count_unread(session, city.chips.member) == 1
        assert count_unread(session, city.rivals.lead) == 0
    assert mails(city) == before


def test_what_is_rolled_back_was_never_told(city: City) -> None:
    def work(connection: Connection) -> None:
        notify(
            connection,
            to=[city.chips.lead.user_id],
            kind=NoticeKind.REQUEST_APPROVED,
            facts=FACTS,
            at=AT,
            key="k1",
        )
        raise RuntimeError

    with pytest.raises(RuntimeError):
        transact(city.services.engine, work)
    with city.services.reading() as session:
        assert count_unread(session, city.chips.lead) == 0
    assert mails(city) == 0


def test_nobody_marks_what_others_were_told(city: City) -> None:
    tell(city, city.chips.lead, city.rivals.lead)
    with city.services.reading() as session:
        [theirs] = list_notices(session, city.rivals.lead, locale="en").items
    assert mark_read(city.services, city.chips.lead, [theirs.id]) == 0
    assert mark_read(city.services, city.chips.lead) == 1
    assert mark_read(city.services, city.chips.lead) == 0
    with city.services.reading() as session:
        assert count_unread(session, city.rivals.lead) == 1


def test_a_long_list_is_read_page_by_page(city: City) -> None:
    for number in range(5):
        tell(city, city.chips.lead, key=f"k{number}")
    with city.services.reading() as session:
        first = list_notices(session, city.chips.lead, locale="en", limit=3)
        assert first.next_cursor
        rest = list_notices(session, city.chips.lead, locale="en", before=UUID(first.next_cursor), limit=3)
    assert len({item.id for item in (*first.items, *rest.items)}) == 5
    assert rest.next_cursor is None


def test_mail_is_chosen_by_each_person(city: City) -> None:
    with city.services.reading() as session:
        assert wants_mail(session, city.chips.lead)
    choose_mail(city.services, city.chips.lead, mail=False)
    choose_mail(city.services, city.chips.lead, mail=False)
    with city.services.reading() as session:
        assert not wants_mail(session, city.chips.lead)
        assert wants_mail(session, city.chips.member)
    choose_mail(city.services, city.chips.lead, mail=True)
    with city.services.reading() as session:
        assert wants_mail(session, city.chips.lead)
