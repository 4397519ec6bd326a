"""The limits of organisations, projects and people: set them, read those that one job meets."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, false, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from quotas.checks import require_whole
from quotas.errors import InvalidAmount
from quotas.limits import EVERYBODY, GPU_KINDS, Limit, LimitKind, LimitOwner, Owner
from quotas.tables import QuotaLimit, table_of
from schedulers import tres
from schedulers.errors import InvalidJobSpec

_LIMITS = table_of(QuotaLimit)
_KEY = ("owner_kind", "owner_id", "within_id", "kind", "gpu_type")
_FACTS = ("value", "set_by", "set_at")
_UPSERT = {
    name: new.on_conflict_do_update(index_elements=_KEY, set_={fact: new.excluded[fact] for fact in _FACTS})
    for name, new in (("postgresql", postgresql.insert(_LIMITS)), ("sqlite", sqlite.insert(_LIMITS)))
}
LARGEST_LIMIT = 2**31 - 1
_LONGEST_GPU_TYPE = 64


def set_limit(  # noqa: PLR0913 - one row, every column by keyword
    conn: Connection,
    *,
    owner_kind: LimitOwner,
    owner_id: UUID,
    within_id: UUID = EVERYBODY,
    kind: LimitKind,
    value: int | None,
    gpu_type: str = "",
    actor_id: UUID | None,
    at: datetime,
) -> int | None:
    """Set a limit, or remove it with None; what it was before. `owner_id` EVERYBODY sets a default.

    Raises:
        InvalidAmount: the value is negative or no 32-bit number, or the GPU type makes no sense here.
    """
    _require_gpu_type(kind, gpu_type)
    key = {
        "owner_kind": owner_kind,
        "owner_id": owner_id,
        "within_id": within_id,
        "kind": kind,
        "gpu_type": gpu_type,
    }
    is_it = [_LIMITS.c[name] == part for name, part in key.items()]
    before: int | None = conn.execute(select(_LIMITS.c.value).where(*is_it)).scalar_one_or_none()
    if value is None:
        conn.execute(delete(_LIMITS).where(*is_it))
        return before
    require_whole(kind, value, most=LARGEST_LIMIT)
    conn.execute(_UPSERT[conn.dialect.name], {**key, "value": value, "set_by": actor_id, "set_at": at})
    return before


def limited_owners(conn: Connection) -> frozenset[UUID]:
    """Ids of all organisations, projects and people that have a limit; EVERYBODY when there is a default."""
    return frozenset(conn.execute(select(_LIMITS.c.owner_id).distinct()).scalars())


def read_limits(conn: Connection, owners: Iterable[Owner]) -> list[Limit]:
    """All limits of these owners: their own, and the defaults where they have none."""
    wanted = list(owners)
    rows = conn.execute(select(_LIMITS).where(or_(false(), *map(_concerns, wanted)))).all()
    defaults = [row for row in rows if row.owner_id == EVERYBODY]
    own = [row for row in rows if row.owner_id != EVERYBODY]
    found: list[Limit] = []
    for owner in wanted:
        effective = {(row.kind, row.gpu_type): row for row in defaults if row.owner_kind is owner.kind}
        for row in own:
            if (row.owner_kind, row.owner_id, row.within_id) == (owner.kind, owner.id, owner.within):
                effective[row.kind, row.gpu_type] = row
        found += (
            Limit(owner.kind, owner.name, kind, row.value, gpu_type, row.owner_id == EVERYBODY)
            for (kind, gpu_type), row in effective.items()
        )
    return found


def read_all_limits(
    conn: Connection,
) -> Mapping[tuple[LimitOwner, UUID, UUID], Mapping[tuple[LimitKind, str], int]]:
    """Every limit by its owner (kind, id and project of a person within one); defaults under EVERYBODY."""
    found: dict[tuple[LimitOwner, UUID, UUID], dict[tuple[LimitKind, str], int]] = {}
    for row in conn.execute(select(_LIMITS)):
        owner = (row.owner_kind, row.owner_id, row.within_id)
        found.setdefault(owner, {})[row.kind, row.gpu_type] = row.value
    return found


def _concerns(owner: Owner) -> ColumnElement[bool]:
    own = (_LIMITS.c.owner_id == owner.id) & (_LIMITS.c.within_id == owner.within)
    return (_LIMITS.c.owner_kind == owner.kind) & (own | (_LIMITS.c.owner_id == EVERYBODY))


def _require_gpu_type(kind: LimitKind, gpu_type: str) -> None:
    if not gpu_type:
        return
    if kind not in GPU_KINDS:
        raise InvalidAmount("gpu_type", "makes no sense with a limit of %(kind)s", kind=str(kind))
    try:
        tres.require_tres(tres.gpu_tres(gpu_type))
    except InvalidJobSpec:
        raise InvalidAmount("gpu_type", "%(gpu_type)s is no type of GPU", gpu_type=gpu_type) from None
    if len(gpu_type) > _LONGEST_GPU_TYPE:
        raise InvalidAmount("gpu_type", "has at most %(most)s characters", most=_LONGEST_GPU_TYPE)
