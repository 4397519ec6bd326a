"""What Prometheus is told of the whole portal, on both databases."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Connection, insert

from hpc_portal.app import cluster_views, outages
from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.track import track_once
from hpc_portal.app.notices.tables import Mail
from hpc_portal.app.tables import ClusterPart
from hpc_portal.app.telemetry.portal_state import PortalState, Site
from quotas.discrepancies import Finding, report
from quotas.usage_tables import DiscrepancyKind
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec


def told(
    story: Story,
    *,
    sends_mail: bool = True,
    backup_late_hours: int = 0,
    workspaces: Path | None = None,
    scaled: str | None = "memory",
) -> dict[tuple[str, tuple[str, ...]], float]:
    """Each sample by its name and the values of its labels."""
    site = Site(
        sends_mail=sends_mail, workspaces=workspaces, backup_late_hours=backup_late_hours, scaled=scaled
    )
    state = PortalState(story.city.services.engine, story.clock, site)
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for metric in state.collect()
        for sample in metric.samples
    }


def test_the_queue_and_its_age_are_told_until_the_cluster_has_the_job(story: Story) -> None:
    story.submit(spec())
    story.clock.advance(90)

    waiting = told(story)

    assert waiting["hpc_database_up", ()] == 1
    assert waiting["hpc_jobs", ("memory", "accepted", "PENDING")] == 1
    assert waiting["hpc_oldest_undispatched_seconds", ("memory",)] == pytest.approx(90, abs=1)

    story.step()

    dispatched = told(story)
    assert dispatched["hpc_jobs", ("memory", "tracked", "RUNNING")] == 1
    assert ("hpc_oldest_undispatched_seconds", ("memory",)) not in dispatched


def test_runs_that_nobody_charged_are_told_with_their_age(story: Story) -> None:
    story.submit(spec())
    story.step()
    story.scheduler.finish_all()
    asyncio.run(track_once(story.context, story.tracker))
    story.clock.advance(60)

    ended = told(story)

    assert ended["hpc_runs_unsettled", ("memory",)] == 1
    assert ended["hpc_settlement_lag_seconds", ("memory",)] == pytest.approx(60, abs=1)

    story.step()

    assert ("hpc_runs_unsettled", ("memory",)) not in told(story)


def test_outages_leases_findings_and_mails_are_told(story: Story) -> None:
    now = story.clock.now()
    mail = {
        "id": new_id(),
        "key": "test",
        "address": "lan@dsac.example",
        "locale": "vi",
        "kind": "job.ended",
        "created_at": now,
        "not_before": now - timedelta(minutes=5),
    }

    def write(connection: Connection) -> None:
        outages.begin(connection, "memory", ClusterPart.SCHEDULER, "no route", at=now - timedelta(hours=1))
        report(connection, [Finding(DiscrepancyKind.LEDGER, "test", {"problem": "off by 1"})], at=now)
        connection.execute(insert(Mail).values(mail))

    transact(story.city.services.engine, write)

    found = told(story)

    assert found["hpc_cluster_part_out_seconds", ("memory", "scheduler")] == 3600
    assert found["hpc_lease_remaining_seconds", ("controller:memory",)] > 0
    assert found["hpc_discrepancies_open", ("ledger",)] == 1
    assert found["hpc_mails_waiting", ()] == 1
    assert found["hpc_mail_overdue_seconds", ()] == pytest.approx(300, abs=1)
    assert told(story, sends_mail=False)["hpc_mail_overdue_seconds", ()] == 0


def test_nodes_gpus_and_licences_are_told_by_cluster(story: Story) -> None:
    [cluster] = story.city.services.clusters.get()
    transact(story.city.services.engine, lambda connection: cluster_views.save(connection, cluster))

    found = told(story)

    nodes = sum(value for (name, labels), value in found.items() if name == "hpc_nodes")
    assert nodes == len(cluster.nodes)
    for kind in {kind for node in cluster.nodes for kind in node.gpus}:
        total = sum(node.gpus.get(kind, 0) for node in cluster.nodes)
        assert found["hpc_gpus", (cluster.name, kind, "total")] == total


def test_a_database_out_of_reach_is_told_and_nothing_else(story: Story) -> None:
    gone = PortalState(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none"), story.clock)

    assert [(sample.name, sample.value) for metric in gone.collect() for sample in metric.samples] == [
        ("hpc_database_up", 0)
    ]


def test_submissions_dispatches_and_settlements_are_counted(story: Story) -> None:
    before = _counted()
    story.submit(spec())
    story.step()
    story.scheduler.finish_all()
    story.step()

    after = _counted()

    assert {name: after[name] - before[name] for name in after} == dict.fromkeys(after, 1)


def _counted() -> dict[str, float]:
    asked = {
        "hpc_jobs_submitted_total": {"cluster": "memory"},
        "hpc_jobs_dispatched_total": {"cluster": "memory", "outcome": "accepted"},
        "hpc_runs_settled_total": {"cluster": "memory"},
        "hpc_job_wait_seconds_count": {"cluster": "memory"},
    }
    return {name: REGISTRY.get_sample_value(name, labels) or 0 for name, labels in asked.items()}
