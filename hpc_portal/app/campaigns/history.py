"""A campaign beside its earlier ones of the same name: rates, runtimes and coverage by test, flaky cells.

That the reader may see the campaign is the caller's to know: those of its name in its project are the same
tenant's.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, select
from sqlmodel import Session, col

from hpc_portal.app.campaigns.queries import CampaignView
from hpc_portal.app.campaigns.tables import Campaign, CampaignResult, CampaignRun, CampaignTest
from workloads.template import Verdict

MOST_CAMPAIGNS = 20
_MOST_FLAKY = 100
_MOST_RESULTS = 100_000
_MOST_KEPT = 64
_COVERAGE = "coverage_total"
"""The metric of a run that tells which part of the design all passing tasks together hit, in per cent."""


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """How one test did in one campaign."""

    campaign_id: UUID
    created_at: datetime
    passed: int
    total: int
    mean_seconds: float
    """Of one task."""
    coverage_points: float | None
    """Points of the design that one task hits on average; None where none told."""


@dataclass(frozen=True, slots=True)
class RowHistory:
    """One test over campaigns, the oldest first; None where it did not run."""

    name: str
    points: tuple[HistoryPoint | None, ...]


@dataclass(frozen=True, slots=True)
class Flaky:
    """The same test, seed and build that passed and did not."""

    row: str
    column: str
    passed: int
    total: int


@dataclass(frozen=True, slots=True)
class CampaignPoint:
    """How one campaign did as a whole."""

    campaign_id: UUID
    created_at: datetime
    passed: int
    total: int
    """Tasks with a result."""
    mean_seconds: float
    """Of one task."""
    coverage_percent: float | None
    """Merged over its passing tasks; None where it was not measured."""


_kept: OrderedDict[tuple[tuple[UUID, int], ...], list[Flaky]] = OrderedDict()
"""By the runs that were looked at, with how many results they had."""
_lock = threading.Lock()


def campaigns_of_name(session: Session, campaign: CampaignView) -> Sequence[UUID]:
    """Ids of the newest campaigns of its name up to this one, the oldest first."""
    ids = session.connection().execute(
        select(col(Campaign.id))
        .where(
            col(Campaign.project_id) == campaign.project_id,
            col(Campaign.name) == campaign.name,
            col(Campaign.template) == campaign.template,
            col(Campaign.id) <= campaign.id,
        )
        .order_by(col(Campaign.id).desc())
        .limit(MOST_CAMPAIGNS)
    )
    return sorted(ids.scalars())


def history_by_test(session: Session, campaign: CampaignView) -> list[RowHistory]:
    """Of first runs: reruns are of failures only. Tests by name."""
    ids = campaigns_of_name(session, campaign)
    rows = session.connection().execute(
        select(
            col(Campaign.id),
            col(Campaign.created_at),
            col(CampaignTest.row_name),
            col(CampaignTest.passed),
            (col(CampaignTest.passed) + col(CampaignTest.failed) + col(CampaignTest.no_verdict)).label(
                "total"
            ),
            col(CampaignTest.wall_ms),
            col(CampaignTest.covered),
            col(CampaignTest.coverage_points),
        )
        .join(CampaignRun, col(CampaignRun.campaign_id) == col(Campaign.id))
        .join(CampaignTest, col(CampaignTest.job_id) == col(CampaignRun.job_id))
        .where(col(Campaign.id).in_(ids), col(CampaignRun.number) == 0)
    )
    by_test: dict[str, dict[UUID, HistoryPoint]] = {}
    for row in rows:
        seconds = row.wall_ms / 1000 / row.total if row.total else 0.0
        points = row.coverage_points / row.covered if row.covered else None
        point = HistoryPoint(row.id, row.created_at, row.passed, row.total, seconds, points)
        by_test.setdefault(row.row_name, {})[row.id] = point
    return [
        RowHistory(name, tuple(points.get(one) for one in ids)) for name, points in sorted(by_test.items())
    ]


def history_of_name(session: Session, campaign: CampaignView) -> list[CampaignPoint]:
    """First runs of the newest campaigns of its name up to this one, the oldest first."""
    newest = campaigns_of_name(session, campaign)
    sums = (
        select(
            col(CampaignTest.job_id),
            func.sum(col(CampaignTest.passed)).label("passed"),
            func.sum(
                col(CampaignTest.passed) + col(CampaignTest.failed) + col(CampaignTest.no_verdict)
            ).label("total"),
            func.sum(col(CampaignTest.wall_ms)).label("wall_ms"),
        )
        .join(CampaignRun, col(CampaignRun.job_id) == col(CampaignTest.job_id))
        .where(col(CampaignRun.campaign_id).in_(newest), col(CampaignRun.number) == 0)
        .group_by(col(CampaignTest.job_id))
        .subquery()
    )
    rows = session.connection().execute(
        select(col(Campaign.id), col(Campaign.created_at), col(CampaignRun.metrics), sums)
        .join(CampaignRun, col(CampaignRun.campaign_id) == col(Campaign.id))
        .join(sums, sums.c.job_id == col(CampaignRun.job_id))
        .where(col(Campaign.id).in_(newest), col(CampaignRun.number) == 0)
        .order_by(col(Campaign.id))
    )
    return [
        CampaignPoint(
            *(row.id, row.created_at, int(row.passed), int(row.total)),
            *(int(row.wall_ms) / 1000 / int(row.total), row.metrics.get(_COVERAGE, [None])[0]),
        )
        for row in rows
    ]


def flaky_cells(session: Session, campaign: CampaignView) -> list[Flaky]:
    """Cells whose verdicts differ between runs of one build, reruns included; the most often run first."""
    runs = _newest_runs(session, campaign)
    key = tuple(runs.items())
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    found = _flaky_cells(session, list(runs))
    with _lock:
        _kept[key] = found
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return found


def _flaky_cells(session: Session, runs: Sequence[UUID]) -> list[Flaky]:
    passed = func.sum(case((col(CampaignResult.verdict) == Verdict.PASS, 1), else_=0))
    rows = session.connection().execute(
        select(
            col(CampaignResult.row_name),
            col(CampaignResult.column_name),
            passed.label("passed"),
            func.count().label("total"),
        )
        .where(col(CampaignResult.job_id).in_(runs), col(CampaignResult.build) != "")
        .group_by(col(CampaignResult.row_name), col(CampaignResult.column_name), col(CampaignResult.build))
        .having(func.count(col(CampaignResult.verdict).distinct()) > 1)
        .order_by(func.count().desc(), col(CampaignResult.row_name), col(CampaignResult.column_name))
        .limit(_MOST_FLAKY)
    )
    return [Flaky(row.row_name, row.column_name, int(row.passed), row.total) for row in rows]


def _newest_runs(session: Session, campaign: CampaignView) -> dict[UUID, int]:
    """Jobs of the newest campaigns of the name with at most 100,000 results together, but always of one.

    With how many results each has: they are only added, so that equal numbers are equal results.
    """
    ids = campaigns_of_name(session, campaign)
    rows = session.connection().execute(
        select(col(CampaignRun.job_id), col(CampaignRun.results))
        .where(col(CampaignRun.campaign_id).in_(ids))
        .order_by(col(CampaignRun.campaign_id).desc(), col(CampaignRun.number))
    )
    found: dict[UUID, int] = {}
    for row in rows:
        if found and sum(found.values()) + row.results > _MOST_RESULTS:
            break
        found[row.job_id] = row.results
    return found
