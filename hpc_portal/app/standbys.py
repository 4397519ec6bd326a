"""Controllers that wait for a lease say so: one that is not there is seen before it is needed."""

from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlmodel import col

from hpc_portal.app.tables import ControllerStandby, Lease
from quotas.journal import insert_once
from quotas.tables import table_of

SAY_EVERY_SECONDS = 10.0
IS_THERE_FOR = timedelta(seconds=45)
"""After its last word; a few words may get lost."""
_FORGOTTEN_AFTER = timedelta(days=1)
_STANDBYS = table_of(ControllerStandby)


def say_standing_by(connection: Connection, lease: str, *, holder: str, at: datetime) -> None:
    """Note that this process waits for the lease; those of yesterday are forgotten."""
    row = {"lease": lease, "holder": holder, "seen_at": at}
    connection.execute(insert_once(_STANDBYS)[connection.dialect.name], row)
    connection.execute(update(ControllerStandby).where(_is(lease, holder)).values(seen_at=at))
    is_of_yesterday = col(ControllerStandby.seen_at) < at - _FORGOTTEN_AFTER
    connection.execute(delete(ControllerStandby).where(is_of_yesterday))


def stop_standing_by(connection: Connection, lease: str, *, holder: str) -> None:
    """It won the lease, or leaves."""
    connection.execute(delete(ControllerStandby).where(_is(lease, holder)))


def count_standing_by(connection: Connection, *, at: datetime) -> Counter[str]:
    """How many wait for each controller's lease that somebody has or had; 0 is told, too."""
    leases = connection.execute(select(col(Lease.name)).where(col(Lease.name).startswith("controller:")))
    found = Counter(dict.fromkeys(leases.scalars(), 0))
    waiting = (
        select(col(ControllerStandby.lease), func.count())
        .where(col(ControllerStandby.seen_at) > at - IS_THERE_FOR)
        .group_by(col(ControllerStandby.lease))
    )
    for lease, number in connection.execute(waiting):
        found[lease] += number
    return found


def _is(lease: str, holder: str) -> ColumnElement[bool]:
    return (col(ControllerStandby.lease) == lease) & (col(ControllerStandby.holder) == holder)
