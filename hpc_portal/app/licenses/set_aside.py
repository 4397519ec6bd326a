"""Tells a cluster that counts its licences itself what others use of them, and what is kept for projects."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from hpc_portal.app import cluster_views
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.licenses.supply import kept_for_projects, license_supplies
from schedulers.errors import SchedulerRefused, SchedulerUnavailable
from schedulers.set_aside_licenses import SetAside, SetsLicensesAside

log = structlog.get_logger()

SET_ASIDE_SECONDS = 5.0
_SAY_AGAIN = timedelta(minutes=20)
"""The cluster forgets what is outside after an hour."""
_TRY_AGAIN = timedelta(minutes=1)
"""What was refused may be taken later: an account of the project's that is new, say."""


class SetAsideLicensesStep:
    """The controller's part; remembers what it said last, and says it again after a restart."""

    def __init__(self, context: ControllerContext, cluster: SetsLicensesAside) -> None:
        self._context = context
        self._cluster = cluster
        self._said: tuple[SetAside, datetime] | None = None
        self._refused: Mapping[str, str] = {}

    async def __call__(self) -> bool:
        """Say how many, if that is not what was said; there is never more to do at once.

        Raises:
            SchedulerUnavailable: the cluster could not be asked, or told nothing.
        """
        name = self._context.scheduler.name
        wanted = await self._context.read(lambda connection: set_aside_of(connection, cluster=name))
        if wanted is None:
            return False
        now = self._context.clock.now()
        is_new = not self._said or self._said[0] != wanted
        if self._said and not is_new and now - self._said[1] < (_TRY_AGAIN if self._refused else _SAY_AGAIN):
            return False
        try:
            refused = await self._cluster.set_aside(wanted)
        except SchedulerRefused as no:
            raise SchedulerUnavailable(no.reason) from no
        if is_new:
            log.info("licenses.set_aside", cluster=name, outside=wanted.outside, kept=wanted.kept)
        for reservation, words in refused.items():
            if self._refused.get(reservation) != words:
                log.warning("licenses.refused", cluster=name, reservation=reservation, reason=words)
        self._said, self._refused = (wanted, now), refused
        return False


def set_aside_of(connection: Connection, *, cluster: str) -> SetAside | None:
    """Of the features that the cluster counts; what is outside goes first. None: it was not seen yet."""
    totals = _totals(connection, cluster)
    if totals is None:
        return None
    outside = in_use_outside(connection, cluster=cluster)
    kept: dict[str, dict[str, int]] = defaultdict(dict)
    for feature, by_project in kept_for_projects(connection).items():
        room = totals.get(feature, 0) - outside.get(feature, 0)
        for project, count in as_far_as_there_are(by_project, room).items():
            kept[project][feature] = count
    return SetAside(outside, dict(kept))


def as_far_as_there_are(kept: Mapping[str, int], room: int) -> dict[str, int]:
    """Those who have most kept give up first, one each; who has none left is not among them. Pure."""
    left = {project: min(count, room) for project, count in sorted(kept.items())}
    while sum(left.values()) > room:
        left[max(left, key=lambda project: left[project])] -= 1
    return {project: count for project, count in left.items() if count}


def in_use_outside(connection: Connection, *, cluster: str) -> dict[str, int]:
    """By feature: how many of the cluster's licences its jobs cannot have, above zero.

    Those that the cluster counts and its server does not issue are among them.
    """
    totals = _totals(connection, cluster) or {}
    supplies = license_supplies(connection, totals)
    gone = {
        feature: total - (supplies[feature].total - supplies[feature].outside)
        for feature, total in sorted(totals.items())
        if feature in supplies
    }
    return {feature: count for feature, count in gone.items() if count}


def _totals(connection: Connection, cluster: str) -> dict[str, int] | None:
    """By feature, as the cluster counts."""
    for snapshot in cluster_views.load(connection):
        if snapshot.name == cluster:
            return {counted.feature: counted.total for counted in snapshot.licenses}
    return None
