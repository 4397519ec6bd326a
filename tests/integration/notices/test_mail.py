"""The outbox on a real mail server: STARTTLS, a password, refusals, outages, and deaths at bad moments."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select, update
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.notices.choices import choose_mail
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify, queue_mail
from hpc_portal.app.notices.send_mail import SendMailStep, claim, deliver
from hpc_portal.app.notices.tables import Mail
from hpc_portal.app.settings import SmtpSettings
from hpc_portal.app.tables import User
from tests.integration.dask_backend.authority import Authority
from tests.integration.notices.conftest import Inbox
from tests.small_city import City

URL = "https://hpc.danang.example.vn"
FACTS = {
    "project": "chips",
    "by": "Lan",
    "message": "Chúc tape-out thành công.",
    "lines": {"gres/gpu:h100": 500 * 3600},
    "request_id": "r1",
}


@dataclass
class HandClock:
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.at


@dataclass
class Outbox:
    """The city's outbox and a controller's step, whose time a test moves."""

    city: City
    smtp: SmtpSettings
    clock: HandClock = field(default_factory=HandClock)

    def queue(self, address: str, *, key: str = "", locale: str = "vi") -> None:
        def work(connection: Connection) -> None:
            queue_mail(
                connection,
                address=address,
                locale=locale,
                kind=NoticeKind.REQUEST_APPROVED,
                facts=FACTS,
                at=self.clock.at,
                key=key or address,
            )

        transact(self.city.services.engine, work)

    def send(self, smtp: SmtpSettings | None = None) -> bool:
        step = SendMailStep(self.city.services.engine, self.clock, smtp or self.smtp, public_url=URL)
        return asyncio.run(step())

    def rows(self) -> list[Mail]:
        with self.city.services.reading() as session:
            rows = session.connection().execute(
                select(
                    col(Mail.address),
                    col(Mail.attempts),
                    col(Mail.sent_at),
                    col(Mail.given_up_at),
                    col(Mail.problem),
                ).order_by(col(Mail.id))
            )
            return list(rows)  # type: ignore[arg-type]


@pytest.fixture
def outbox(city: City, smtp: SmtpSettings) -> Outbox:
    return Outbox(city, smtp)


def give_addresses(city: City) -> None:
    def work(connection: Connection) -> None:
        for tenant in (city.chips, city.rivals):
            for person in (tenant.lead, tenant.member):
                connection.execute(
                    update(User)
                    .where(col(User.id) == person.user_id)
                    .values(email=f"{person.username}@example.vn", locale="vi")
                )

    transact(city.services.engine, work)


def test_a_notice_goes_by_mail_to_those_who_want_it(outbox: Outbox, inbox: Inbox) -> None:
    city = outbox.city
    give_addresses(city)
    choose_mail(city.services, city.chips.member, mail=False)

    def work(connection: Connection) -> None:
        notify(
            connection,
            to=[city.chips.lead.user_id, city.chips.member.user_id],
            kind=NoticeKind.REQUEST_APPROVED,
            facts=FACTS,
            at=outbox.clock.at,
            key="k1",
        )

    for _ in range(2):
        transact(city.services.engine, work)
    outbox.send()
    outbox.send()
    [message] = inbox.messages
    assert inbox.recipients == ["chips-lead@example.vn"]
    assert message["Subject"] == "Đề nghị của chips đã được duyệt"
    assert message["From"] == "HPC Đà Nẵng <hpc@danang.example.vn>"
    text = message.get_content()
    assert "500 giờ GPU H100" in text
    assert f"{URL}/requests/r1" in text
    assert f"{URL}/settings#notices" in text


def test_people_without_an_account_are_not_told_of_a_switch(outbox: Outbox, inbox: Inbox) -> None:
    outbox.queue("guest@example.vn", locale="en")
    outbox.send()
    [message] = inbox.messages
    assert message["Subject"] == "The request of chips was approved"
    assert f"{URL}/settings" not in message.get_content()


def test_a_refused_address_is_given_up_and_holds_up_nobody(outbox: Outbox, inbox: Inbox) -> None:
    for name in ("an", "nobody", "binh"):
        outbox.queue(f"{name}@example.vn")
    outbox.send()
    assert sorted(inbox.recipients) == ["an@example.vn", "binh@example.vn"]
    refused = next(row for row in outbox.rows() if row.address.startswith("nobody"))
    assert refused.given_up_at is not None
    assert refused.problem == "550 No such person here"


def test_a_server_that_is_busy_is_asked_again_later_and_later(outbox: Outbox, inbox: Inbox) -> None:
    outbox.queue("an@example.vn")
    inbox.answers = ["451 Greylisted", "451 Greylisted"]
    outbox.send()
    outbox.clock.at += timedelta(seconds=59)
    outbox.send()
    assert [row.attempts for row in outbox.rows()] == [1]
    outbox.clock.at += timedelta(seconds=1)
    outbox.send()
    outbox.clock.at += timedelta(seconds=119)
    outbox.send()
    assert [(row.attempts, row.problem) for row in outbox.rows()] == [(2, "451 Greylisted")]
    assert inbox.messages == []
    outbox.clock.at += timedelta(seconds=1)
    outbox.send()
    assert len(inbox.messages) == 1
    assert [(row.attempts, row.problem) for row in outbox.rows()] == [(3, "")]


def test_nothing_is_lost_while_the_server_is_away(outbox: Outbox, inbox: Inbox) -> None:
    outbox.queue("an@example.vn")
    outbox.send(outbox.smtp.model_copy(update={"port": 1}))
    [row] = outbox.rows()
    assert row.sent_at is None
    assert "refused" in row.problem.lower()
    outbox.clock.at += timedelta(minutes=1)
    outbox.send()
    assert len(inbox.messages) == 1


def test_a_server_that_cannot_prove_who_it_is_gets_neither_mail_nor_password(
    outbox: Outbox, inbox: Inbox, tmp_path: Path
) -> None:
    outbox.queue("an@example.vn")
    stranger = Authority(tmp_path / "stranger").certificate
    outbox.send(outbox.smtp.model_copy(update={"tls_ca": stranger}))
    [row] = outbox.rows()
    assert row.sent_at is None
    assert "certificate" in row.problem.lower()
    assert inbox.messages == []


def test_a_wrong_password_is_said_and_tried_again(outbox: Outbox, inbox: Inbox) -> None:
    outbox.queue("an@example.vn")
    outbox.send(outbox.smtp.model_copy(update={"username": "stranger"}))
    [row] = outbox.rows()
    assert row.problem.startswith("535")
    outbox.clock.at += timedelta(minutes=1)
    outbox.send()
    assert len(inbox.messages) == 1


def test_who_dies_before_saying_so_has_it_sent_again_as_the_same_mail(outbox: Outbox, inbox: Inbox) -> None:
    outbox.queue("an@example.vn")
    token = uuid4()
    claimed = transact(
        outbox.city.services.engine, lambda connection: claim(connection, token, outbox.clock.at)
    )
    deliver(claimed, outbox.smtp, public_url=URL)  # and here the controller dies
    outbox.send()
    assert len(inbox.messages) == 1, "the claim still stands"
    outbox.clock.at += timedelta(minutes=21)
    outbox.send()
    first, second = inbox.messages
    assert first["Message-ID"] == second["Message-ID"]
    outbox.clock.at += timedelta(minutes=21)
    outbox.send()
    assert len(inbox.messages) == 2


def test_two_controllers_send_each_mail_once(outbox: Outbox, inbox: Inbox) -> None:
    wanted = [f"person{number:02}@example.vn" for number in range(25)]
    for address in wanted:
        outbox.queue(address)

    def work_off(_number: int) -> None:
        while outbox.send():
            pass

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work_off, range(3)))
    assert sorted(inbox.recipients) == wanted


def test_news_of_last_week_is_not_sent(outbox: Outbox, inbox: Inbox) -> None:
    outbox.queue("an@example.vn")
    outbox.clock.at += timedelta(days=3, seconds=1)
    outbox.send()
    assert inbox.messages == []
    assert outbox.rows()[0].given_up_at is not None


def test_what_people_wrote_adds_no_header(outbox: Outbox, inbox: Inbox) -> None:
    def work(connection: Connection) -> None:
        queue_mail(
            connection,
            address="an@example.vn",
            locale="en",
            kind=NoticeKind.REQUEST_APPROVED,
            facts={**FACTS, "project": "chips\r\nBcc: all@example.vn"},
            at=outbox.clock.at,
            key="k",
        )

    transact(outbox.city.services.engine, work)
    outbox.send()
    [message] = inbox.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "The request of chips Bcc: all@example.vn was approved"
