"""The state of the whole portal, read from the database whenever Prometheus asks: queue, lags, findings."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from hpc_portal.app import cluster_views, outages
from hpc_portal.app.clock import Clock
from hpc_portal.app.jobs.late import is_uncharged, is_undispatched
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.notices.tables import Mail
from hpc_portal.app.tables import Job, JobTask, Lease
from hpc_portal.app.telemetry.operators_state import read_operators_state
from hpc_portal.app.telemetry.wanted import read_wanted
from quotas.usage_tables import DiscrepancyRow, DiscrepancyState
from schedulers.cluster import ClusterSnapshot

log = structlog.get_logger(__name__)

_UNDER_WAY = (Phase.ACCEPTED, Phase.DISPATCHING, Phase.TRACKED, Phase.ENDED)


@dataclass(frozen=True, slots=True)
class Site:
    """What of the settings decides what is told."""

    sends_mail: bool = True
    """Where the portal sends none, mails wait, and none is late."""
    workspaces: Path | None = None
    backup_late_hours: int = 0
    scaled: str | None = None
    """The cluster whose nodes are made and taken away as jobs want them; of no other it is told."""


class PortalState(Collector):
    """Every process tells the same: ask for `max by (...)`."""

    def __init__(self, engine: Engine, clock: Clock, site: Site = Site()) -> None:
        self._engine = engine
        self._clock = clock
        self._site = site

    def collect(self) -> Iterator[Metric]:
        """One transaction that reads; of a database out of reach only that is told."""
        reachable = GaugeMetricFamily("hpc_database_up", "Whether the database answers.")
        found: list[Metric] = []
        try:
            with self._engine.connect() as connection:
                now = self._clock.now()
                found = list(_read(connection, now, self._site))
                found += read_operators_state(
                    connection,
                    now,
                    workspaces=self._site.workspaces,
                    backup_late_hours=self._site.backup_late_hours,
                )
        except SQLAlchemyError as problem:
            log.warning("metrics.database_unavailable", problem=str(problem))
        reachable.add_metric([], bool(found))
        yield reachable
        yield from found

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not ask the database."""
        return iter(())


def _read(connection: Connection, now: datetime, site: Site) -> Iterator[Metric]:
    yield from _queue(connection, now)
    yield from _settlement(connection, now)
    yield from _clusters(connection, now, scaled=site.scaled)
    yield from _controllers(connection, now)
    yield from _findings(connection)
    yield from _mails(connection, now, sends_mail=site.sends_mail)


def _queue(connection: Connection, now: datetime) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("hpc_jobs", "Jobs that are not closed.", labels=("cluster", "phase", "state"))
    oldest = GaugeMetricFamily(
        "hpc_oldest_undispatched_seconds",
        "Age of the oldest job that no cluster has heard of, unless it is held or waits for others.",
        labels=("cluster",),
    )
    counted = (
        select(col(Job.scheduler), col(Job.phase), col(Job.state), func.count())
        .where(col(Job.phase).in_(_UNDER_WAY))
        .group_by(col(Job.scheduler), col(Job.phase), col(Job.state))
    )
    for cluster, phase, state, number in connection.execute(counted):
        jobs.add_metric([cluster, phase.value, state.value], number)
    yield jobs
    waiting = (
        select(col(Job.scheduler), func.min(col(Job.submitted_at)).label("since"))
        .where(is_undispatched())
        .group_by(col(Job.scheduler))
    )
    for cluster, since in connection.execute(waiting):
        oldest.add_metric([cluster], _age(since, now))
    yield oldest


