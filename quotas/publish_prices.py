"""Price lists: publish one, find the one in force, load the one that a hold pinned."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, insert, select

from quotas.errors import NoPriceList
from quotas.pricing import PriceItem, PriceList
from quotas.tables import PriceItemRow, PriceListRow, PriceListState, table_of

_LISTS = table_of(PriceListRow)
_ITEMS = table_of(PriceItemRow)


def publish_price_list(
    conn: Connection, items: Sequence[PriceItem], *, valid_from: datetime, actor_id: UUID | None, at: datetime
) -> PriceList:
    """Publish the next version of the prices. Jobs that are held already keep theirs.

    Raises:
        InvalidAmount: a resource has two prices in one partition.
    """
    PriceList(id=0, version=0, items=tuple(items))
    latest = conn.execute(select(func.coalesce(func.max(_LISTS.c.version), 0))).scalar_one()
    list_id: int = conn.execute(
        insert(_LISTS).returning(_LISTS.c.id),
        {
            "version": latest + 1,
            "state": PriceListState.PUBLISHED,
            "valid_from": valid_from,
            "published_at": at,
            "published_by": actor_id,
        },
    ).scalar_one()
    if items:
        conn.execute(
            insert(_ITEMS),
            [
                {
                    "price_list_id": list_id,
                    "tres": item.tres,
                    "partition": item.partition or "",
                    "rate_vnd_per_hour": item.rate_vnd_per_hour,
                }
                for item in items
            ],
        )
    return PriceList(id=list_id, version=latest + 1, items=tuple(items))


def current_price_list(conn: Connection, at: datetime) -> PriceList:
    """The published list in force: the latest start not after `at`, the higher version of two.

    Raises:
        NoPriceList: there is none.
    """
    in_force = (
        select(_LISTS.c.id)
        .where(_LISTS.c.state == PriceListState.PUBLISHED, _LISTS.c.valid_from <= at)
        .order_by(_LISTS.c.valid_from.desc(), _LISTS.c.version.desc())
        .limit(1)
    )
    list_id = conn.execute(in_force).scalar_one_or_none()
    if list_id is None:
        raise NoPriceList
    return load_price_list(conn, list_id)


def load_price_list(conn: Connection, price_list_id: int) -> PriceList:
    """The list with that id, which must exist; retired ones, too."""
    rows = conn.execute(
        select(_LISTS.c.version, _ITEMS.c.tres, _ITEMS.c.partition, _ITEMS.c.rate_vnd_per_hour)
        .outerjoin_from(_LISTS, _ITEMS, _ITEMS.c.price_list_id == _LISTS.c.id)
        .where(_LISTS.c.id == price_list_id)
        .order_by(_ITEMS.c.tres, _ITEMS.c.partition)
    ).all()
    items = tuple(
        PriceItem(row.tres, row.rate_vnd_per_hour, row.partition or None) for row in rows if row.tres
    )
    return PriceList(id=price_list_id, version=rows[0].version, items=items)
