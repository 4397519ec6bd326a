"""What a job achieved, in the words of its page: the matrix, curves."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpc_portal.web.words import STATES, VERDICTS, Word
from schedulers.jobstate import JobState
from workloads.template import CampaignCell, Results, Series, Verdict

MOST_CELLS = 10_000
"""A table of more cells takes a browser seconds."""


@dataclass(frozen=True, slots=True)
class ShownCell:
    """One task in the matrix."""

    task_index: int
    column: str
    word: Word


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """All tasks of one test; None where the campaign has none."""

    name: str
    cells: tuple[ShownCell | None, ...]


@dataclass(frozen=True, slots=True)
class LegendItem:
    """How many tasks are shown with this word."""

    word: Word
    count: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """A campaign as rows x columns."""

    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    legend: tuple[LegendItem, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """One series, drawn in a plot of its own."""

    name: str
    unit: str
    json: str


def show_matrix(
    cells: Sequence[CampaignCell], results: Results, states: Mapping[int, JobState]
) -> Matrix | None:
    """The campaign's matrix; None when the job is no campaign.

    A cell shows the verdict of a task that ended, else its state; a task without a row still waits.
    """
    if not cells:
        return None
    verdicts = {task.task_index: task.verdict for task in results.tasks}
    shown = cells[:MOST_CELLS]
    words = {cell.task_index: _word(cell.task_index, verdicts, states) for cell in shown}
    columns = tuple(dict.fromkeys(cell.column for cell in shown))
    by_row: dict[str, dict[str, ShownCell]] = {}
    for cell in shown:
        by_row.setdefault(cell.row, {})[cell.column] = ShownCell(
            cell.task_index, cell.column, words[cell.task_index]
        )
    counts = Counter(words.values())
    return Matrix(
        columns,
        tuple(
            MatrixRow(name, tuple(found.get(column) for column in columns)) for name, found in by_row.items()
        ),
        tuple(LegendItem(word, count) for word, count in counts.most_common()),
        is_cut=len(shown) < len(cells),
    )


def show_curves(series: Sequence[Series]) -> list[Curve]:
    """One plot for each series that has points."""
    return [
        Curve(
            one.name,
            one.unit,
            json.dumps([{"name": one.name, "x_label": one.x_label, "points": one.points}]),
        )
        for one in series
        if one.points
    ]


def _word(task_index: int, verdicts: Mapping[int, Verdict], states: Mapping[int, JobState]) -> Word:
    state = states.get(task_index, JobState.PENDING)
    verdict = verdicts.get(task_index)
    if state in (JobState.COMPLETED, JobState.FAILED) and verdict:
        return VERDICTS[verdict]
    return STATES[state]
