"""Webhooks on a real HTTP listener: signed, retried, at least once, and never to where they may not go."""

import asyncio
import hashlib
import hmac
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from uuid import uuid4

import pytest
from sqlalchemy import Connection

from hpc_portal.app.accounts.change_settings import change_appearance
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NotFound
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.post_webhook import Answer, Reach, post
from hpc_portal.app.notices.read import list_notices
from hpc_portal.app.notices.send_webhooks import FAILING_FOR, MOST_FAILURES, SendWebhooksStep, claim
from hpc_portal.app.notices.webhooks import (
    ShownDelivery,
    list_deliveries,
    remove_webhook,
    renew_secret,
    set_webhook,
    try_webhook,
    webhook_of,
)
from tests.integration.dask_backend.authority import Certificate
from tests.integration.notices.listener import Listener, listening
from tests.small_city import City

LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
FACTS = {
    "project": "chips",
    "message": "Chúc tape-out thành công.",
    "lines": {"VND": 5000},
    "request_id": "r1",
}


@dataclass
class Hooks:
    """The city's outbox of webhooks and a controller's step, whose time a test moves."""

    city: City
    listener: Listener
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    reach: Reach = field(default_factory=lambda: Reach(ssl.create_default_context(), LOOPBACK, 60))

    def now(self) -> datetime:
        return self.at

    def set_up(self) -> str:
        change_appearance(self.city.services, self.city.chips.member, locale="vi")
        secret = set_webhook(
            self.city.services, self.city.chips.member, url=f"http://127.0.0.1:{self.listener.port}/hook?a=1"
        )
        assert secret
        return secret

    def tell(self, key: str = "k1") -> None:
        def work(connection: Connection) -> None:
            notify(
                connection,
                to=[self.city.chips.member.user_id],
                kind=NoticeKind.REQUEST_APPROVED,
                facts=FACTS,
                at=self.at,
                key=key,
            )

        transact(self.city.services.engine, work)

    def send(self) -> None:
        step = SendWebhooksStep(
            self.city.services.engine, self, public_url="https://hpc.danang.example.vn", reach=self.reach
        )
        while asyncio.run(step()):
            pass

    def log(self) -> tuple[ShownDelivery, ...]:
        with self.city.services.reading() as session:
            return tuple(list_deliveries(session, self.city.chips.member).items)


@pytest.fixture
def hooks(city: City) -> Iterator[Hooks]:
    city.services.settings.webhook_networks = LOOPBACK
    with listening() as listener:
        yield Hooks(city, listener)


def test_a_notice_arrives_once_signed_and_in_its_readers_language(hooks: Hooks) -> None:
    secret = hooks.set_up()
    hooks.tell()
    hooks.tell()
    hooks.send()
    [(path, headers, body)] = hooks.listener.requests
    assert (path, headers["host"]) == ("/hook?a=1", f"127.0.0.1:{hooks.listener.port}")
    said = json.loads(body)
    assert (said["kind"], said["title"]) == ("request.approved", "Đề nghị của chips đã được duyệt")
    assert (said["url"], said["facts"]) == ("https://hpc.danang.example.vn/requests/r1", FACTS)
    seconds, made = (part.partition("=")[2] for part in headers["x-hpc-signature"].split(","))
    expected = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert made == expected
    assert int(seconds) == int(hooks.at.timestamp())
    [delivery] = hooks.log()
    assert (headers["x-hpc-delivery"], delivery.status, delivery.attempts) == (str(delivery.id), 204, 1)
    assert (delivery.delivered_at, delivery.next_at) == (hooks.at, None)


def test_what_was_not_taken_is_tried_again_later_and_later(hooks: Hooks) -> None:
    hooks.set_up()
    hooks.tell()
    hooks.listener.answers = [500, 503]
    hooks.send()
    hooks.at += timedelta(seconds=59)
    hooks.send()
    assert [(one.attempts, one.problem) for one in hooks.log()] == [(1, "HTTP 500")]
    hooks.at += timedelta(seconds=1)
    hooks.send()
    hooks.at += timedelta(seconds=119)
    hooks.send()
    assert [(one.attempts, one.problem) for one in hooks.log()] == [(2, "HTTP 503")]
    hooks.at += timedelta(seconds=1)
    hooks.send()
    assert [(one.attempts, one.problem, one.status) for one in hooks.log()] == [(3, "", 204)]
    ids = {headers["x-hpc-delivery"] for _, headers, _ in hooks.listener.requests}
    assert (len(hooks.listener.requests), len(ids)) == (3, 1)
    with hooks.city.services.reading() as session:
        found = webhook_of(session, hooks.city.chips.member)
    assert found
    assert (found.failures, found.failing_since) == (0, None)


def test_who_dies_before_saying_so_has_it_posted_again_under_the_same_id(hooks: Hooks) -> None:
    hooks.set_up()
    hooks.tell()
    token = uuid4()
    [claimed] = transact(hooks.city.services.engine, lambda connection: claim(connection, token, hooks.at))
    hooks.send()
    assert hooks.listener.requests == [], "the claim still stands"
    hooks.at += timedelta(minutes=5)
    hooks.send()
    [(_, headers, _)] = hooks.listener.requests
    assert headers["x-hpc-delivery"] == str(claimed.id)


