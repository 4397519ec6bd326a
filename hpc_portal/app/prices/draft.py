"""Prepare prices without anybody being charged by them: open, edit and discard a draft."""

from collections.abc import Sequence

from sqlalchemy import Connection

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require, title_problem
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.permissions import Action
from hpc_portal.app.prices.checks import require_prices
from hpc_portal.app.services import Services
from quotas.draft_prices import edit_draft, open_draft, read_draft, take_draft
from quotas.errors import NoPriceList
from quotas.pricing import PriceItem
from quotas.publish_prices import current_price_list


def draft_prices(
    services: Services, actor: Actor, *, name: str, items: Sequence[PriceItem] | None = None
) -> int:
    """Open a draft with these prices, or with a copy of those in force; its id.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry, InvalidAmount: the name or a price makes no sense.
    """
    permissions.require(actor, Action.GRANT)
    require([title_problem("name", name)])
    if items is not None:
        require_prices(items)
    now = services.clock.now()

    def work(connection: Connection) -> int:
        copied_from = None
        prices = items
        if prices is None:
            try:
                in_force = current_price_list(connection, now)
                copied_from, prices = in_force.version, in_force.items
            except NoPriceList:
                prices = ()
        draft_id = open_draft(
            connection, prices, name=name, copied_from=copied_from, actor_id=actor.user_id, at=now
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="prices.drafted",
            subject=name,
            draft=draft_id,
            copied_from=copied_from,
        )
        return draft_id

    return transact(services.engine, work)


def change_draft(  # noqa: PLR0913 - the facts of an edit
    services: Services, actor: Actor, draft_id: int, *, name: str, items: Sequence[PriceItem], edition: int
) -> None:
    """Replace the prices of a draft, as it was at that edition.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry, InvalidAmount: the name or a price makes no sense.
        DraftNotFound, DraftChanged: somebody was faster; nothing is changed.
    """
    permissions.require(actor, Action.GRANT)
    require([title_problem("name", name)])
    require_prices(items)
    now = services.clock.now()

    def work(connection: Connection) -> None:
        was = read_draft(connection, draft_id)
        edit_draft(connection, draft_id, items, name=name, edition=edition, at=now)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="prices.draft_changed",
            subject=name,
            draft=draft_id,
            was=_rates(was.items),
            prices=_rates(items),
        )

    transact(services.engine, work)


def discard_draft(services: Services, actor: Actor, draft_id: int) -> None:
    """Throw a draft away.

    Raises:
        NotAllowed: only administrators may.
        DraftNotFound: it is gone already.
    """
    permissions.require(actor, Action.GRANT)
    now = services.clock.now()

    def work(connection: Connection) -> None:
        draft = take_draft(connection, draft_id, edition=None, at=now)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="prices.draft_discarded",
            subject=draft.name,
            draft=draft_id,
            was=_rates(draft.items),
        )

    transact(services.engine, work)


def _rates(items: Sequence[PriceItem]) -> dict[str, int]:
    return {
        f"{item.tres}@{item.partition}" if item.partition else item.tres: item.rate_vnd_per_hour
        for item in items
    }
