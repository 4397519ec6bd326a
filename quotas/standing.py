"""Whether an allocation pays for new jobs: it, and all that it was split from, must be active."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, bindparam, select

from quotas.tables import Allocation, AllocationState, HoldPolicy, table_of

_ALLOCATIONS = table_of(Allocation)
_NOT_ENDED = (AllocationState.ACTIVE, AllocationState.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Standing:
    """One allocation, without what is in it."""

    id: UUID
    project_id: UUID
    parent_id: UUID | None
    valid_from: datetime
    valid_to: datetime
    state: AllocationState
    hold_policy: HoldPolicy

    def is_current(self, at: datetime) -> bool:
        """In its period, and not ended before: it pays now, or would if nothing stopped it."""
        return self.state in _NOT_ENDED and self.valid_from <= at < self.valid_to


Standings = Mapping[UUID, Standing]
"""By an allocation's id."""


def _with_sources(which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    chosen = select(_ALLOCATIONS.c.id, _ALLOCATIONS.c.parent_id).where(which).cte("chain", recursive=True)
    source = _ALLOCATIONS.alias("source")
    above = select(source.c.id, source.c.parent_id).join(chosen, source.c.id == chosen.c.parent_id)
    chain = chosen.union(above)
    columns = (_ALLOCATIONS.c[name] for name in Standing.__slots__)
    return select(*columns).where(_ALLOCATIONS.c.id.in_(select(chain.c.id))).order_by(_ALLOCATIONS.c.id)


_OF_IDS = _with_sources(_ALLOCATIONS.c.id.in_(bindparam("ids", expanding=True)))
_LOCK_CURRENT = _with_sources(
    _ALLOCATIONS.c.project_id.in_(bindparam("projects", expanding=True))
    & _ALLOCATIONS.c.state.in_(_NOT_ENDED)
    & (_ALLOCATIONS.c.valid_from <= bindparam("at"))
    & (_ALLOCATIONS.c.valid_to > bindparam("at"))
).with_for_update(read=True)


def lock_current(conn: Connection, projects: Collection[UUID], at: datetime) -> Standings:
    """The allocations of these projects whose period contains `at`, and all that they were split from.

    Nobody suspends or ends one of them until the transaction ends. They are locked in the order in which
    everybody does. (On SQLite the caller's BEGIN IMMEDIATE locks everything.)
    """
    return _read(conn, _LOCK_CURRENT, {"projects": list(projects), "at": at})


def load_standings(conn: Connection, ids: Collection[UUID]) -> Standings:
    """These allocations, and all that they were split from."""
    return _read(conn, _OF_IDS, {"ids": list(ids)})


def stopped_by(allocation_id: UUID, standings: Standings) -> Standing | None:
    """The first of an allocation and those that it was split from that is not active; None: all are."""
    one: Standing | None = standings[allocation_id]
    while one is not None and one.state == AllocationState.ACTIVE:
        one = standings[one.parent_id] if one.parent_id else None
    return one


def stopped_ones(conn: Connection, sources: Mapping[UUID, UUID | None]) -> Standings:
    """Which of these parts pay for nothing new, and what stops each: itself, or what it was split from.

    `sources` has by id what each was split from; of those that were not, nothing is read.
    """
    split_off = [one for one, source in sources.items() if source is not None]
    standings = load_standings(conn, split_off) if split_off else {}
    stops = {one: stopped_by(one, standings) for one in split_off}
    return {one: stop for one, stop in stops.items() if stop is not None}


def may_pay(conn: Connection, allocation_id: UUID, at: datetime) -> bool:
    """Whether an allocation may set more aside now: it is in its period, and nothing stops it."""
    standings = load_standings(conn, [allocation_id])
    return standings[allocation_id].is_current(at) and stopped_by(allocation_id, standings) is None


def _read(conn: Connection, statement: Select[*tuple[Any, ...]], values: Mapping[str, object]) -> Standings:
    return {row["id"]: Standing(**row) for row in conn.execute(statement, values).mappings()}