def test_a_webhook_that_takes_nothing_for_hours_is_switched_off_and_its_owner_told(hooks: Hooks) -> None:
    hooks.set_up()
    hooks.tell()
    hooks.listener.answers = [500] * 100
    for _ in range(MOST_FAILURES):
        hooks.send()
        hooks.at += timedelta(hours=1)
    assert len(hooks.listener.requests) == MOST_FAILURES
    assert timedelta(hours=MOST_FAILURES) > FAILING_FOR
    member = hooks.city.chips.member
    with hooks.city.services.reading() as session:
        found = webhook_of(session, member)
        told = list_notices(session, member, locale="en").items[0]
    assert found
    assert found.disabled_at is not None
    assert told.kind == "webhook.disabled"
    assert "127.0.0.1" in told.said.body
    assert "HTTP 500" in told.said.body
    hooks.tell("k2")
    hooks.send()
    assert len(hooks.listener.requests) == MOST_FAILURES, "nothing is posted any more"
    with pytest.raises(NotFound):
        try_webhook(hooks.city.services, member)
    url = f"http://127.0.0.1:{hooks.listener.port}/"
    hooks.listener.answers = []
    assert set_webhook(hooks.city.services, member, url=url) is None, "it keeps its secret"
    try_webhook(hooks.city.services, member)
    hooks.send()
    assert hooks.listener.requests[-1][1]["x-hpc-notice"] == "webhook.test"


def test_gone_means_gone(hooks: Hooks) -> None:
    hooks.set_up()
    hooks.tell()
    hooks.listener.answers = [410]
    hooks.send()
    with hooks.city.services.reading() as session:
        found = webhook_of(session, hooks.city.chips.member)
    assert found
    assert found.disabled_at == hooks.at


def test_redirects_are_not_followed(hooks: Hooks) -> None:
    hooks.set_up()
    hooks.tell()
    hooks.listener.answers = [302]
    hooks.listener.headers = {"Location": f"http://127.0.0.1:{hooks.listener.port}/elsewhere"}
    hooks.send()
    assert [path for path, _, _ in hooks.listener.requests] == ["/hook?a=1"]
    assert [(one.status, one.problem) for one in hooks.log()] == [(302, "HTTP 302")]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_names_that_lead_inside_are_not_connected_to(host: str) -> None:
    with listening() as listener:
        reach = Reach(ssl.create_default_context())
        answer = asyncio.run(post(f"https://{host}:{listener.port}/", b"{}", {}, reach))
        assert answer.status is None
        assert "private" in answer.problem
        assert listener.requests == []


def test_http_goes_only_to_networks_that_the_site_names() -> None:
    reach = Reach(ssl.create_default_context(), [ip_network("127.0.0.0/8")])
    answer = asyncio.run(post("http://93.184.216.34/", b"{}", {}, reach))
    assert answer == Answer(problem="A webhook's address starts with https://")


def test_a_receiver_that_never_answers_costs_a_bounded_time(hooks: Hooks) -> None:
    hooks.listener.be_silent()
    reach = Reach(ssl.create_default_context(), LOOPBACK, timeout_seconds=0.2)
    url = f"http://127.0.0.1:{hooks.listener.port}/"
    assert asyncio.run(post(url, b"{}", {}, reach)) == Answer(problem="No answer within 0.2 seconds")


def test_the_certificate_has_to_be_the_names(certificate: Certificate) -> None:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate.certificate, certificate.key)
    trusted = ssl.create_default_context(cafile=str(certificate.authority))
    reach = Reach(trusted, LOOPBACK, 60)
    with listening(tls=served) as listener:
        named = asyncio.run(post(f"https://localhost:{listener.port}/", b"{}", {}, reach))
        other = asyncio.run(post(f"https://localhost.:{listener.port}/", b"{}", {}, reach))
        stranger = Reach(ssl.create_default_context(), LOOPBACK, 60)
        unknown = asyncio.run(post(f"https://localhost:{listener.port}/", b"{}", {}, stranger))
        assert named.status == 204
        assert listener.requests[0][1]["host"] == f"localhost:{listener.port}"
        assert "certificate" in unknown.problem.lower()
        assert len(listener.requests) == 1 + other.is_taken


def test_one_silent_receiver_does_not_hold_up_the_others(hooks: Hooks) -> None:
    hooks.set_up()
    for number in range(5):
        hooks.tell(f"k{number}")
    token = uuid4()
    claimed = transact(hooks.city.services.engine, lambda connection: claim(connection, token, hooks.at))
    assert len(claimed) == 2


def test_a_webhook_is_ones_own(hooks: Hooks) -> None:
    services, city = hooks.city.services, hooks.city
    first = hooks.set_up()
    assert renew_secret(services, city.chips.member) != first
    with services.reading() as session:
        assert webhook_of(session, city.rivals.member) is None
        assert list_deliveries(session, city.rivals.member).items == ()
    for verb in (renew_secret, remove_webhook, try_webhook):
        with pytest.raises(NotFound):
            verb(services, city.rivals.member)
    for _ in range(5):
        try_webhook(services, city.chips.member)
    with pytest.raises(InvalidEntry):
        try_webhook(services, city.chips.member)
    remove_webhook(services, city.chips.member)
    hooks.tell()
    hooks.send()
    assert hooks.listener.requests == []
