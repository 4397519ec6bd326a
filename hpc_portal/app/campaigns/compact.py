"""The matrix of a run in few bytes: what stands where, and one letter for each task.

Kept for the next request: cells never change, and results are only added, so that each request reads what is
new. That the reader may see the run is the caller's to know: see `get_campaign`.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from uuid import UUID

from sqlmodel import Session

from hpc_portal.app.campaigns.cells import cells_of
from hpc_portal.app.campaigns.results import running_tasks, tasks_by_verdict_since
from workloads.template import CampaignCell, Verdict

LETTERS = {Verdict.PASS: "p", Verdict.FAIL: "f", Verdict.NO_VERDICT: "n"}
RUNNING = "r"
NO_RESULT = "w"
"""It waits, or never ran."""
_MOST_KEPT = 16
_MOST_DIGITS = 15
"""A script's numbers are exact so far."""

Block = tuple[int, int, int, int]
"""First task, row, first column, count: tasks and columns both rise by one."""


@dataclass(frozen=True, slots=True)
class CompactMatrix:
    """A run as its page's script draws it."""

    rows: tuple[str, ...]
    columns: tuple[str | tuple[int, int], ...]
    """A pair stands for the numbers from the first to the last."""
    blocks: tuple[Block, ...]
    """In task order; together they hold every task."""
    states: str
    """A letter for each task in the order of `blocks`, with its run length before it: `120p1f33w`."""
    sequence: int
    """Of the newest result; see `tasks_by_verdict_since`."""


@dataclass(slots=True)
class _Kept:
    rows: tuple[str, ...]
    columns: tuple[str | tuple[int, int], ...]
    blocks: tuple[Block, ...]
    place: dict[int, int] | None
    """Of each task; None where task i is the i-th."""
    letters: bytearray
    sequence: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


_kept: OrderedDict[UUID, _Kept] = OrderedDict()
_lock = threading.Lock()


def compact_matrix(session: Session, job_id: UUID) -> CompactMatrix:
    """Of the run that a job is; empty when the job is older than this version of its template."""
    kept = _find(session, job_id)
    running = running_tasks(session, job_id)
    with kept.lock:
        found, sequence = tasks_by_verdict_since(session, job_id, after=kept.sequence)
        for verdict, tasks in found.items():
            letter = ord(LETTERS[verdict])
            for task in tasks:
                if (at := _at(kept, task)) is not None:
                    kept.letters[at] = letter
        kept.sequence = sequence
        letters = bytearray(kept.letters)
    for task in running:
        at = _at(kept, task)
        if at is not None and letters[at] == ord(NO_RESULT):
            letters[at] = ord(RUNNING)
    states = "".join(f"{len(list(run))}{letter}" for letter, run in groupby(letters.decode()))
    return CompactMatrix(kept.rows, kept.columns, kept.blocks, states, sequence)


def blocks_of(cells: Sequence[CampaignCell]) -> tuple[Block, ...]:
    """Consecutive tasks of one row in consecutive columns, as one block each."""
    rows = {name: at for at, name in enumerate(dict.fromkeys(cell.row for cell in cells))}
    columns = {name: at for at, name in enumerate(dict.fromkeys(cell.column for cell in cells))}
    found: list[Block] = []
    for cell in cells:
        row, column = rows[cell.row], columns[cell.column]
        if found:
            first, of_row, start, count = found[-1]
            if (first + count, of_row, start + count) == (cell.task_index, row, column):
                found[-1] = (first, of_row, start, count + 1)
                continue
        found.append((cell.task_index, row, column, 1))
    return tuple(found)


def ranges_of(names: Sequence[str]) -> Iterator[str | tuple[int, int]]:
    """Names, with three or more numbers that rise by one as a pair."""
    at = 0
    while at < len(names):
        end = at + 1
        if _is_number(names[at]):
            first = int(names[at])
            while end < len(names) and names[end] == str(first + end - at):
                end += 1
            if end - at > 2:  # noqa: PLR2004 - shorter runs gain nothing
                yield first, first + end - at - 1
                at = end
                continue
        yield names[at]
        at += 1


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) <= _MOST_DIGITS and str(int(name)) == name


def _find(session: Session, job_id: UUID) -> _Kept:
    with _lock:
        if job_id in _kept:
            _kept.move_to_end(job_id)
            return _kept[job_id]
    cells = cells_of(session, job_id)
    is_plain = all(cell.task_index == at for at, cell in enumerate(cells))
    kept = _Kept(
        rows=tuple(dict.fromkeys(cell.row for cell in cells)),
        columns=tuple(ranges_of(list(dict.fromkeys(cell.column for cell in cells)))),
        blocks=blocks_of(cells),
        place=None if is_plain else {cell.task_index: at for at, cell in enumerate(cells)},
        letters=bytearray(NO_RESULT.encode() * len(cells)),
    )
    with _lock:
        kept = _kept.setdefault(job_id, kept)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return kept


def _at(kept: _Kept, task: int) -> int | None:
    """The task's place; None when it is no task of the run."""
    if kept.place is not None:
        return kept.place.get(task)
    return task if 0 <= task < len(kept.letters) else None
