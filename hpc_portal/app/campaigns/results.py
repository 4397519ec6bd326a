"""Reads of the results of one run: groups of failures, verdicts of cells, what is new since a page was made.

That the reader may see the run is the caller's to know: see `get_campaign`.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, String, cast, func, select
from sqlmodel import Session, col

from hpc_portal.app.campaigns.tables import CampaignResult
from hpc_portal.app.db import AnyRow
from hpc_portal.app.jobs.queries import Page
from hpc_portal.app.tables import JobTask
from workloads.template import Verdict

_NOT_PASSED = (Verdict.FAIL, Verdict.NO_VERDICT)


@dataclass(frozen=True, slots=True)
class Example:
    """One task of a group."""

    task_index: int
    label: str
    line: str
    file: str
    line_number: int
    length: float | None


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Tasks that failed for one cause, as far as their masked error line tells."""

    signature: str
    count: int
    first: Example
    """The one with the lowest task index."""
    shortest: Example
    """The one that fails soonest: the one to debug."""


def failure_groups(session: Session, job_id: UUID, *, limit: int = 100) -> list[FailureGroup]:
    """The largest groups, largest first."""
    of_run = (col(CampaignResult.job_id) == job_id, col(CampaignResult.verdict).in_(_NOT_PASSED))
    counted = session.connection().execute(
        select(col(CampaignResult.signature), func.count(), func.min(col(CampaignResult.task_index)))
        .where(*of_run)
        .group_by(col(CampaignResult.signature))
        .order_by(func.count().desc(), func.min(col(CampaignResult.task_index)))
        .limit(limit)
    )
    counts = {signature: (count, first) for signature, count, first in counted}
    if not counts:
        return []
    by_length = func.row_number().over(
        partition_by=col(CampaignResult.signature),
        order_by=(
            col(CampaignResult.length).is_(None),
            col(CampaignResult.length),
            col(CampaignResult.task_index),
        ),
    )
    ranked = (
        select(col(CampaignResult.task_index), by_length.label("place"))
        .where(*of_run, col(CampaignResult.signature).in_(list(counts)))
        .subquery()
    )
    shortest = select(ranked.c.task_index).where(ranked.c.place == 1)
    wanted = [first for _, first in counts.values()]
    examples = session.connection().execute(
        _examples(job_id).where(
            col(CampaignResult.task_index).in_(wanted) | col(CampaignResult.task_index).in_(shortest)
        )
    )
    of_group: dict[str, list[Example]] = {}
    for row in examples:
        of_group.setdefault(row.signature, []).append(_example(row))
    return [
        FailureGroup(
            signature,
            count,
            first=min(of_group[signature], key=lambda one: one.task_index),
            shortest=min(of_group[signature], key=_by_length),
        )
        for signature, (count, _) in counts.items()
    ]


def verdicts(session: Session, job_id: UUID) -> tuple[dict[int, Verdict], int]:
    """The verdict of each task that has one, and the sequence to ask for what comes later."""
    return verdicts_since(session, job_id, after=0)


def verdicts_since(session: Session, job_id: UUID, *, after: int) -> tuple[dict[int, Verdict], int]:
    """Verdicts that were read after a sequence number, and the newest sequence number."""
    found, sequence = tasks_by_verdict_since(session, job_id, after=after)
    return {task: verdict for verdict, tasks in found.items() for task in tasks}, sequence


def failing_verdicts(session: Session, job_id: UUID) -> tuple[dict[int, Verdict], int]:
    """As `verdicts`, but only of tasks that did not pass."""
    newest = select(func.max(col(CampaignResult.sequence))).where(col(CampaignResult.job_id) == job_id)
    sequence = session.connection().execute(newest).scalar() or 0
    rows = session.connection().execute(
        select(col(CampaignResult.task_index), col(CampaignResult.verdict)).where(
            col(CampaignResult.job_id) == job_id, col(CampaignResult.verdict).in_(_NOT_PASSED)
        )
    )
    return {row.task_index: row.verdict for row in rows}, sequence


