"""A real mail server for tests: it keeps what it is given, and refuses what a test tells it to refuse."""

import ssl
from asyncio import Server
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from hpc_portal.app.clock import SystemClock
from hpc_portal.app.settings import SmtpSettings
from tests.integration.dask_backend.authority import Authority, Certificate
from tests.small_city import City, build_city


@dataclass
class Inbox:
    """What arrived, and how the server answers from now on."""

    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """What the next mails are answered with; accepted when empty."""
    on_arrival: Callable[[], None] = lambda: None

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("nobody"):
            return "550 No such person here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        if self.answers and not self.answers[0].startswith("250"):
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients.extend(envelope.rcpt_tos)
        self.on_arrival()
        return "250 Taken"


class OwnPort(Controller):
    """Takes whatever port is free, and knows which one it got."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


def check_password(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:  # noqa: ANN401 - aiosmtpd's
    return AuthResult(success=(data.login, data.password) == (b"portal", b"secret"), handled=False)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Authority(tmp_path / "authority").issue("localhost", names="DNS:localhost,IP:127.0.0.1")


@pytest.fixture
def smtp(inbox: Inbox, certificate: Certificate) -> Iterator[SmtpSettings]:
    """A server that wants STARTTLS and a password, as a real one does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    server = OwnPort(
        inbox,
        hostname="127.0.0.1",
        port=0,
        tls_context=context,
        require_starttls=True,
        authenticator=check_password,
        auth_required=True,
    )
    server.start()
    yield SmtpSettings(
        host="127.0.0.1",
        port=server.port,
        security="starttls",
        tls_ca=certificate.authority,
        username="portal",
        password="secret",
        sender="hpc@danang.example.vn",
    )
    server.stop()


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    city = build_city(database_url, tmp_path, clock=SystemClock())
    yield city
    city.services.commits.close()
    city.services.engine.dispose()
