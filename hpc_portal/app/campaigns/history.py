"""A campaign against its earlier ones of the same name: rates and runtimes by test, flaky cells, changes.

That the reader may see the campaign is the caller's to know: those of its name in its project are the same
tenant's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, select
from sqlmodel import Session, col

from hpc_portal.app.campaigns.queries import CampaignView
from hpc_portal.app.campaigns.tables import Campaign, CampaignResult, CampaignRun, CampaignTest
from hpc_portal.app.db import AnyRow
from workloads.template import Verdict

MOST_CAMPAIGNS = 20
_MOST_FLAKY = 100
_MOST_CHANGED = 200
_MOST_RESULTS = 100_000


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """How one test did in one campaign."""

    campaign_id: UUID
    created_at: datetime
    passed: int
    total: int
    mean_seconds: float
    """Of one task."""


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
class Changed:
    """A cell whose verdict is another one than before."""

    row: str
    column: str
    before: Verdict
    now: Verdict
    task_index: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different since the campaign before."""

    before_id: UUID
    before_at: datetime
    changed: tuple[Changed, ...]
    """Those that fail now first; at most 200."""
    new_causes: tuple[str, ...]
    gone_causes: tuple[str, ...]


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
        )
        .join(CampaignRun, col(CampaignRun.campaign_id) == col(Campaign.id))
        .join(CampaignTest, col(CampaignTest.job_id) == col(CampaignRun.job_id))
        .where(col(Campaign.id).in_(ids), col(CampaignRun.number) == 0)
    )
    by_test: dict[str, dict[UUID, HistoryPoint]] = {}
    for row in rows:
        seconds = row.wall_ms / 1000 / row.total if row.total else 0.0
        point = HistoryPoint(row.id, row.created_at, row.passed, row.total, seconds)
        by_test.setdefault(row.row_name, {})[row.id] = point
    return [
        RowHistory(name, tuple(points.get(one) for one in ids)) for name, points in sorted(by_test.items())
    ]


def flaky_cells(session: Session, campaign: CampaignView) -> list[Flaky]:
    """Cells whose verdicts differ between runs of one build, reruns included; the most often run first."""
    runs = _newest_runs(session, campaign)
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


def compare_with_last(session: Session, campaign: CampaignView) -> Comparison | None:
    """Against the campaign of its name before it; None for the first of its name."""
    earlier = [one for one in campaigns_of_name(session, campaign) if one != campaign.id]
    if not earlier:
        return None
    before = (
        session.connection()
        .execute(
            select(col(Campaign.created_at), col(CampaignRun.job_id))
            .join(CampaignRun, col(CampaignRun.campaign_id) == col(Campaign.id))
            .where(col(Campaign.id) == earlier[-1], col(CampaignRun.number) == 0)
        )
        .one()
    )
    old, new = _causes(session, before.job_id), _causes(session, campaign.first.job_id)
    return Comparison(
        before_id=earlier[-1],
        before_at=before.created_at,
        changed=tuple(_changed(session, before.job_id, campaign.first.job_id)),
        new_causes=tuple(cause for cause in new if cause not in old),
        gone_causes=tuple(cause for cause in old if cause not in new),
    )


def _causes(session: Session, job_id: UUID) -> Mapping[str, int]:
    rows = session.connection().execute(
        select(col(CampaignResult.signature), func.count())
        .where(col(CampaignResult.job_id) == job_id, col(CampaignResult.verdict) != Verdict.PASS)
        .group_by(col(CampaignResult.signature))
        .order_by(func.count().desc())
        .limit(_MOST_CHANGED)
    )
    return {signature: count for signature, count in rows}  # noqa: C416 - rows are no plain pairs


def _changed(session: Session, before: UUID, now: UUID) -> list[Changed]:
    """Compared here: without an index of its own, a join of 10,000 cells takes a database seconds."""
    old = {(row.row_name, row.column_name): row.verdict for row in _verdicts(session, before)}
    changed = [
        Changed(row.row_name, row.column_name, old[place], row.verdict, row.task_index)
        for row in _verdicts(session, now)
        if old.get(place := (row.row_name, row.column_name), row.verdict) is not row.verdict
    ]
    changed.sort(key=lambda one: (one.now is Verdict.PASS, one.task_index))
    return changed[:_MOST_CHANGED]


def _verdicts(session: Session, job_id: UUID) -> Iterable[AnyRow]:
    found: Iterable[AnyRow] = session.connection().execute(
        select(
            col(CampaignResult.row_name),
            col(CampaignResult.column_name),
            col(CampaignResult.verdict),
            col(CampaignResult.task_index),
        ).where(col(CampaignResult.job_id) == job_id)
    )
    return found


def _newest_runs(session: Session, campaign: CampaignView) -> list[UUID]:
    """Jobs of the newest campaigns of the name with at most 100,000 results together, but always of one."""
    ids = campaigns_of_name(session, campaign)
    rows = session.connection().execute(
        select(col(CampaignRun.job_id), col(CampaignRun.results))
        .where(col(CampaignRun.campaign_id).in_(ids))
        .order_by(col(CampaignRun.campaign_id).desc(), col(CampaignRun.number))
    )
    found: list[UUID] = []
    results = 0
    for row in rows:
        results += row.results
        if found and results > _MOST_RESULTS:
            break
        found.append(row.job_id)
    return found
