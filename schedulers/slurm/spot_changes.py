"""What of GET /jobs/state is news: which records to read in detail, and which slurmctld has dropped; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from schedulers.slurm.wire import JobStateEntry, Words


class Line(NamedTuple):
    """How a job, or one task of an array, is listed."""

    state: Words
    raw_id: str
    """The number of its record; a task that never started has its array's."""


Lines: TypeAlias = Mapping[int | None, Line]
"""By task index; None is a job that is no array."""

NOTHING: Lines = {}
"""Of a job that slurmctld does not list."""


class States:
    """One light look at everything that slurmctld remembers."""

    def __init__(self, entries: Iterable[JobStateEntry]) -> None:
        self.records = 0
        """How many records slurmctld has, about."""
        self._jobs: dict[str, dict[int | None, Line]] = {}
        for entry in entries:
            job_id, _, task = entry.job_id.partition("_")
            raw_id = str(entry.record_id)
            task_index = int(task) if task.isdecimal() else None
            self._jobs.setdefault(job_id, {})[task_index] = Line(entry.state, raw_id)
            self.records += raw_id != job_id or task_index is None

    def of(self, job_id: str) -> Lines:
        """How a job is listed; empty when slurmctld does not know it."""
        return self._jobs.get(job_id, NOTHING)


def raw_ids(lines: Lines) -> frozenset[str]:
    """The numbers of a job's records."""
    return frozenset(line.raw_id for line in lines.values())


@dataclass(slots=True)
class News:
    """What to read because of one look."""

    whole: set[str] = field(default_factory=set)
    """Jobs of which everything must be read."""
    records: dict[str, str] = field(default_factory=dict)
    """Single records that changed, with their job."""
    gone: dict[str, set[int]] = field(default_factory=dict)
    """By job: tasks that are listed no more."""


def spot(news: News, job_id: str, before: Lines, now: Lines) -> None:
    """Add the news of one job that was read before, when it was listed in another way.

    A task that starts leaves the record of its array's rest, which is no reason to read the rest again: an
    array's own record is read, with all the others, only when its state changes.
    """
    if before == now:
        return
    for task_index, line in now.items():
        if before.get(task_index) != line:
            if line.raw_id == job_id:
                news.whole.add(job_id)
                return
            news.records[line.raw_id] = job_id
    gone = {task_index for task_index in before.keys() - now.keys() if task_index is not None}
    if gone and now:
        news.gone[job_id] = gone
