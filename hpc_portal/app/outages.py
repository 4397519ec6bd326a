"""What of a cluster does not answer and since when, kept by the controller so that pages can say so."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.tables import ClusterOutage, ClusterPart
from schedulers.errors import SchedulerUnavailable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outage:
    """A part of a cluster that does not answer."""

    cluster: str
    part: ClusterPart
    since: datetime
    problem: str
    """In the words of who noticed; may name hosts, so that it is for administrators."""


def begin(connection: Connection, cluster: str, part: ClusterPart, problem: str, *, at: datetime) -> None:
    """Note it, unless it is known already: then the outage goes on since it began."""
    is_it = (col(ClusterOutage.cluster) == cluster, col(ClusterOutage.part) == part)
    known = connection.execute(update(ClusterOutage).where(*is_it).values(problem=problem))
    if not known.rowcount:
        values = {"cluster": cluster, "part": part, "since": at, "problem": problem}
        connection.execute(insert(ClusterOutage).values(values))


def end(connection: Connection, cluster: str, part: ClusterPart) -> None:
    """It answers again; that it did all the time is fine, too."""
    is_it = (col(ClusterOutage.cluster) == cluster, col(ClusterOutage.part) == part)
    connection.execute(delete(ClusterOutage).where(*is_it))


def load(connection: Connection) -> list[Outage]:
    """Every outage, by cluster."""
    rows = connection.execute(
        select(
            col(ClusterOutage.cluster),
            col(ClusterOutage.part),
            col(ClusterOutage.since),
            col(ClusterOutage.problem),
        ).order_by(col(ClusterOutage.cluster), col(ClusterOutage.part))
    )
    return [Outage(*row) for row in rows]


class OutageWatch:
    """Notes what the steps of one controller's turn learn about the parts of its cluster."""

    def __init__(self, context: ControllerContext) -> None:
        self._context = context
        self._answers: dict[ClusterPart, bool] = {}
        """What is written down; nothing is known of the time before this turn."""

    def decides(
        self, part: ClusterPart, step: Callable[[], Awaitable[bool]]
    ) -> Callable[[], Awaitable[bool]]:
        """The step, whose success shows that the part answers, and whose SchedulerUnavailable that not.

        It is tried again at the loop's usual pace: nothing is wrong with the portal.
        """

        async def watched() -> bool:
            try:
                has_more = await step()
            except SchedulerUnavailable as error:
                await self._lost(part, str(error))
                return False
            await self._back(part)
            return has_more

        return watched

    def endures(self, step: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
        """The step; that the cluster does not answer is no failure, but says little: it may ask nothing."""

        async def enduring() -> bool:
            try:
                return await step()
            except SchedulerUnavailable as error:
                log.info("cluster.no_answer", cluster=self._context.scheduler.name, problem=str(error))
                return False

        return enduring

    async def _lost(self, part: ClusterPart, problem: str) -> None:
        if self._answers.get(part, True):
            name, now = self._context.scheduler.name, self._context.clock.now()
            log.warning("cluster.lost", cluster=name, part=part.value, problem=problem)
            await self._context.write(lambda connection: begin(connection, name, part, problem, at=now))
            self._answers[part] = False

    async def _back(self, part: ClusterPart) -> None:
        if not self._answers.get(part, False):
            name = self._context.scheduler.name
            await self._context.write(partial(end, cluster=name, part=part))
            if part in self._answers:
                log.info("cluster.back", cluster=name, part=part.value)
            self._answers[part] = True