def tasks_by_verdict_since(
    session: Session, job_id: UUID, *, after: int
) -> tuple[dict[Verdict, list[int]], int]:
    """Tasks by the verdict that was read after a sequence number, and the newest sequence number.

    The database puts them together: row by row, 100,000 of them would take ten times as long.
    """
    tasks = func.aggregate_strings(cast(col(CampaignResult.task_index), String), ",")
    rows = (
        session.connection()
        .execute(
            select(
                col(CampaignResult.verdict),
                tasks.label("tasks"),
                func.max(col(CampaignResult.sequence)).label("sequence"),
            )
            .where(col(CampaignResult.job_id) == job_id, col(CampaignResult.sequence) > after)
            .group_by(col(CampaignResult.verdict))
        )
        .all()
    )
    found = {row.verdict: [int(text) for text in row.tasks.split(",")] for row in rows}
    return found, max((row.sequence for row in rows), default=after)


def running_tasks(session: Session, job_id: UUID) -> frozenset[int]:
    """Tasks that run now."""
    running = select(col(JobTask.task_index)).where(
        col(JobTask.job_id) == job_id, col(JobTask.ended_at).is_(None)
    )
    return frozenset(session.connection().execute(running).scalars())


def not_passed(session: Session, job_id: UUID) -> list[int]:
    """Indices of the tasks that a rerun would run again."""
    wanted = select(col(CampaignResult.task_index)).where(
        col(CampaignResult.job_id) == job_id, col(CampaignResult.verdict).in_(_NOT_PASSED)
    )
    return sorted(session.connection().execute(wanted).scalars())


@dataclass(frozen=True, slots=True)
class TaskRow:
    """The result of one task."""

    task_index: int
    row: str
    column: str
    label: str
    verdict: Verdict
    build: str
    wall_ms: int
    signature: str
    line: str
    file: str
    line_number: int
    waveform: str
    """Relative to the workspace; empty where the task left none."""


def list_results(
    session: Session, job_id: UUID, *, failing: bool, after: int = -1, limit: int = 1000
) -> Page[TaskRow]:
    """Results by task; `after` is the last task of the page before."""
    wanted = (
        select(
            *(col(CampaignResult.task_index), col(CampaignResult.row_name), col(CampaignResult.column_name)),
            *(col(CampaignResult.label), col(CampaignResult.verdict), col(CampaignResult.build)),
            *(col(CampaignResult.wall_ms), col(CampaignResult.signature), col(CampaignResult.line)),
            *(col(CampaignResult.file), col(CampaignResult.line_number), col(CampaignResult.artefacts)),
        )
        .where(col(CampaignResult.job_id) == job_id, col(CampaignResult.task_index) > after)
        .order_by(col(CampaignResult.task_index))
        .limit(limit + 1)
    )
    if failing:
        wanted = wanted.where(col(CampaignResult.verdict).in_(_NOT_PASSED))
    rows = session.connection().execute(wanted).all()
    items = tuple(_task_row(row) for row in rows[:limit])
    return Page(items, str(items[-1].task_index) if len(rows) > limit else None)


def _task_row(row: AnyRow) -> TaskRow:
    facts: list[Any] = list(row)
    facts[-1] = next((one["path"] for one in row.artefacts if one["kind"] == "waveform"), "")
    return TaskRow(*facts)


def _examples(job_id: UUID) -> Select[*tuple[Any, ...]]:
    columns: Select[*tuple[Any, ...]] = select(
        col(CampaignResult.signature),
        col(CampaignResult.task_index),
        col(CampaignResult.label),
        col(CampaignResult.line),
        col(CampaignResult.file),
        col(CampaignResult.line_number),
        col(CampaignResult.length),
    ).where(col(CampaignResult.job_id) == job_id)
    return columns


def _example(row: AnyRow) -> Example:
    return Example(row.task_index, row.label, row.line, row.file, row.line_number, row.length)


def _by_length(one: Example) -> tuple[bool, float, int]:
    return one.length is None, one.length or 0.0, one.task_index
