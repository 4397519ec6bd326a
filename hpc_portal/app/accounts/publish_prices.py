"""Publish the next version of the prices."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from quotas.pricing import PriceItem, PriceList
from quotas.publish_prices import publish_price_list


def publish_prices(
    services: Services, actor: Actor, items: Sequence[PriceItem], *, valid_from: datetime | None = None
) -> PriceList:
    """Prices of new jobs from an instant on (None: now); jobs that are held already keep theirs.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry: the instant has no time zone or is past.
        InvalidAmount: a resource has two prices in one partition.
    """
    permissions.require(actor, Action.GRANT)
    now = services.clock.now()
    if valid_from is not None:
        is_late = valid_from.tzinfo is not None and valid_from >= now
        require([None if is_late else Problem("valid_from", "Give a future instant with its time zone.")])

    def work(connection: Connection) -> PriceList:
        published = publish_price_list(
            connection, items, valid_from=valid_from or now, actor_id=actor.user_id, at=now
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="prices.published",
            subject=f"version {published.version}",
            valid_from=(valid_from or now).isoformat(),
        )
        return published

    return transact(services.engine, work)
