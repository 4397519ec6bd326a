"""Publish the next version of the prices, from a draft or at once, and retire one that was a mistake."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import Problem
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.permissions import Action
from hpc_portal.app.prices.checks import require_prices
from hpc_portal.app.reason import reason_problem
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationMember, OrganisationRole
from quotas.compare_prices import compare
from quotas.draft_prices import take_draft
from quotas.errors import NoPriceList
from quotas.pricing import PriceItem, PriceList
from quotas.publish_prices import current_price_list, publish_price_list, retire_price_list


def publish_prices(
    services: Services,
    actor: Actor,
    items: Sequence[PriceItem],
    *,
    valid_from: datetime | None = None,
    seen: int | None = None,
) -> PriceList:
    """Prices of new jobs from an instant on (None: now); jobs that are held already keep theirs.

    `seen` is the latest version that the publisher compared with: of two at the same instant one wins.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry: the instant has no time zone or is past, or a price is no price.
        InvalidAmount: a resource has two prices in one partition.
        PricesChanged: another version was published since `seen`.
    """
    permissions.require(actor, Action.GRANT)
    now = services.clock.now()
    _require_future(valid_from, now)
    require_prices(items)
    return transact(
        services.engine,
        lambda connection: _publish(
            connection, actor, items, valid_from=valid_from or now, seen=seen, now=now, name=""
        ),
    )


def publish_draft(  # noqa: PLR0913 - what somebody saw when they decided
    services: Services,
    actor: Actor,
    draft_id: int,
    *,
    edition: int,
    seen: int,
    valid_from: datetime | None = None,
) -> PriceList:
    """Publish a draft just as it was looked at; then it is gone.

    Args:
        services: the portal.
        actor: who decides.
        draft_id: which one.
        edition: of the draft, as looked at.
        seen: the latest published version that it was compared with.
        valid_from: from when on; None: now.

    Raises:
        DraftNotFound, DraftChanged, PricesChanged: somebody was faster; nothing is changed.
        NotAllowed, InvalidEntry, InvalidAmount: as `publish_prices`.
    """
    permissions.require(actor, Action.GRANT)
    now = services.clock.now()
    _require_future(valid_from, now)

    def work(connection: Connection) -> PriceList:
        draft = take_draft(connection, draft_id, edition=edition, at=now)
        require_prices(draft.items)
        return _publish(
            connection,
            actor,
            draft.items,
            valid_from=valid_from or now,
            seen=seen,
            now=now,
            name=draft.name,
        )

    return transact(services.engine, work)


def retire_prices(services: Services, actor: Actor, version: int, *, reason: str) -> None:
    """Let a published list price no new job: one to come never comes, and before one in force comes the last.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry: no reason is given.
        PriceListNotPublished: it cannot be retired, or was before.
    """
    permissions.require(actor, Action.GRANT)
    require([reason_problem(reason)])
    now = services.clock.now()

    def work(connection: Connection) -> None:
        retire_price_list(connection, version, actor_id=actor.user_id, at=now)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="prices.retired",
            subject=f"version {version}",
            reason=reason,
        )

    transact(services.engine, work)


def _require_future(valid_from: datetime | None, now: datetime) -> None:
    if valid_from is not None:
        is_late = valid_from.tzinfo is not None and valid_from >= now
        require([None if is_late else Problem("valid_from", "Give a future instant with its time zone.")])


def _publish(  # noqa: PLR0913 - the facts of a publication
    connection: Connection,
    actor: Actor,
    items: Sequence[PriceItem],
    *,
    valid_from: datetime,
    seen: int | None,
    now: datetime,
    name: str,
) -> PriceList:
    before: Sequence[PriceItem] = ()
    with contextlib.suppress(NoPriceList):
        before = current_price_list(connection, valid_from).items
    published = publish_price_list(
        connection, items, valid_from=valid_from, actor_id=actor.user_id, at=now, seen=seen
    )
    changes = compare(before, items)
    notify(
        connection,
        to=_all_managers(connection),
        kind=NoticeKind.PRICES_PUBLISHED,
        facts={
            "version": published.version,
            "valid_from_at": valid_from.isoformat(),
            "changes": len(changes),
        },
        at=now,
        key=f"prices:{published.version}",
    )
    audit.record(
        connection,
        at=now,
        actor=actor,
        action="prices.published",
        subject=f"version {published.version}",
        valid_from=valid_from.isoformat(),
        name=name,
        was={_label(change.tres, change.partition): change.before for change in changes},
        prices={_label(change.tres, change.partition): change.after for change in changes},
    )
    return published


def _label(tres: str, partition: str | None) -> str:
    return f"{tres}@{partition}" if partition else tres


def _all_managers(connection: Connection) -> set[UUID]:
    return set(
        connection.scalars(
            select(col(OrganisationMember.user_id)).where(
                col(OrganisationMember.role) == OrganisationRole.MANAGER
            )
        )
    )
