"""A campaign against the last one of its name: what fails now, what no longer does, what takes longer.

That the reader may see the campaign is the caller's to know: those of its name in its project are the same
tenant's. Compared are first runs, cell by cell: the same test (in the same configuration) with the same seed.
"""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import String, func, select, type_coerce
from sqlmodel import Session, col

from hpc_portal.app.campaigns.history import campaigns_of_name
from hpc_portal.app.campaigns.queries import CampaignView
from hpc_portal.app.campaigns.tables import Campaign, CampaignResult, CampaignRun
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.queries import OVER
from hpc_portal.app.tables import Job
from workloads.template import Verdict

MOST_LISTED = 200
"""Cells of each kind; how many there are is counted in any case."""
_MOST_SLOWER = 100
_SLOWER_BY = 1.25
_SLOWER_SECONDS = 0.5
"""So much longer a task must take, too, on average: a busy machine alone makes some difference."""
_MOST_CAUSES = 200
_MOST_KEPT = 32

Place = tuple[str, str]
"""Row and column of a cell."""


class Change(StrEnum):
    """How a cell stands beside what it was."""

    NEWLY_FAILING = "newly_failing"
    NEWLY_PASSING = "newly_passing"
    STILL_FAILING = "still_failing"


@dataclass(frozen=True, slots=True)
class Changed:
    """A cell that fails, or that no longer does; "no verdict" is no pass."""

    row: str
    column: str
    before: Verdict
    now: Verdict
    task_index: int


@dataclass(frozen=True, slots=True)
class ChangedCells:
    """All cells of one kind of change."""

    count: int
    cells: tuple[Changed, ...]
    """In task order; the first 200."""


