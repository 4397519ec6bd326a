"""The queue of a cluster by partition: how many wait and run, how long it took lately, where one's own stand.

Of other tenants there are numbers only. Jobs that went past the portal are not in it: nobody tells of them
before they have ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow
from hpc_portal.app.ids import first_id_at
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.tables import Job
from schedulers.jobstate import JobState

_LATELY = timedelta(days=1)
_MOST_STARTS = 2000
_FEWEST_STARTS = 5
"""Fewer would tell of single jobs, and be no measure."""
_WAITING = (
    col(Job.tasks_total)
    - col(Job.tasks_running)
    - col(Job.tasks_completed)
    - col(Job.tasks_failed)
    - col(Job.tasks_cancelled)
)


@dataclass(frozen=True, slots=True)
class UsualWait:
    """How long those jobs waited that were submitted and started within the last day."""

    half_seconds: int
    """Half of them started within so long."""
    most_seconds: int
    """Nine of ten did."""


@dataclass(frozen=True, slots=True)
class PartitionQueue:
    """One partition's queue."""

    partition: str
    jobs_waiting: int = 0
    tasks_waiting: int = 0
    tasks_running: int = 0
    wait: UsualWait | None = None
    """None: too few jobs started lately."""
    own_waiting: int = 0
    """Jobs of the reader's that could start as soon as it is their turn."""
    ahead: int | None = None
    """Jobs that come before the first of these by priority, then by submission; None: none of theirs waits.
    A fair share and what fits into gaps may change the order."""


def partition_queues(
    connection: Connection, actor: Actor, cluster: str, partitions: Sequence[str], *, now: datetime
) -> list[PartitionQueue]:
    """The queue of each of these partitions, in their order."""
    numbers = {row.partition: row for row in connection.execute(_numbers(cluster))}
    waits = _waits(connection, cluster, now)
    places = _places(connection, actor, cluster)
    found = []
    for name in partitions:
        row = numbers.get(name)
        own, ahead = places.get(name, (0, None))
        found.append(
            PartitionQueue(
                partition=name,
                jobs_waiting=row.jobs_waiting if row else 0,
                tasks_waiting=int(row.tasks_waiting or 0) if row else 0,
                tasks_running=int(row.tasks_running or 0) if row else 0,
                wait=usual_wait(waits.get(name, ())),
                own_waiting=own,
                ahead=ahead,
            )
        )
    return found


def usual_wait(seconds: Sequence[float]) -> UsualWait | None:
    """Of these waits; None where they are too few. Pure."""
    if len(seconds) < _FEWEST_STARTS:
        return None
    tenths = quantiles(seconds, n=10, method="inclusive")
    return UsualWait(round(tenths[4]), round(tenths[8]))


def _numbers(cluster: str) -> Select[*tuple[Any, ...]]:
    return (
        select(
            col(Job.partition),
            func.count().filter(_WAITING > 0).label("jobs_waiting"),
            func.sum(_WAITING).label("tasks_waiting"),
            func.sum(col(Job.tasks_running)).label("tasks_running"),
        )
        .where(under_way(), col(Job.scheduler) == cluster)
        .group_by(col(Job.partition))
    )


def _waits(connection: Connection, cluster: str, now: datetime) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in connection.execute(
        select(col(Job.partition), col(Job.submitted_at), col(Job.started_at))
        .where(
            col(Job.id) >= first_id_at(now - _LATELY),
            col(Job.scheduler) == cluster,
            col(Job.started_at).is_not(None),
            col(Job.is_external).is_(False),
        )
        .order_by(col(Job.id).desc())
        .limit(_MOST_STARTS)
    ):
        waited = (row.started_at - row.submitted_at).total_seconds()
        found.setdefault(row.partition, []).append(max(0.0, waited))
    return found


def _places(connection: Connection, actor: Actor, cluster: str) -> dict[str, tuple[int, int | None]]:
    could_start = (
        under_way(),
        col(Job.scheduler) == cluster,
        col(Job.state) == JobState.PENDING,
        col(Job.held_by).is_(None),
        col(Job.waits_for_jobs).is_(False),
        col(Job.cancel_requested_at).is_(None),
    )
    own = connection.execute(
        select(col(Job.id), col(Job.partition), col(Job.priority))
        .where(*could_start, col(Job.user_id) == actor.user_id)
        .order_by(col(Job.priority).desc(), col(Job.id))
    ).all()
    firsts: dict[str, AnyRow] = {}
    for row in own:
        firsts.setdefault(row.partition, row)
    ahead = _ahead(connection, could_start, firsts) if firsts else {}
    return {name: (sum(row.partition == name for row in own), ahead.get(name, 0)) for name in firsts}


def _ahead(
    connection: Connection, could_start: Sequence[ColumnElement[bool]], firsts: Mapping[str, AnyRow]
) -> dict[str, int]:
    """How many come before the person's first, by partition; counted in one walk over the jobs under way."""
    before = (
        and_(
            col(Job.partition) == name,
            or_(
                col(Job.priority) > first.priority,
                and_(col(Job.priority) == first.priority, col(Job.id) < first.id),
            ),
        )
        for name, first in firsts.items()
    )
    rows = connection.execute(
        select(col(Job.partition), func.count())
        .where(*could_start, or_(*before))
        .group_by(col(Job.partition))
    )
    return {partition: int(count) for partition, count in rows}
