"""Rows of results from what the ended tasks of a run left in its workspace; reads files, no database."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from schedulers.jobstate import JobState
from workloads.template import CampaignCell, Failure, Parameters, TaskResult, Template, Verdict

_FILES_MAY_LAG = timedelta(seconds=30)
"""A shared file system may show another node's files later than the scheduler tells of their end."""
_POINTS = "coverage_points"
"""The metric of a task that tells how many points of the design it hit."""


@dataclass(frozen=True, slots=True)
class EndedTask:
    """What the scheduler said of a task's last attempt."""

    task_index: int
    state: JobState
    exit_code: int | None
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class RunReader:
    """One run's template and parameters, checked once."""

    job_id: UUID
    template: Template[Any]
    parameters: Parameters
    workspace: Path
    cells: Mapping[int, CampaignCell]
    """By task."""

    @classmethod
    def of(
        cls, job_id: UUID, template: Template[Any], parameters: Mapping[str, Any], workspace: Path
    ) -> "RunReader":
        """For a stored job.

        Raises:
            InvalidParameters: the job is older than this version of the template.
        """
        checked = template.validate(parameters)
        cells = {cell.task_index: cell for cell in template.campaign(checked)}
        return cls(job_id, template, checked, workspace, cells)

    def rows(self, ended: Collection[EndedTask], *, now: datetime) -> list[dict[str, Any]]:
        """A row for each task; those whose files may still appear are left for the next time."""
        indices = [task.task_index for task in ended]
        parsed = self.template.parse_tasks(self.workspace, self.parameters, indices)
        results = {result.task_index: result for result in parsed}
        found = []
        for task in ended:
            result = results.get(task.task_index)
            if result is None and _may_still_appear(task, now):
                continue
            index = task.task_index
            cell = self.cells.get(index) or CampaignCell(index, f"task {index}", "")
            found.append(_row(self.job_id, cell, result or _no_result(task, cell)))
        return found

    def metrics(self) -> dict[str, Any]:
        """Numbers of the run as a whole: (value, unit) by name."""
        found = self.template.parse_run(self.workspace, self.parameters)
        return {metric.name: [metric.value, metric.unit] for metric in found if math.isfinite(metric.value)}


def sums_by_test(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the rows add to the sums of their tests."""
    counts: dict[tuple[UUID, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        of_test = counts[row["job_id"], row["row_name"]]
        of_test[row["verdict"]] += 1
        of_test["wall_ms"] += row["wall_ms"]
        if points := row["metrics"].get(_POINTS):
            of_test["covered"] += 1
            of_test["coverage_points"] += round(points[0])
    return [
        {
            "job_id": job_id,
            "row_name": row_name,
            "passed": of_test[Verdict.PASS],
            "failed": of_test[Verdict.FAIL],
            "no_verdict": of_test[Verdict.NO_VERDICT],
            "wall_ms": of_test["wall_ms"],
            "covered": of_test["covered"],
            "coverage_points": of_test["coverage_points"],
        }
        for (job_id, row_name), of_test in sorted(counts.items())
    ]


def _may_still_appear(task: EndedTask, now: datetime) -> bool:
    return task.state in (JobState.COMPLETED, JobState.FAILED) and now - task.ended_at < _FILES_MAY_LAG


def _no_result(task: EndedTask, cell: CampaignCell) -> TaskResult:
    """For a task that was ended before it could say anything: no pass, and no failure of the design."""
    said = f"no verdict: the task ended as {task.state}"
    line = said if task.exit_code is None else f"{said} with exit code {task.exit_code}"
    return TaskResult(
        task.task_index,
        f"{cell.row} {cell.column}",
        Verdict.NO_VERDICT,
        failure=Failure(said, line, "", 0),
    )


def _row(job_id: UUID, cell: CampaignCell, result: TaskResult) -> dict[str, Any]:
    numbers = [metric for metric in result.metrics if math.isfinite(metric.value)]
    metrics = {metric.name: metric.value for metric in numbers}
    wall = metrics.get("wall_seconds", 0.0)
    failure = result.failure or Failure("", "", "", 0)
    return {
        "job_id": job_id,
        "task_index": result.task_index,
        "row_name": cell.row[:200],
        "column_name": cell.column[:64],
        "label": result.label[:300],
        "verdict": result.verdict,
        "build": result.build[:64],
        "wall_ms": round(min(max(wall, 0.0), 2e6) * 1000),
        "length": metrics.get("cycles", wall or None),
        "signature": _text(failure.signature)[:400],
        "line": _text(failure.line)[:2000],
        "file": _text(failure.file)[:1024],
        "line_number": min(failure.line_number, 2**31 - 1),
        "metrics": {metric.name: [metric.value, metric.unit] for metric in numbers},
        "artefacts": [asdict(artefact) for artefact in result.artefacts],
    }


def _text(text: str) -> str:
    """What a tenant's tool printed, as both databases can keep it: PostgreSQL takes no NUL."""
    return text.replace("\0", "\ufffd")
