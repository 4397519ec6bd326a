"""A job array seen as a campaign: the matrix of verdicts, failures grouped by cause, the pass rate."""

from collections.abc import Sequence
from dataclasses import dataclass

from workloads.template import CampaignCell, Metric, TaskResult, Verdict


@dataclass(frozen=True, slots=True)
class Matrix:
    """Verdicts by row and column, in the campaign's own order; None where a task has no result yet."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    results: dict[tuple[str, str], TaskResult | None]
    """Holds only the cells that the campaign has: a rerun of failures leaves holes."""


def matrix(cells: Sequence[CampaignCell], tasks: Sequence[TaskResult]) -> Matrix:
    """The campaign's cells filled with what is known of their tasks."""
    by_index = {task.task_index: task for task in tasks}
    return Matrix(
        rows=tuple(dict.fromkeys(cell.row for cell in cells)),
        columns=tuple(dict.fromkeys(cell.column for cell in cells)),
        results={(cell.row, cell.column): by_index.get(cell.task_index) for cell in cells},
    )


@dataclass(frozen=True, slots=True)
class Bucket:
    """Failures of one cause, as far as their masked error line tells."""

    signature: str
    tasks: tuple[TaskResult, ...]
    """In task order; never empty."""

    @property
    def count(self) -> int:
        """How many tasks failed for this cause."""
        return len(self.tasks)

    @property
    def first(self) -> TaskResult:
        """The failure with the lowest task index."""
        return self.tasks[0]

    def shortest(self, metric: str = "cycles") -> TaskResult:
        """The failure that shows the cause soonest: the one to debug; the first where none has the metric."""
        return min(self.tasks, key=lambda task: (_value(task, metric), task.task_index))


def buckets(tasks: Sequence[TaskResult]) -> list[Bucket]:
    """What did not pass, grouped by signature; the largest group first, equal ones by their first task."""
    groups: dict[str, list[TaskResult]] = {}
    for task in sorted(tasks, key=lambda task: task.task_index):
        if task.failure is not None:
            groups.setdefault(task.failure.signature, []).append(task)
    found = [Bucket(signature, tuple(members)) for signature, members in groups.items()]
    return sorted(found, key=lambda bucket: (-bucket.count, bucket.first.task_index))


def count(tasks: Sequence[TaskResult], verdict: Verdict) -> int:
    """How many tasks have this verdict."""
    return sum(task.verdict is verdict for task in tasks)


def pass_rate(tasks: Sequence[TaskResult]) -> float | None:
    """Passed tasks over tasks with a result, 0 to 1; None before the first result."""
    return count(tasks, Verdict.PASS) / len(tasks) if tasks else None


def summary(tasks: Sequence[TaskResult]) -> tuple[Metric, ...]:
    """The numbers of a whole campaign; () before the first result."""
    rate = pass_rate(tasks)
    if rate is None:
        return ()
    return (
        *(Metric(f"tasks_{verdict}", count(tasks, verdict)) for verdict in Verdict),
        Metric("pass_rate", rate),
    )


def _value(task: TaskResult, metric: str) -> float:
    return next((found.value for found in task.metrics if found.name == metric), float("inf"))