@dataclass(frozen=True, slots=True)
class Slower:
    """A test that takes at least a quarter and half a second longer than it did.

    Means over its cells that passed in both, so that nothing else than time is compared.
    """

    row: str
    cells: int
    seconds_before: float
    seconds_now: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different since the campaign before."""

    before_id: UUID
    before_at: datetime
    newly_failing: ChangedCells
    newly_passing: ChangedCells
    still_failing: ChangedCells
    slower: tuple[Slower, ...]
    """The largest difference in all first; at most 100."""
    new_causes: tuple[str, ...]
    gone_causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Before:
    """A cell in the campaign before."""

    verdict: Verdict
    wall_ms: int


@dataclass(frozen=True, slots=True)
class _Run:
    campaign_id: UUID
    created_at: datetime
    job_id: UUID
    is_final: bool


_kept: OrderedDict[tuple[UUID, UUID], Comparison] = OrderedDict()
"""By both jobs: of runs that are over and read nothing changes any more."""
_lock = threading.Lock()


def compare_with_last(session: Session, campaign: CampaignView) -> Comparison | None:
    """Against the campaign of its name before it; None for the first of its name."""
    before = _run_before(session, campaign)
    if before is None:
        return None
    key = (before.job_id, campaign.first.job_id)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    found = _compare(session, before, campaign.first.job_id)
    if before.is_final and campaign.first.is_over and campaign.first.is_read:
        with _lock:
            _kept[key] = found
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
    return found


def cells_before(session: Session, campaign: CampaignView) -> Mapping[Place, Before]:
    """Every cell of the campaign before; {} for the first of its name."""
    before = _run_before(session, campaign)
    if before is None:
        return {}
    return {
        (row, column): Before(Verdict(verdict), wall_ms)
        for row, column, verdict, wall_ms, _ in _cells(session, before.job_id)
    }


def change_of(before: Verdict, now: Verdict) -> Change | None:
    """None for a cell that passed and passes."""
    if now is Verdict.PASS:
        return None if before is Verdict.PASS else Change.NEWLY_PASSING
    return Change.NEWLY_FAILING if before is Verdict.PASS else Change.STILL_FAILING


def _run_before(session: Session, campaign: CampaignView) -> _Run | None:
    earlier = [one for one in campaigns_of_name(session, campaign) if one != campaign.id]
    if not earlier:
        return None
    row = (
        session.connection()
        .execute(
            select(
                col(Campaign.created_at), col(CampaignRun.job_id), col(CampaignRun.is_read), col(Job.phase)
            )
            .join(CampaignRun, col(CampaignRun.campaign_id) == col(Campaign.id))
            .join(Job, col(Job.id) == col(CampaignRun.job_id))
            .where(col(Campaign.id) == earlier[-1], col(CampaignRun.number) == 0)
        )
        .one()
    )
    return _Run(earlier[-1], row.created_at, row.job_id, row.is_read and Phase(row.phase) in OVER)


def _compare(session: Session, before: _Run, job_id: UUID) -> Comparison:
    """Compared here: without an index of its own, a join of 10,000 cells takes a database seconds."""
    old = {(row, column): (verdict, wall) for row, column, verdict, wall, _ in _cells(session, before.job_id)}
    changed: dict[Change, list[Changed]] = defaultdict(list)
    times: dict[str, list[int]] = {}
    for row, column, verdict, wall, task_index in _cells(session, job_id):
        known = old.get((row, column))
        if known is None:
            continue
        if known[0] != Verdict.PASS or verdict != Verdict.PASS:
            was, now = Verdict(known[0]), Verdict(verdict)
            if change := change_of(was, now):
                changed[change].append(Changed(row, column, was, now, task_index))
        elif wall and known[1]:
            sums = times.setdefault(row, [0, 0, 0])
            sums[0] += 1
            sums[1] += known[1]
            sums[2] += wall
    old_causes, new_causes = _causes(session, before.job_id), _causes(session, job_id)
    return Comparison(
        before_id=before.campaign_id,
        before_at=before.created_at,
        newly_failing=_listed(changed[Change.NEWLY_FAILING]),
        newly_passing=_listed(changed[Change.NEWLY_PASSING]),
        still_failing=_listed(changed[Change.STILL_FAILING]),
        slower=_slower(times),
        new_causes=tuple(cause for cause in new_causes if cause not in old_causes),
        gone_causes=tuple(cause for cause in old_causes if cause not in new_causes),
    )


def _listed(cells: list[Changed]) -> ChangedCells:
    ordered = sorted(cells, key=lambda one: one.task_index)
    return ChangedCells(len(cells), tuple(ordered[:MOST_LISTED]))


def _slower(times: Mapping[str, list[int]]) -> tuple[Slower, ...]:
    """`times`: cells, and their milliseconds before and now, by row."""
    found = [
        Slower(row, count, before / 1000 / count, now / 1000 / count)
        for row, (count, before, now) in times.items()
        if now >= before * _SLOWER_BY and now - before >= _SLOWER_SECONDS * 1000 * count
    ]
    found.sort(key=lambda one: (one.cells * (one.seconds_before - one.seconds_now), one.row))
    return tuple(found[:_MOST_SLOWER])


def _cells(session: Session, job_id: UUID) -> Iterable[tuple[str, str, str, int, int]]:
    """Row, column, verdict as stored, wall time in milliseconds, task."""
    found: Iterable[Any] = session.connection().execute(
        select(
            col(CampaignResult.row_name),
            col(CampaignResult.column_name),
            type_coerce(col(CampaignResult.verdict), String),
            col(CampaignResult.wall_ms),
            col(CampaignResult.task_index),
        ).where(col(CampaignResult.job_id) == job_id)
    )
    return found


def _causes(session: Session, job_id: UUID) -> Mapping[str, int]:
    rows = session.connection().execute(
        select(col(CampaignResult.signature), func.count())
        .where(col(CampaignResult.job_id) == job_id, col(CampaignResult.verdict) != Verdict.PASS)
        .group_by(col(CampaignResult.signature))
        .order_by(func.count().desc())
        .limit(_MOST_CAUSES)
    )
    return {signature: count for signature, count in rows}  # noqa: C416 - rows are no plain pairs
