"""Tells a cluster that counts its licences itself how many of them are in use outside, as they change."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from hpc_portal.app import cluster_views
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.licenses.supply import license_supplies
from schedulers.errors import SchedulerRefused, SchedulerUnavailable
from schedulers.outside_licenses import OutsideLicenses

log = structlog.get_logger()

SET_ASIDE_SECONDS = 5.0
_SAY_AGAIN = timedelta(minutes=20)
"""The cluster forgets after an hour."""


class SetAsideLicensesStep:
    """The controller's part; remembers what it said last, and says it again after a restart."""

    def __init__(self, context: ControllerContext, cluster: OutsideLicenses) -> None:
        self._context = context
        self._cluster = cluster
        self._said: tuple[Mapping[str, int], datetime] | None = None

    async def __call__(self) -> bool:
        """Say how many, if that is not what was said; there is never more to do at once.

        Raises:
            SchedulerUnavailable: the cluster could not be asked.
        """
        name = self._context.scheduler.name
        counts = await self._context.read(lambda connection: in_use_outside(connection, cluster=name))
        now = self._context.clock.now()
        if self._said and self._said[0] == counts and now - self._said[1] < _SAY_AGAIN:
            return False
        try:
            await self._cluster.set_aside(counts)
        except SchedulerRefused as no:
            message = f"{no.reason} (licences in use outside: {counts})"
            raise SchedulerUnavailable(message) from no
        if not self._said or self._said[0] != counts:
            log.info("licenses.set_aside", cluster=name, **counts)
        self._said = (counts, now)
        return False


def in_use_outside(connection: Connection, *, cluster: str) -> dict[str, int]:
    """By feature: how many of the cluster's licences its jobs cannot have, above zero.

    Those that the cluster counts and its server does not issue are among them.
    """
    totals = {
        counted.feature: counted.total
        for snapshot in cluster_views.load(connection)
        if snapshot.name == cluster
        for counted in snapshot.licenses
    }
    supplies = license_supplies(connection, totals)
    gone = {
        feature: total - (supplies[feature].total - supplies[feature].outside)
        for feature, total in sorted(totals.items())
        if feature in supplies
    }
    return {feature: count for feature, count in gone.items() if count}
