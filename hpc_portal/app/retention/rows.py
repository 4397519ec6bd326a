"""Rows whose time is over, kind by kind; each batch is one short transaction, so that nobody waits for it.

Requests for quota are not among them, drafts neither: the database lets nobody shorten their history.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, tuple_
from sqlmodel import SQLModel, col

from hpc_portal.app.accounts.tables import KnownBrowser, PendingSignIn, SignInFailures
from hpc_portal.app.notices.tables import Mail, Notice, WebhookDelivery
from hpc_portal.app.settings import RetentionSettings
from hpc_portal.app.tables import ApiToken, BrowserSession
from quotas.tables import table_of

BATCH = 500

Over = Callable[[RetentionSettings, datetime], ColumnElement[bool]]
"""Which rows are over at that time."""


@dataclass(frozen=True, slots=True)
class RowKind:
    """One kind of row that goes when its time is over."""

    name: str
    table: type[SQLModel]
    over: Over


def _sessions(_: RetentionSettings, at: datetime) -> ColumnElement[bool]:
    return col(BrowserSession.expires_at) <= at


def _pending(_: RetentionSettings, at: datetime) -> ColumnElement[bool]:
    return col(PendingSignIn.expires_at) <= at


def _failures(_: RetentionSettings, at: datetime) -> ColumnElement[bool]:
    return col(SignInFailures.last_at) <= at - timedelta(days=1)


def _browsers(settings: RetentionSettings, at: datetime) -> ColumnElement[bool]:
    return col(KnownBrowser.last_used_at) <= at - timedelta(days=settings.known_browsers_days)


def _tokens(settings: RetentionSettings, at: datetime) -> ColumnElement[bool]:
    before = at - timedelta(days=settings.ended_tokens_days)
    return or_(col(ApiToken.expires_at) <= before, col(ApiToken.revoked_at) <= before)


def _notices(settings: RetentionSettings, at: datetime) -> ColumnElement[bool]:
    return col(Notice.at) <= at - timedelta(days=settings.notices_days)


def _mails(settings: RetentionSettings, at: datetime) -> ColumnElement[bool]:
    before = at - timedelta(days=settings.mails_days)
    return or_(col(Mail.sent_at) <= before, col(Mail.given_up_at) <= before)


def _deliveries(settings: RetentionSettings, at: datetime) -> ColumnElement[bool]:
    before = at - timedelta(days=settings.deliveries_days)
    return or_(col(WebhookDelivery.delivered_at) <= before, col(WebhookDelivery.given_up_at) <= before)


KINDS = (
    RowKind("sessions", BrowserSession, _sessions),
    RowKind("pending_sign_ins", PendingSignIn, _pending),
    RowKind("sign_in_failures", SignInFailures, _failures),
    RowKind("known_browsers", KnownBrowser, _browsers),
    RowKind("ended_tokens", ApiToken, _tokens),
    RowKind("notices", Notice, _notices),
    RowKind("mails", Mail, _mails),
    RowKind("deliveries", WebhookDelivery, _deliveries),
)


def count_over(connection: Connection, kind: RowKind, settings: RetentionSettings, at: datetime) -> int:
    """How many would go."""
    where = kind.over(settings, at)
    return connection.execute(select(func.count()).select_from(kind.table).where(where)).scalar_one()


def prune(connection: Connection, kind: RowKind, settings: RetentionSettings, at: datetime) -> int:
    """Delete one batch of those that are over; how many."""
    keys = list(table_of(kind.table).primary_key.columns)
    rows = connection.execute(select(*keys).where(kind.over(settings, at)).limit(BATCH)).all()
    if not rows:
        return 0
    which = keys[0].in_([row[0] for row in rows]) if len(keys) == 1 else tuple_(*keys).in_(rows)
    return connection.execute(delete(kind.table).where(which)).rowcount
