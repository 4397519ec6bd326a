"""A campaign in the words of its page: cells of the matrix, what stopped it, kinds of runs."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hpc_portal.app.campaigns import compact
from hpc_portal.app.campaigns.kinds import CampaignKind
from hpc_portal.app.campaigns.queries import RunView
from hpc_portal.app.campaigns.tables import RunKind, StoppedBy
from hpc_portal.app.jobs.queries import JobSummary
from hpc_portal.web.words import STATES, VERDICTS, Word
from schedulers.jobstate import JobState
from workloads.template import N_, CampaignCell, Verdict

CELLS_A_PAGE = 10_000
"""A table of more cells takes a browser seconds."""

RUNNING = Word("player-play", N_("Running"), "run")
WAITING = Word("clock", N_("Queued"), "wait")
NEVER_RAN = Word("circle-minus", N_("Never ran"), "off")

MARKS: Mapping[Word, str] = {
    VERDICTS[Verdict.PASS]: "✓",
    VERDICTS[Verdict.FAIL]: "✗",
    VERDICTS[Verdict.NO_VERDICT]: "?",
    RUNNING: "▸",
    WAITING: "·",
    NEVER_RAN: "-",
}
"""One character a cell: ten thousand drawings would take a browser a second more."""

LETTERS: Mapping[Word, str] = {
    **{VERDICTS[verdict]: letter for verdict, letter in compact.LETTERS.items()},
    RUNNING: compact.RUNNING,
    WAITING: compact.NO_RESULT,
    NEVER_RAN: "x",
}
"""What scripts and styles call them."""

KINDS: Mapping[RunKind, str] = {
    RunKind.FIRST: N_("First run"),
    RunKind.SAME_SEEDS: N_("Failures again, same seeds"),
    RunKind.NEW_SEEDS: N_("Failures again, new seeds"),
}

KINDS_OF_CAMPAIGNS: Mapping[CampaignKind, Word] = {
    CampaignKind.REGRESSION: Word("grid-dots", N_("Regression"), "off"),
    CampaignKind.SWEEP: Word("chart-line", N_("Sweep"), "off"),
    CampaignKind.CORNERS: Word("target", N_("Corners"), "off"),
}

STOPPED: Mapping[StoppedBy, str] = {
    StoppedBy.FAILURES: N_("Stopped: as many tasks did not pass as its rule allows (%(limit)s)."),
    StoppedBy.COST: N_("Stopped: the campaign has cost as much as its cap allows (%(limit)s)."),
    StoppedBy.PERSON: N_("Stopped by a person."),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One task."""

    task_index: int
    letter: str


@dataclass(frozen=True, slots=True)
class Row:
    """All tasks of one test; None where the run has none."""

    name: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class CellMatrix:
    """A part of a run as tests x seeds."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    page: int
    """From 0."""
    pages: int


def show_cells(  # noqa: PLR0913 - what is known of the tasks, and which part of them
    cells: Sequence[CampaignCell],
    verdicts: Mapping[int, Verdict],
    running: Collection[int],
    run: RunView,
    *,
    only_failing: bool,
    page: int,
) -> CellMatrix:
    """One page of the matrix; with `only_failing`, of what did not pass."""
    if only_failing:
        cells = [cell for cell in cells if verdicts.get(cell.task_index, Verdict.PASS) is not Verdict.PASS]
    pages = max(1, -(-len(cells) // CELLS_A_PAGE))
    page = min(max(page, 0), pages - 1)
    shown = cells[page * CELLS_A_PAGE : (page + 1) * CELLS_A_PAGE]
    columns = tuple(dict.fromkeys(cell.column for cell in shown))
    rest = NEVER_RAN if run.is_over and run.is_read else WAITING
    by_row: dict[str, dict[str, Cell]] = {}
    for cell in shown:
        index = cell.task_index
        verdict = verdicts.get(index)
        word = VERDICTS[verdict] if verdict else RUNNING if index in running else rest
        by_row.setdefault(cell.row, {})[cell.column] = Cell(index, LETTERS[word])
    rows = (Row(name, tuple(found.get(column) for column in columns)) for name, found in by_row.items())
    return CellMatrix(columns, tuple(rows), page, pages)


def legend(run: RunView) -> list[tuple[Word, int]]:
    """How many tasks of the run are shown with which word; those that no task is are left out."""
    counts = Counter(
        {
            VERDICTS[Verdict.PASS]: run.passed,
            VERDICTS[Verdict.FAIL]: run.failed,
            VERDICTS[Verdict.NO_VERDICT]: run.no_verdict,
            RUNNING: run.tasks_running,
            NEVER_RAN: run.never_ran,
        }
    )
    counts[WAITING] = max(run.tasks_total - counts.total(), 0)
    return [(word, count) for word, count in counts.items() if count]


def legend_of_points(job: JobSummary) -> list[tuple[Word, int]]:
    """How many trials or corners ended how, run and wait; those that none is are left out."""
    counts = (
        (STATES[JobState.COMPLETED], job.tasks_completed),
        (STATES[JobState.FAILED], job.tasks_failed),
        (STATES[JobState.CANCELLED], job.tasks_cancelled),
        (RUNNING, job.tasks_running),
        (WAITING, job.tasks_pending),
    )
    return [(word, count) for word, count in counts if count > 0]
