"""Price lists: publish and retire one, find the one in force, load the one that a hold pinned."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, insert, select, update

from quotas.checks import require_instant
from quotas.errors import NoPriceList, PriceListNotPublished, PricesChanged
from quotas.journal import insert_once
from quotas.pricing import PriceItem, PriceList
from quotas.tables import PriceItemRow, PriceListRow, PriceListState, table_of

_LISTS = table_of(PriceListRow)
_ITEMS = table_of(PriceItemRow)

_IN_FORCE = (
    select(_LISTS.c.id)
    .where(_LISTS.c.state == PriceListState.PUBLISHED, _LISTS.c.valid_from <= bindparam("at"))
    .order_by(_LISTS.c.valid_from.desc(), _LISTS.c.version.desc())
    .limit(1)
)
_LOCK_PUBLISHED = (
    select(_LISTS.c.id)
    .where(_LISTS.c.id.in_(bindparam("ids", expanding=True)), _LISTS.c.state == PriceListState.PUBLISHED)
    .order_by(_LISTS.c.id)
    .with_for_update(read=True)
)


@dataclass(frozen=True, slots=True)
class PublishedList:
    """A price list, without its prices."""

    id: int
    version: int
    state: PriceListState
    valid_from: datetime
    published_at: datetime
    published_by: UUID | None
    retired_at: datetime | None


def publish_price_list(  # noqa: PLR0913 - the facts of a publication, by keyword
    conn: Connection,
    items: Sequence[PriceItem],
    *,
    valid_from: datetime,
    actor_id: UUID | None,
    at: datetime,
    seen: int | None = None,
) -> PriceList:
    """Publish the next version of the prices. Jobs that are held already keep theirs.

    `seen` is the latest version that the publisher compared with: of two who publish at the same instant
    the unique version lets one through. Without it, it is the next one after whatever there is.

    Raises:
        InvalidAmount: a resource has two prices in one partition, or the instant makes no sense.
        PricesChanged: another version was published since `seen`; nothing is changed.
    """
    PriceList(id=0, version=0, items=tuple(items))
    require_instant("valid_from", valid_from)
    latest = latest_version(conn)
    if seen is not None and seen != latest:
        raise PricesChanged(seen, latest)
    row = {
        "version": latest + 1,
        "state": PriceListState.PUBLISHED,
        "valid_from": valid_from,
        "published_at": at,
        "published_by": actor_id,
    }
    new = insert_once(_LISTS)[conn.dialect.name].returning(_LISTS.c.id)
    list_id: int | None = conn.execute(new, row).scalar_one_or_none()
    if list_id is None:
        raise PricesChanged(latest, latest_version(conn))
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


def retire_price_list(conn: Connection, version: int, *, actor_id: UUID | None, at: datetime) -> None:
    """Let a list price no new job; what was held or charged at it stays.

    One that is to come never comes; for the one in force the one before it steps in.

    Raises:
        PriceListNotPublished: there is none, it was retired before, or nothing would be in force without it.
    """
    _lock(conn)
    chosen = conn.execute(select(_LISTS).where(_LISTS.c.version == version)).one_or_none()
    if chosen is None:
        raise PriceListNotPublished(version, "does not exist")
    retires = update(_LISTS).where(_LISTS.c.id == chosen.id, _LISTS.c.state == PriceListState.PUBLISHED)
    facts = {"state": PriceListState.RETIRED, "retired_at": at, "retired_by": actor_id}
    if conn.execute(retires.values(**facts)).rowcount == 0:
        raise PriceListNotPublished(version, "was retired before")
    if chosen.valid_from <= at and conn.execute(_IN_FORCE, {"at": at}).first() is None:
        raise PriceListNotPublished(version, "is the only one in force: publish another one first")


def _lock(conn: Connection) -> None:
    """Two who retire at once wait for each other, so that one list is left; SQLite lets one write anyway."""
    conn.execute(select(_LISTS.c.id).order_by(_LISTS.c.id).with_for_update()).all()


def lock_published(conn: Connection, ids: Collection[int]) -> set[int]:
    """Those of these lists that price new jobs; nobody retires one of them until the transaction ends."""
    return set(conn.execute(_LOCK_PUBLISHED, {"ids": list(ids)}).scalars()) if ids else set()


def latest_version(conn: Connection) -> int:
    """The highest version that was ever published; 0 for none."""
    return int(conn.execute(select(func.coalesce(func.max(_LISTS.c.version), 0))).scalar_one())


def list_price_lists(conn: Connection) -> list[PublishedList]:
    """All that were ever published, the newest version in front."""
    rows = conn.execute(select(_LISTS).order_by(_LISTS.c.version.desc()))
    return [
        PublishedList(
            id=row.id,
            version=row.version,
            state=row.state,
            valid_from=row.valid_from,
            published_at=row.published_at,
            published_by=row.published_by,
            retired_at=row.retired_at,
        )
        for row in rows
    ]


def current_price_list(conn: Connection, at: datetime) -> PriceList:
    """The published list in force: the latest start not after `at`, the higher version of two.

    Raises:
        NoPriceList: there is none.
    """
    list_id = conn.execute(_IN_FORCE, {"at": at}).scalar_one_or_none()
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
