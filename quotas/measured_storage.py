"""Write down what was measured of a project's storage, and ask for it to be measured again."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, and_, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from quotas.journal import insert_once
from quotas.storage_tables import StorageSample, StorageUse
from quotas.tables import Project, table_of
from schedulers.units import CITY_TIME

_USES, _SAMPLES, _PROJECTS = table_of(StorageUse), table_of(StorageSample), table_of(Project)

_SMALL_ENTRIES = 10_000
_SMALL_SOONER = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """What lies in a folder and all below it; see `StorageUse` for what each one means."""

    allocated_bytes: int = 0
    entries: int = 0
    unreadable: int = 0


def record_storage(conn: Connection, project_id: UUID, measured: Measured, *, at: datetime) -> None:
    """Keep it as the present figure, and as its day's sample if that has none yet.

    `at` is when the walk began. The caller commits.
    """
    facts = {**asdict(measured), "measured_at": at}
    conn.execute(_PRESENT[conn.dialect.name], {"project_id": project_id, **facts})
    sample = {"project_id": project_id, "day": at.astimezone(CITY_TIME).date(), **facts}
    conn.execute(_KEEP_SAMPLE[conn.dialect.name], sample)


def ask_to_measure(conn: Connection, project_id: UUID, *, at: datetime) -> None:
    """Have it measured although its figure is young; again while it waits is fine. The caller commits."""
    conn.execute(_ASK[conn.dialect.name], {"project_id": project_id, "asked_at": at})


def tell_threshold(conn: Connection, project_id: UUID, percent: int) -> int:
    """Remember which threshold people know of; returns the one that they knew before."""
    before: int = conn.execute(
        select(_USES.c.told_percent).where(_USES.c.project_id == project_id)
    ).scalar_one()
    if before != percent:
        conn.execute(update(_USES).where(_USES.c.project_id == project_id).values(told_percent=percent))
    return before


def next_to_measure(conn: Connection, *, at: datetime, every: timedelta) -> UUID | None:
    """The project with the oldest figure among those asked for, never measured, or measured so long ago.

    What takes a moment to walk is walked ten times as often: so most figures are minutes old, not hours.
    Asking puts nobody in front of a project with an older figure, so that nobody can keep others waiting.
    """
    before = {"before": at - every, "before_if_small": at - every / _SMALL_SOONER}
    found: UUID | None = conn.execute(_NEXT, before).scalar()
    return found


def _writing(*names: str) -> dict[str, postgresql.Insert | sqlite.Insert]:
    """An INSERT of these columns, or an UPDATE where the project has its row already; by dialect."""
    found: dict[str, postgresql.Insert | sqlite.Insert] = {}
    for dialect, insert in (("postgresql", postgresql.insert(_USES)), ("sqlite", sqlite.insert(_USES))):
        found[dialect] = insert.on_conflict_do_update(
            index_elements=["project_id"], set_={name: insert.excluded[name] for name in names}
        )
    return found


_PRESENT = _writing("allocated_bytes", "entries", "unreadable", "measured_at")
_ASK = _writing("asked_at")
_KEEP_SAMPLE = insert_once(_SAMPLES)
_IS_ASKED = and_(
    _USES.c.asked_at.is_not(None), or_(_USES.c.measured_at.is_(None), _USES.c.asked_at > _USES.c.measured_at)
)
_NEXT = (
    select(_PROJECTS.c.id)
    .outerjoin(_USES, _USES.c.project_id == _PROJECTS.c.id)
    .where(
        or_(
            _IS_ASKED,
            _USES.c.measured_at.is_(None),
            _USES.c.measured_at <= bindparam("before"),
            (_USES.c.entries < _SMALL_ENTRIES) & (_USES.c.measured_at <= bindparam("before_if_small")),
        )
    )
    .order_by(_USES.c.measured_at.is_not(None), _USES.c.measured_at, _PROJECTS.c.id)
    .limit(1)
)