def _settlement(connection: Connection, now: datetime) -> Iterator[Metric]:
    runs = GaugeMetricFamily("hpc_runs_unsettled", "Ended runs that are not charged.", labels=("cluster",))
    lag = GaugeMetricFamily("hpc_settlement_lag_seconds", "Age of the oldest of them.", labels=("cluster",))
    unsettled = (
        select(col(Job.scheduler), func.count(), func.min(col(JobTask.ended_at)))
        .select_from(JobTask)
        .join(Job, col(Job.id) == col(JobTask.job_id))
        .where(is_uncharged())
        .group_by(col(Job.scheduler))
    )
    for cluster, number, since in connection.execute(unsettled):
        runs.add_metric([cluster], number)
        lag.add_metric([cluster], _age(since, now))
    yield from (runs, lag)


def _clusters(connection: Connection, now: datetime, *, scaled: str | None) -> Iterator[Metric]:
    age = GaugeMetricFamily("hpc_cluster_report_age_seconds", "Since the last report.", labels=("cluster",))
    nodes = GaugeMetricFamily("hpc_nodes", "Nodes.", labels=("cluster", "state"))
    gpus = GaugeMetricFamily("hpc_gpus", "GPUs of nodes.", labels=("cluster", "type", "use"))
    licenses = GaugeMetricFamily("hpc_licenses", "Licences.", labels=("cluster", "feature", "use"))
    known = cluster_views.load(connection)
    for cluster in known:
        age.add_metric([cluster.name], _age(cluster.as_of, now))
        for state, number in Counter(node.state.value for node in cluster.nodes).items():
            nodes.add_metric([cluster.name, state], number)
        for (kind, use), number in _gpus(cluster).items():
            gpus.add_metric([cluster.name, kind, use], number)
        for one in cluster.licenses:
            licenses.add_metric([cluster.name, one.feature, "used"], one.used)
            licenses.add_metric([cluster.name, one.feature, "total"], one.total)
    yield from (age, nodes, gpus, licenses)
    if scaled:
        yield from read_wanted(connection, known, scaled)
    down = GaugeMetricFamily(
        "hpc_cluster_part_out_seconds",
        "Since when a part of a cluster does not answer; there is a line only while it does not.",
        labels=("cluster", "part"),
    )
    for outage in outages.load(connection):
        down.add_metric([outage.cluster, outage.part.value], _age(outage.since, now))
    yield down


def _gpus(cluster: ClusterSnapshot) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for node in cluster.nodes:
        for kind, number in node.gpus.items():
            found[kind, "total"] += number
            found[kind, "used"] += node.allocated_gpus.get(kind, 0)
    return found


def _controllers(connection: Connection, now: datetime) -> Iterator[Metric]:
    left = GaugeMetricFamily(
        "hpc_lease_remaining_seconds",
        "How long a lease still holds; below zero nobody does its work.",
        labels=("lease",),
    )
    for name, expires_at in connection.execute(select(col(Lease.name), col(Lease.expires_at))):
        left.add_metric([name], (expires_at - now).total_seconds())
    yield left


def _findings(connection: Connection) -> Iterator[Metric]:
    found = GaugeMetricFamily(
        "hpc_discrepancies_open", "What does not add up and waits for somebody.", labels=("kind",)
    )
    open_ones = (
        select(col(DiscrepancyRow.kind), func.count())
        .where(col(DiscrepancyRow.state) == DiscrepancyState.OPEN)
        .group_by(col(DiscrepancyRow.kind))
    )
    for kind, number in connection.execute(open_ones):
        found.add_metric([kind.value], number)
    yield found


def _mails(connection: Connection, now: datetime, *, sends_mail: bool) -> Iterator[Metric]:
    waiting = (col(Mail.sent_at).is_(None), col(Mail.given_up_at).is_(None))
    number, since = connection.execute(
        select(func.count(), func.min(col(Mail.not_before))).where(*waiting)
    ).one()
    yield GaugeMetricFamily("hpc_mails_waiting", "Mails that are not sent yet.", value=number)
    overdue = _age(since, now) if since and sends_mail else 0.0
    yield GaugeMetricFamily("hpc_mail_overdue_seconds", "By how much the oldest is late.", value=overdue)


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else math.nan
