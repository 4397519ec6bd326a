"""Price lists in the making: open one, edit it, take it away; jobs are never priced by them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update

from quotas.errors import DraftChanged, DraftNotFound
from quotas.price_tables import PriceDraft, PriceDraftItem
from quotas.pricing import PriceItem, PriceList
from quotas.tables import table_of

_DRAFTS = table_of(PriceDraft)
_ITEMS = table_of(PriceDraftItem)


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody prepares."""

    id: int
    name: str
    copied_from: int | None
    edition: int
    """An edit or a publication names the one that it saw."""
    created_by: UUID | None
    changed_at: datetime
    items: tuple[PriceItem, ...]


def open_draft(  # noqa: PLR0913 - one row, every column by keyword
    conn: Connection,
    items: Sequence[PriceItem],
    *,
    name: str,
    copied_from: int | None,
    actor_id: UUID | None,
    at: datetime,
) -> int:
    """A new draft; its id.

    Raises:
        InvalidAmount: a resource has two prices in one partition.
    """
    PriceList(id=0, version=0, items=tuple(items))
    row = {
        "name": name,
        "copied_from": copied_from,
        "edition": 1,
        "created_by": actor_id,
        "created_at": at,
        "changed_at": at,
    }
    draft_id: int = conn.execute(insert(_DRAFTS).returning(_DRAFTS.c.id), row).scalar_one()
    _write(conn, draft_id, items)
    return draft_id


def edit_draft(  # noqa: PLR0913 - the facts of an edit
    conn: Connection, draft_id: int, items: Sequence[PriceItem], *, name: str, edition: int, at: datetime
) -> None:
    """Replace all prices of a draft.

    Raises:
        DraftNotFound: it was published or discarded.
        DraftChanged: somebody edited it since that edition; nothing is changed.
        InvalidAmount: a resource has two prices in one partition.
    """
    PriceList(id=0, version=0, items=tuple(items))
    _require_edition(conn, draft_id, edition, name=name, changed_at=at)
    conn.execute(delete(_ITEMS).where(_ITEMS.c.draft_id == draft_id))
    _write(conn, draft_id, items)


def take_draft(conn: Connection, draft_id: int, *, edition: int | None, at: datetime) -> Draft:
    """Take a draft away, to publish or discard it; `edition` None takes it as it is.

    Raises:
        DraftNotFound: somebody took it before.
        DraftChanged: somebody edited it since that edition; nothing is changed.
    """
    if edition is not None:
        _require_edition(conn, draft_id, edition, changed_at=at)
    draft = read_draft(conn, draft_id)
    conn.execute(delete(_ITEMS).where(_ITEMS.c.draft_id == draft_id))
    if conn.execute(delete(_DRAFTS).where(_DRAFTS.c.id == draft_id)).rowcount == 0:
        raise DraftNotFound(draft_id)
    return draft


def read_draft(conn: Connection, draft_id: int) -> Draft:
    """One draft.

    Raises:
        DraftNotFound: it was published or discarded, or never was.
    """
    row = conn.execute(select(_DRAFTS).where(_DRAFTS.c.id == draft_id)).one_or_none()
    if row is None:
        raise DraftNotFound(draft_id)
    items = conn.execute(
        select(_ITEMS).where(_ITEMS.c.draft_id == draft_id).order_by(_ITEMS.c.tres, _ITEMS.c.partition)
    )
    return Draft(
        id=row.id,
        name=row.name,
        copied_from=row.copied_from,
        edition=row.edition,
        created_by=row.created_by,
        changed_at=row.changed_at,
        items=tuple(PriceItem(item.tres, item.rate_vnd_per_hour, item.partition or None) for item in items),
    )


def list_drafts(conn: Connection) -> list[Draft]:
    """All drafts, the one that was changed last in front."""
    ids = conn.execute(select(_DRAFTS.c.id).order_by(_DRAFTS.c.changed_at.desc(), _DRAFTS.c.id.desc()))
    return [read_draft(conn, draft_id) for draft_id in ids.scalars().all()]


def _require_edition(conn: Connection, draft_id: int, edition: int, **values: object) -> None:
    """Count an edit of just that edition: of two at the same instant, one finds another."""
    seen = update(_DRAFTS).where(_DRAFTS.c.id == draft_id, _DRAFTS.c.edition == edition)
    if conn.execute(seen.values(edition=edition + 1, **values)).rowcount == 0:
        now = read_draft(conn, draft_id)
        raise DraftChanged(now.name, now.edition)


def _write(conn: Connection, draft_id: int, items: Sequence[PriceItem]) -> None:
    if items:
        conn.execute(
            insert(_ITEMS),
            [
                {
                    "draft_id": draft_id,
                    "tres": item.tres,
                    "partition": item.partition or "",
                    "rate_vnd_per_hour": item.rate_vnd_per_hour,
                }
                for item in items
            ],
        )
