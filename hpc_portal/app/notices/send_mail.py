"""The outbox: claims mails that are due, gives them to the mail server, and records what it said.

A mail is claimed before it is sent and marked afterwards. Whoever dies in between leaves a claim that ends by
itself, and the mail goes out again under the same Message-ID: SMTP knows no better promise.
"""

import asyncio
import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection, Engine, select, update
from sqlmodel import col

from hpc_portal.app.clock import Clock
from hpc_portal.app.db import transact
from hpc_portal.app.notices.compose import OutgoingMail, compose
from hpc_portal.app.notices.tables import Mail
from hpc_portal.app.settings import SmtpSettings

log = structlog.get_logger()

T = TypeVar("T")

SEND_SECONDS = 5.0
_BATCH = 10
_CLAIM = timedelta(minutes=20)
"""Longer than the slowest batch takes; whoever has not said so by then has died."""
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)
_TOO_OLD = timedelta(days=3)
"""News that old would only confuse; it is in the portal anyway."""
_PERMANENT = range(500, 600)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mail."""

    is_sent: bool = False
    is_hopeless: bool = False
    """The server will never take it."""
    problem: str = ""


class SendMailStep:
    """One pass over the outbox; several may run at once, each mail is claimed by one."""

    def __init__(self, engine: Engine, clock: Clock, smtp: SmtpSettings, *, public_url: str) -> None:
        self._engine = engine
        self._clock = clock
        self._smtp = smtp
        self._public_url = public_url

    async def __call__(self) -> bool:
        """Whether there may be more to do at once."""
        now = self._clock.now()
        token = uuid4()
        claimed = await self._write(lambda connection: claim(connection, token, now))
        if not claimed:
            return False
        outcomes = await asyncio.to_thread(deliver, claimed, self._smtp, public_url=self._public_url)
        at = self._clock.now()
        await self._write(lambda connection: record(connection, token, outcomes, at))
        sent = sum(outcome.is_sent for outcome in outcomes.values())
        log.info("mail.sent", sent=sent, failed=len(outcomes) - sent)
        return len(claimed) == _BATCH

    async def _write(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(transact, self._engine, work)


def claim(connection: Connection, token: UUID, now: datetime) -> list[OutgoingMail]:
    """Mails that are due, ours from now on; those that are too old are given up."""
    is_open = (col(Mail.sent_at).is_(None), col(Mail.given_up_at).is_(None))
    connection.execute(
        update(Mail)
        .where(*is_open, col(Mail.not_before) <= now, col(Mail.created_at) < now - _TOO_OLD)
        .values(given_up_at=now)
    )
    due = (
        select(col(Mail.id))
        .where(*is_open, col(Mail.not_before) <= now)
        .order_by(col(Mail.not_before), col(Mail.id))
        .limit(_BATCH)
    )
    rows = connection.execute(
        update(Mail)
        .where(col(Mail.id).in_(due.scalar_subquery()), *is_open, col(Mail.not_before) <= now)
        .values(claim_token=token, not_before=now + _CLAIM, attempts=col(Mail.attempts) + 1)
        .returning(
            col(Mail.id),
            col(Mail.address),
            col(Mail.locale),
            col(Mail.kind),
            col(Mail.facts),
            col(Mail.created_at),
            col(Mail.user_id),
        )
    ).all()
    return [
        OutgoingMail(
            id=row.id,
            address=row.address,
            locale=row.locale,
            kind=row.kind,
            facts=row.facts,
            created_at=row.created_at,
            has_account=row.user_id is not None,
        )
        for row in rows
    ]


def record(connection: Connection, token: UUID, outcomes: Mapping[UUID, Outcome], at: datetime) -> None:
    """Write down what became of each, as far as it is still ours."""
    for mail_id, outcome in sorted(outcomes.items()):
        is_ours = (col(Mail.id) == mail_id, col(Mail.claim_token) == token)
        attempts = connection.execute(select(col(Mail.attempts)).where(*is_ours)).scalar()
        if attempts is None:
            continue
        values: dict[str, object] = {"claim_token": None, "problem": outcome.problem}
        if outcome.is_sent:
            values["sent_at"] = at
        elif outcome.is_hopeless:
            values["given_up_at"] = at
        else:
            values["not_before"] = at + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempts - 1, 10))
        connection.execute(update(Mail).where(*is_ours).values(values))


def deliver(mails: Sequence[OutgoingMail], smtp: SmtpSettings, *, public_url: str) -> dict[UUID, Outcome]:
    """Give them to the server over one connection; an outcome for each, whatever happens. Blocks."""
    outcomes: dict[UUID, Outcome] = {}
    try:
        with connect(smtp) as server:
            for mail in mails:
                outcomes[mail.id] = _send(server, mail, smtp, public_url)
    except (OSError, smtplib.SMTPException) as error:
        problem = _said(error)
        log.warning("mail.server_unavailable", host=smtp.host, problem=problem)
        for mail in mails:
            outcomes.setdefault(mail.id, Outcome(problem=problem))
    return outcomes


def connect(smtp: SmtpSettings) -> smtplib.SMTP:
    """Connected, encrypted and signed in as settings say.

    Raises:
        OSError, SMTPException: the server cannot be reached, proves not who it is, or refuses us.
    """
    context = ssl.create_default_context(cafile=str(smtp.tls_ca) if smtp.tls_ca else None)
    if smtp.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            smtp.host, smtp.port, timeout=smtp.timeout_seconds, context=context
        )
    else:
        server = smtplib.SMTP(smtp.host, smtp.port, timeout=smtp.timeout_seconds)
    try:
        if smtp.security == "starttls":
            server.starttls(context=context)
        if smtp.username:
            server.login(smtp.username, smtp.password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server


def _send(server: smtplib.SMTP, mail: OutgoingMail, smtp: SmtpSettings, public_url: str) -> Outcome:
    """One mail; a lost connection is raised, for the others cannot go over it either."""
    try:
        server.send_message(compose(mail, smtp, public_url=public_url))
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPRecipientsRefused as error:
        code, reason = next(iter(error.recipients.values()))
        return Outcome(is_hopeless=code in _PERMANENT, problem=f"{code} {_text(reason)}")
    except smtplib.SMTPDataError as error:
        return Outcome(is_hopeless=error.smtp_code in _PERMANENT, problem=_said(error))
    except smtplib.SMTPException as error:
        return Outcome(problem=_said(error))
    except ValueError as error:
        return Outcome(is_hopeless=True, problem=str(error))
    return Outcome(is_sent=True)


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return str(error) or type(error).__name__


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
