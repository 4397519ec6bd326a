"""One's own webhook: set it up, try it out, renew its secret, remove it, see what became of deliveries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Connection, Select, delete, func, select, update
from sqlmodel import Session, col

from hpc_portal.app import audit
from hpc_portal.app.accounts.secret import new_secret
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NotFound, Problem
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.queries import Page
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import queue_delivery
from hpc_portal.app.notices.tables import Webhook, WebhookDelivery
from hpc_portal.app.notices.webhook_address import check_url
from hpc_portal.app.services import Services
from quotas.journal import insert_once
from quotas.tables import table_of

_WEBHOOKS = table_of(Webhook)
_MOST_TESTS_OPEN = 5
_SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret starts with


@dataclass(frozen=True, slots=True)
class ShownWebhook:
    """One's own webhook, without its secret."""

    url: str
    created_at: datetime
    failures: int
    failing_since: datetime | None
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShownDelivery:
    """One delivery as its log shows it."""

    id: UUID
    kind: str
    created_at: datetime
    attempts: int
    status: int | None
    problem: str
    delivered_at: datetime | None
    given_up_at: datetime | None
    next_at: datetime | None
    """When it is tried again; None: it is over."""


def webhook_of(session: Session, actor: Actor) -> ShownWebhook | None:
    """The actor's; None: they have none."""
    row = (
        session.connection()
        .execute(
            select(
                *(col(Webhook.url), col(Webhook.created_at), col(Webhook.failures)),
                *(col(Webhook.failing_since), col(Webhook.disabled_at)),
            ).where(col(Webhook.user_id) == actor.user_id)
        )
        .first()
    )
    return ShownWebhook(*row) if row else None


def set_webhook(services: Services, actor: Actor, *, url: str, seed: bytes = b"") -> str | None:
    """Have notices posted there from now on, also where it was switched off before.

    Returns:
        The new secret, which is shown again to the seed of the same form only; None where there was a
        webhook, which keeps its own.

    Raises:
        InvalidEntry: webhooks may not go there.
    """
    checked = check_url(url, services.settings.webhook_networks)
    secret, now = new_secret(_SECRET_PREFIX, seed), services.clock.now()
    row = {
        "user_id": actor.user_id,
        "url": checked,
        "secret": secret,
        "created_at": now,
        "failures": 0,
        "failing_since": None,
        "disabled_at": None,
    }

    def work(connection: Connection) -> str | None:
        statement = insert_once(_WEBHOOKS)[connection.dialect.name].returning(_WEBHOOKS.c.user_id)
        is_made_here = connection.execute(statement, row).first() is not None
        if not is_made_here:
            kept = connection.execute(
                update(Webhook)
                .where(col(Webhook.user_id) == actor.user_id)
                .values(url=checked, failures=0, failing_since=None, disabled_at=None)
                .returning(col(Webhook.secret))
            ).scalar_one()
            is_made_here = kept == secret
        host = urlsplit(checked).hostname
        audit.record(connection, at=now, actor=actor, action="webhook.set", subject=actor.username, host=host)
        return secret if is_made_here else None

    return transact(services.engine, work)


def renew_secret(services: Services, actor: Actor, *, seed: bytes = b"") -> str:
    """A new secret, at once; the old one signs nothing any more. The same seed makes the same secret.

    Raises:
        NotFound: the actor has no webhook.
    """
    secret, now = new_secret(_SECRET_PREFIX, seed), services.clock.now()

    def work(connection: Connection) -> None:
        is_own = col(Webhook.user_id) == actor.user_id
        if not connection.execute(update(Webhook).where(is_own).values(secret=secret)).rowcount:
            raise NotFound("webhook", actor.username)
        audit.record(connection, at=now, actor=actor, action="webhook.secret_renewed", subject=actor.username)

    transact(services.engine, work)
    return secret


def remove_webhook(services: Services, actor: Actor) -> None:
    """Post nothing any more; the log of what was posted goes, too.

    Raises:
        NotFound: the actor has no webhook.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        connection.execute(delete(WebhookDelivery).where(col(WebhookDelivery.user_id) == actor.user_id))
        if not connection.execute(delete(Webhook).where(col(Webhook.user_id) == actor.user_id)).rowcount:
            raise NotFound("webhook", actor.username)
        audit.record(connection, at=now, actor=actor, action="webhook.removed", subject=actor.username)

    transact(services.engine, work)


def try_webhook(services: Services, actor: Actor) -> None:
    """Post a notice that says nothing but that it is a test.

    Raises:
        NotFound: the actor has no webhook, or it is switched off.
        InvalidEntry: too many tests are on their way already.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        is_on = (col(Webhook.user_id) == actor.user_id, col(Webhook.disabled_at).is_(None))
        if connection.execute(select(col(Webhook.user_id)).where(*is_on)).first() is None:
            raise NotFound("webhook", actor.username)
        waiting = select(func.count()).where(
            col(WebhookDelivery.user_id) == actor.user_id,
            col(WebhookDelivery.kind) == NoticeKind.WEBHOOK_TEST.value,
            col(WebhookDelivery.delivered_at).is_(None),
            col(WebhookDelivery.given_up_at).is_(None),
        )
        if connection.execute(waiting).scalar_one() >= _MOST_TESTS_OPEN:
            raise InvalidEntry([Problem("url", "Wait until the tests before it were tried.")])
        queue_delivery(
            connection,
            user_id=actor.user_id,
            locale=actor.locale,
            kind=NoticeKind.WEBHOOK_TEST,
            facts={"by": actor.display_name},
            at=now,
            key=f"test:{new_id()}",
        )

    transact(services.engine, work)


def list_deliveries(
    session: Session, actor: Actor, *, before: UUID | None = None, limit: int = 20
) -> Page[ShownDelivery]:
    """The actor's own, newest first; the cursor is the last one's id."""
    statement: Select[*tuple[Any, ...]] = (
        select(
            *(col(WebhookDelivery.id), col(WebhookDelivery.kind), col(WebhookDelivery.created_at)),
            *(col(WebhookDelivery.attempts), col(WebhookDelivery.status), col(WebhookDelivery.problem)),
            *(col(WebhookDelivery.delivered_at), col(WebhookDelivery.given_up_at)),
            col(WebhookDelivery.not_before).label("next_at"),
        )
        .where(col(WebhookDelivery.user_id) == actor.user_id)
        .order_by(col(WebhookDelivery.id).desc())
        .limit(limit + 1)
    )
    if before is not None:
        statement = statement.where(col(WebhookDelivery.id) < before)
    rows = session.connection().execute(statement).all()
    items = tuple(
        ShownDelivery(
            **{
                **row._mapping,  # noqa: SLF001 - SQLAlchemy's public name
                "next_at": None if row.delivered_at or row.given_up_at else row.next_at,
            }
        )
        for row in rows[:limit]
    )
    return Page(items, str(items[-1].id) if len(rows) > limit else None)
