"""The limits of organisations, projects and people: set them, read those that one job meets."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, false, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from quotas.checks import require_whole
from quotas.limits import Limit, LimitKind, LimitOwner
from quotas.tables import QuotaLimit, table_of

_LIMITS = table_of(QuotaLimit)
_KEY = ("owner_kind", "owner_id", "kind", "gpu_type")
_FACTS = ("value", "set_by", "set_at")
_UPSERT = {
    name: new.on_conflict_do_update(index_elements=_KEY, set_={fact: new.excluded[fact] for fact in _FACTS})
    for name, new in (("postgresql", postgresql.insert(_LIMITS)), ("sqlite", sqlite.insert(_LIMITS)))
}
_LARGEST_LIMIT = 2**31 - 1


def set_limit(  # noqa: PLR0913 - one row, every column by keyword
    conn: Connection,
    *,
    owner_kind: LimitOwner,
    owner_id: UUID,
    kind: LimitKind,
    value: int | None,
    gpu_type: str = "",
    actor_id: UUID | None,
    at: datetime,
) -> None:
    """Set a limit, or remove it with None.

    Raises:
        InvalidAmount: the value is negative or no 32-bit number.
    """
    key = {"owner_kind": owner_kind, "owner_id": owner_id, "kind": kind, "gpu_type": gpu_type}
    if value is None:
        conn.execute(delete(_LIMITS).where(*(_LIMITS.c[name] == part for name, part in key.items())))
        return
    require_whole(kind, value, most=_LARGEST_LIMIT)
    conn.execute(_UPSERT[conn.dialect.name], {**key, "value": value, "set_by": actor_id, "set_at": at})


def limited_owners(conn: Connection) -> frozenset[UUID]:
    """Ids of all organisations, projects and people that have a limit."""
    return frozenset(conn.execute(select(_LIMITS.c.owner_id).distinct()).scalars())


def read_limits(conn: Connection, owners: Mapping[LimitOwner, tuple[UUID, str]]) -> list[Limit]:
    """All limits of these owners; each is given with its id and the name that messages call it by."""
    is_owned = or_(
        false(),
        *(
            (_LIMITS.c.owner_kind == kind) & (_LIMITS.c.owner_id == owner_id)
            for kind, (owner_id, _) in owners.items()
        ),
    )
    rows = conn.execute(select(_LIMITS).where(is_owned))
    return [
        Limit(row.owner_kind, owners[row.owner_kind][1], row.kind, row.value, row.gpu_type) for row in rows
    ]
