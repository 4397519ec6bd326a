"""The outbox of webhooks: claims what is due, posts it, and records what the receivers said.

A delivery is claimed before it is posted and marked afterwards. Whoever dies in between leaves a claim that
ends by itself, and it is posted again under the same id: at least once, and a receiver can tell.
"""

import asyncio
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection, Engine, func, select, update
from sqlmodel import col

from hpc_portal.app.clock import Clock
from hpc_portal.app.db import transact
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.post_webhook import Answer, Reach, post
from hpc_portal.app.notices.tables import Webhook, WebhookDelivery
from hpc_portal.app.notices.webhook_address import Network
from hpc_portal.app.notices.webhook_message import OutgoingDelivery, body_of, headers_of

log = structlog.get_logger()

T = TypeVar("T")

WEBHOOK_SECONDS = 3.0
_BATCH = 20
_MOST_OF_ONE = 2
"""Of each person in a batch: a receiver that never answers holds up its owner's notices, not others'."""
_CLAIM = timedelta(minutes=5)
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)
_TOO_OLD = timedelta(days=2)
MOST_FAILURES = 10
FAILING_FOR = timedelta(hours=6)
"""A webhook is switched off after so many tries in a row came to nothing, over so long a time."""


class SendWebhooksStep:
    """One pass over the outbox; several may run at once, each delivery is claimed by one."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        public_url: str,
        networks: Collection[Network] = (),
        reach: Reach | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._public_url = public_url
        self._networks = networks
        self._reach = reach

    async def __call__(self) -> bool:
        """Whether there may be more to do at once."""
        now = self._clock.now()
        token = uuid4()
        claimed = await self._write(lambda connection: claim(connection, token, now))
        if not claimed:
            return False
        if self._reach is None:  # it reads a few hundred certificates, and most portals post nothing
            trusted = await asyncio.to_thread(ssl.create_default_context)
            self._reach = Reach(trusted, self._networks)
        reach = self._reach
        answers = await asyncio.gather(*(self._post(one, reach) for one in claimed))
        outcomes = {one.id: answer for one, answer in zip(claimed, answers, strict=True)}
        at = self._clock.now()
        await self._write(lambda connection: record(connection, token, claimed, outcomes, at))
        taken = sum(answer.is_taken for answer in answers)
        log.info("webhook.posted", taken=taken, failed=len(answers) - taken)
        return True

    async def _post(self, one: OutgoingDelivery, reach: Reach) -> Answer:
        body = body_of(one, public_url=self._public_url)
        headers = headers_of(one, body, at=self._clock.now())
        return await post(one.url, body, headers, reach)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(transact, self._engine, work)


_IS_OPEN = (col(WebhookDelivery.delivered_at).is_(None), col(WebhookDelivery.given_up_at).is_(None))


def claim(connection: Connection, token: UUID, now: datetime) -> list[OutgoingDelivery]:
    """Deliveries that are due, ours from now on; those that are too old are given up, old ones forgotten."""
    connection.execute(
        update(WebhookDelivery)
        .where(
            *_IS_OPEN,
            col(WebhookDelivery.not_before) <= now,
            col(WebhookDelivery.created_at) < now - _TOO_OLD,
        )
        .values(given_up_at=now)
    )
    is_due = (*_IS_OPEN, col(WebhookDelivery.not_before) <= now)
    place = func.row_number().over(
        partition_by=col(WebhookDelivery.user_id), order_by=col(WebhookDelivery.not_before)
    )
    ranked = (
        select(col(WebhookDelivery.id), col(WebhookDelivery.not_before), place.label("place"))
        .join(Webhook, col(Webhook.user_id) == col(WebhookDelivery.user_id))
        .where(*is_due, col(Webhook.disabled_at).is_(None))
        .subquery()
    )
    chosen = (
        select(ranked.c.id).where(ranked.c.place <= _MOST_OF_ONE).order_by(ranked.c.not_before).limit(_BATCH)
    )
    rows = connection.execute(
        update(WebhookDelivery)
        .where(col(WebhookDelivery.id).in_(chosen.scalar_subquery()), *is_due)
        .values(claim_token=token, not_before=now + _CLAIM, attempts=col(WebhookDelivery.attempts) + 1)
        .returning(
            *(col(WebhookDelivery.id), col(WebhookDelivery.user_id), col(WebhookDelivery.kind)),
            *(col(WebhookDelivery.facts), col(WebhookDelivery.locale), col(WebhookDelivery.created_at)),
        )
    ).all()
    hooks = {
        hook.user_id: hook
        for hook in connection.execute(
            select(col(Webhook.user_id), col(Webhook.url), col(Webhook.secret)).where(
                col(Webhook.user_id).in_({row.user_id for row in rows})
            )
        )
    }
    return [
        OutgoingDelivery(
            id=row.id,
            user_id=row.user_id,
            url=hooks[row.user_id].url,
            secret=hooks[row.user_id].secret,
            kind=row.kind,
            facts=row.facts,
            locale=row.locale,
            created_at=row.created_at,
        )
        for row in rows
    ]


def record(
    connection: Connection,
    token: UUID,
    claimed: Sequence[OutgoingDelivery],
    outcomes: Mapping[UUID, Answer],
    at: datetime,
) -> None:
    """Write down what became of each, as far as it is still ours; switch off who takes nothing any more."""
    for one in sorted(claimed, key=lambda delivery: (delivery.user_id, delivery.id)):
        answer = outcomes[one.id]
        is_ours = (col(WebhookDelivery.id) == one.id, col(WebhookDelivery.claim_token) == token)
        attempts = connection.execute(select(col(WebhookDelivery.attempts)).where(*is_ours)).scalar()
        if attempts is None:
            continue
        values: dict[str, object] = {
            "claim_token": None,
            "status": answer.status,
            "problem": answer.problem,
        }
        if answer.is_taken:
            values["delivered_at"] = at
        else:
            values["not_before"] = at + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempts - 1, 10))
        connection.execute(update(WebhookDelivery).where(*is_ours).values(values))
        _note_on_webhook(connection, one, answer, at)


def _note_on_webhook(connection: Connection, one: OutgoingDelivery, answer: Answer, at: datetime) -> None:
    is_it = (col(Webhook.user_id) == one.user_id, col(Webhook.url) == one.url)
    if answer.is_taken:
        connection.execute(
            update(Webhook).where(*is_it, col(Webhook.failures) > 0).values(failures=0, failing_since=None)
        )
        return
    hook = connection.execute(
        update(Webhook)
        .where(*is_it, col(Webhook.disabled_at).is_(None))
        .values(
            failures=col(Webhook.failures) + 1, failing_since=func.coalesce(col(Webhook.failing_since), at)
        )
        .returning(col(Webhook.failures), col(Webhook.failing_since))
    ).first()
    if hook is None:
        return
    has_failed_long = hook.failures >= MOST_FAILURES and at - hook.failing_since >= FAILING_FOR
    if answer.is_gone or has_failed_long:
        _switch_off(connection, one, answer, failures=hook.failures, since=hook.failing_since, at=at)


def _switch_off(  # noqa: PLR0913 - the facts of a notice
    connection: Connection,
    one: OutgoingDelivery,
    answer: Answer,
    *,
    failures: int,
    since: datetime,
    at: datetime,
) -> None:
    connection.execute(update(Webhook).where(col(Webhook.user_id) == one.user_id).values(disabled_at=at))
    connection.execute(
        update(WebhookDelivery)
        .where(col(WebhookDelivery.user_id) == one.user_id, *_IS_OPEN)
        .values(given_up_at=at)
    )
    notify(
        connection,
        to=[one.user_id],
        kind=NoticeKind.WEBHOOK_DISABLED,
        facts={
            "host": urlsplit(one.url).hostname or "",
            "since_at": since.isoformat(),
            "failures": failures,
            "problem": answer.problem,
        },
        at=at,
        key=f"{NoticeKind.WEBHOOK_DISABLED}:{at.isoformat()}",
    )
