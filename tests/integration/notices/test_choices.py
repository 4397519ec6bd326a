"""How people are told: by group and way, one mail a day, and what nobody can do without."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select, update
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.notices.choices import choices_of, choose, choose_mail
from hpc_portal.app.notices.compose import OutgoingMail, compose
from hpc_portal.app.notices.digest import GatherDigestsStep
from hpc_portal.app.notices.groups import Choice, MailPace, NoticeGroup, choice_of, group_of
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import next_morning, notify
from hpc_portal.app.notices.read import count_unread, list_notices
from hpc_portal.app.notices.send_mail import SendMailStep
from hpc_portal.app.notices.tables import DigestItem, Mail
from hpc_portal.app.settings import SmtpSettings
from hpc_portal.app.tables import User
from tests.integration.notices.conftest import Inbox
from tests.integration.notices.test_mail import HandClock
from tests.integration.notices.test_notices import FACTS
from tests.small_city import City

AT = datetime(2026, 3, 2, 3, tzinfo=UTC)
"""Ten in the morning in the city."""
ONLY_DAILY = Choice(on_page=False, by_mail=MailPace.DAILY, by_webhook=False)


def tell(city: City, *keys: str) -> None:
    def work(connection: Connection) -> None:
        connection.execute(update(User).values(email="an@songhan.example", locale="vi"))
        for key in keys:
            notify(
                connection,
                to=[city.chips.lead.user_id],
                kind=NoticeKind.REQUEST_APPROVED,
                facts=FACTS,
                at=AT,
                key=key,
            )

    transact(city.services.engine, work)


def mails(city: City) -> list[OutgoingMail]:
    with city.services.reading() as session:
        rows = session.connection().execute(select(Mail.__table__).order_by(col(Mail.id)))  # type: ignore[attr-defined]
        return [
            OutgoingMail(
                row.id, row.address, row.locale, row.kind, row.facts, row.created_at, has_account=True
            )
            for row in rows
        ]


def gather(city: City, clock: HandClock) -> None:
    for _ in range(2):
        asyncio.run(GatherDigestsStep(city.services.engine, clock)())


def test_the_notices_of_a_day_come_in_one_mail_the_next_morning(city: City) -> None:
    choose(city.services, city.chips.lead, {NoticeGroup.REQUESTS: ONLY_DAILY})
    tell(city, "k1", "k2")
    tell(city, "k1", "k2")
    with city.services.reading() as session:
        assert count_unread(session, city.chips.lead) == 0
        assert list_notices(session, city.chips.lead, locale="vi").items == ()
    clock = HandClock(datetime(2026, 3, 2, 23, 59, tzinfo=UTC))
    gather(city, clock)
    assert mails(city) == []
    clock.at += timedelta(minutes=1)
    gather(city, clock)
    [mail] = mails(city)
    message = compose(
        mail, SmtpSettings(host="m", sender="hpc@danang.example.vn"), public_url="https://hpc.vn"
    )
    assert message["Subject"] == "2 thông báo từ cổng HPC Đà Nẵng"
    text = message.get_content()
    assert text.count("Đề nghị của chips đã được duyệt") == 2
    assert text.count("https://hpc.vn/requests/r1") == 2
    with city.services.reading() as session:
        assert session.connection().execute(select(col(DigestItem.id))).all() == []


def test_the_mail_of_the_day_arrives_once_and_in_its_readers_language(
    city: City, smtp: SmtpSettings, inbox: Inbox
) -> None:
    choose(city.services, city.chips.lead, {NoticeGroup.REQUESTS: ONLY_DAILY})
    tell(city, "k1", "k2")
    clock = HandClock(next_morning(AT))
    for _ in range(2):
        gather(city, clock)
        step = SendMailStep(city.services.engine, clock, smtp, public_url="https://hpc.vn")
        asyncio.run(step())
    assert inbox.recipients == ["an@songhan.example"]
    [message] = inbox.messages
    assert message["Subject"] == "2 thông báo từ cổng HPC Đà Nẵng"
    body = message.get_body(("plain",))
    assert body
    assert body.get_content().count("https://hpc.vn/requests/r1") == 2


def test_mails_of_the_day_go_out_at_seven_in_the_city() -> None:
    seven = datetime(2026, 3, 3, 0, tzinfo=UTC)
    assert next_morning(AT) == seven
    assert next_morning(seven - timedelta(seconds=1)) == seven
    assert next_morning(seven) == seven + timedelta(days=1)


def test_choices_are_each_persons_own_and_kept(city: City) -> None:
    lead, member = city.chips.lead, city.chips.member
    for _ in range(2):
        choose(city.services, lead, {NoticeGroup.REQUESTS: ONLY_DAILY})
    with city.services.reading() as session:
        assert choices_of(session, lead)[NoticeGroup.REQUESTS] == ONLY_DAILY
        assert choices_of(session, lead)[NoticeGroup.BUDGETS].by_mail is MailPace.AT_ONCE
        assert choices_of(session, member)[NoticeGroup.REQUESTS].by_mail is MailPace.AT_ONCE
    choose_mail(city.services, lead, mail=False)
    with city.services.reading() as session:
        assert {choice.by_mail for choice in choices_of(session, lead).values()} == {MailPace.OFF}


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_kind_is_chosen_about_or_cannot_be_done_without(kind: NoticeKind) -> None:
    always = {
        *(NoticeKind.INVITATION, NoticeKind.WEBHOOK_TEST),
        *(NoticeKind.WEBHOOK_DISABLED, NoticeKind.DIGEST),
        *(NoticeKind.EMAIL_TO_CONFIRM, NoticeKind.EMAIL_CHANGED),
        *(NoticeKind.SECOND_FACTOR_RESET, NoticeKind.PASSWORD_RESET),
    }
    assert (group_of(kind) is None) == (kind in always)


def test_who_asked_with_a_job_is_told_of_it_whatever_they_chose() -> None:
    silent = Choice(on_page=False, by_mail=MailPace.OFF, by_webhook=False)
    asked = choice_of(NoticeGroup.JOBS_ENDED, silent, is_asked=True)
    assert asked == Choice(on_page=True, by_mail=MailPace.AT_ONCE, by_webhook=False)
    assert not choice_of(NoticeGroup.JOBS_ENDED, None).is_any
    assert choice_of(NoticeGroup.BUDGETS, None, wants_mail=False).by_mail is MailPace.OFF
