"""Sums up, day by day, what a cluster has, can give and gives to jobs: a step of its controller."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlmodel import col

from hpc_portal.app import cluster_views
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.reports.tables import ClusterDay
from quotas.tables import table_of
from schedulers import tres
from schedulers.cluster import ClusterSnapshot, NodeState
from schedulers.tres import Tres
from schedulers.units import CITY_TIME

WATCH_SECONDS = 60.0
"""Between two steps."""
_LONGEST_GAP = timedelta(minutes=5)
"""Of a longer time without a look nobody knows what happened in it: it counts as not observed."""

_DAYS = table_of(ClusterDay)


@dataclass(frozen=True, slots=True)
class Supply:
    """How much of one resource there is at one instant."""

    capacity: int = 0
    available: int = 0
    allocated: int = 0


class WatchCapacityStep:
    """Adds the time since the last look to the day's sums.

    The last look is remembered by this turn only: what passes while no controller is active is not observed.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context = context
        self._counted_until: datetime | None = None

    async def __call__(self) -> bool:
        """Count what has passed, as the cluster last reported itself; False: no more to do at once.

        Raises:
            LeaseLost: another controller is active; nothing was written.
        """
        context, now = self._context, self._context.clock.now()
        seen = await context.read(self._view)
        since, self._counted_until = self._counted_until, now
        if seen is None or now - seen.as_of > _LONGEST_GAP or since is None or now - since > _LONGEST_GAP:
            return False
        await context.write(lambda connection: add_look(connection, seen, since=since, until=now))
        return False

    def _view(self, connection: Connection) -> ClusterSnapshot | None:
        name = self._context.scheduler.name
        return next((one for one in cluster_views.load(connection) if one.name == name), None)


def supply_of(snapshot: ClusterSnapshot) -> dict[Tres, Supply]:
    """What the cluster has of every resource that is counted: nodes, CPUs, memory, GPUs, licences. Pure.

    A node that drains still works for the jobs on it, so that only what they hold is available there.
    """
    found: dict[Tres, Supply] = {}

    def add(name: Tres, total: int, used: int, state: NodeState) -> None:
        now = found.get(name, Supply())
        match state:
            case NodeState.UP:
                usable = total
            case NodeState.DRAINING:
                usable = min(used, total)
            case NodeState.DOWN:
                usable = used = 0
        found[name] = Supply(now.capacity + total, now.available + usable, now.allocated + min(used, total))

    for node in snapshot.nodes:
        add(tres.NODE, 1, int(node.allocated_cpus > 0 or any(node.allocated_gpus.values())), node.state)
        add(tres.CPU, node.cpus, node.allocated_cpus, node.state)
        add(tres.MEM, node.memory_mib, node.allocated_memory_mib, node.state)
        for kind, count in node.gpus.items():
            used = node.allocated_gpus.get(kind, 0)
            add(tres.GPU, count, used, node.state)
            if kind:
                add(tres.gpu_tres(kind), count, used, node.state)
    for item in snapshot.licenses:
        add(tres.license_tres(item.feature), item.total, item.used, NodeState.UP)
    return found


def local_days(since: datetime, until: datetime) -> list[tuple[date, int]]:
    """How many whole seconds of an interval fall on each local day. Pure.

    Fractions of a second are cut off at each end, never counted twice.
    """
    start, end = (int(at.timestamp()) for at in (since, until))
    found = []
    while start < end:
        day = datetime.fromtimestamp(start, CITY_TIME).date()
        midnight = datetime.combine(day + timedelta(days=1), time(), CITY_TIME)
        stop = min(end, int(midnight.timestamp()))
        found.append((day, stop - start))
        start = stop
    return found


_ADD = (
    update(_DAYS)
    .where(
        _DAYS.c.cluster == bindparam("b_cluster"),
        _DAYS.c.day == bindparam("b_day"),
        _DAYS.c.asset == bindparam("b_asset"),
    )
    .values(
        {
            name: _DAYS.c[name] + bindparam(f"b_{name}")
            for name in ("observed_seconds", "capacity", "available", "allocated")
        }
    )
)


def add_look(connection: Connection, seen: ClusterSnapshot, *, since: datetime, until: datetime) -> None:
    """Count a snapshot as having held for all of an interval; one writer for each cluster, by its lease."""
    supplies = supply_of(seen)
    for day, seconds in local_days(since, until):
        _add_day(connection, seen.name, day, seconds, supplies)


def _add_day(
    connection: Connection, cluster: str, day: date, seconds: int, supplies: Mapping[Tres, Supply]
) -> None:
    known = _known(connection, cluster, day)
    for asset, supply in supplies.items():
        amounts = {
            "observed_seconds": seconds,
            "capacity": supply.capacity * seconds,
            "available": supply.available * seconds,
            "allocated": supply.allocated * seconds,
        }
        if asset in known:
            where = {"b_cluster": cluster, "b_day": day, "b_asset": asset}
            connection.execute(_ADD, where | {f"b_{name}": value for name, value in amounts.items()})
        else:
            connection.execute(insert(_DAYS).values(cluster=cluster, day=day, asset=asset, **amounts))


def _known(connection: Connection, cluster: str, day: date) -> set[str]:
    found: Iterable[str] = connection.execute(
        select(col(ClusterDay.asset)).where(col(ClusterDay.cluster) == cluster, col(ClusterDay.day) == day)
    ).scalars()
    return set(found)
