"""What is remembered of one job that is followed; see follow_jobs.py for how it grows."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias

from schedulers.jobspec import ArraySpec
from schedulers.jobstate import TaskSnapshot
from schedulers.slurm.read_jobs import Owner
from schedulers.slurm.spot_changes import NOTHING, Lines, States

RunId: TypeAlias = tuple[int, int]
"""(task_index, attempt)"""


@dataclass(slots=True)
class Run:
    """One attempt, and the change that it was last seen with."""

    snapshot: TaskSnapshot
    version: int


@dataclass(slots=True)
class Known:
    """What matters of a record after it was read."""

    task_index: int | None
    attempt: int
    waits: bool
    has_ended: bool
    reason: str = ""


class Sum(NamedTuple):
    """What a job's records amount to."""

    was_read: bool = False
    is_lost: bool = False
    """Neither slurmctld nor slurmdbd knows what became of it."""
    waits: bool = False
    pending_reason: str = ""
    is_closed: bool = False
    is_open: bool = True
    """Something of it has not ended."""


@dataclass(slots=True)
class View:
    """One job."""

    owner: Owner
    is_sure: bool = False
    """Slurm has just said that this number is this job's."""
    is_displaced: bool = False
    """slurmctld lost its memory and gave the number to another job: only slurmdbd can tell of this one."""
    version: int = 0
    was_read: bool = False
    is_to_be_read: bool = False
    """Whatever it is listed as: slurmctld was away, and may know another job by its number since."""
    is_lost: bool = False
    sum: Sum = field(default_factory=Sum)
    listed: Lines = field(default_factory=dict)
    """How it was listed when it was last read."""
    records: dict[str, Known] = field(default_factory=dict)
    runs: dict[RunId, Run] = field(default_factory=dict)
    withheld: dict[RunId, TaskSnapshot] = field(default_factory=dict)
    """Ends that wait for the attempts before them to become known."""
    unexplained: dict[int, float] = field(default_factory=dict)
    """Tasks that left the rest without a record, and since when slurmdbd says that it has none either."""
    cancelled: list[tuple[ArraySpec, datetime]] = field(default_factory=list)
    """Tasks that we cancelled, and when."""
    is_doubtful: bool = True
    """Something was learned of it, and it was not looked yet whether slurmdbd has to be asked."""
    read_at: float = 0.0
    ask_again_at: float = 0.0
    asked: int = 0
    """How often slurmdbd was asked in vain."""

    def lines(self, job_id: str, states: States) -> Lines:
        """How slurmctld lists it, under the number `job_id`."""
        return NOTHING if self.is_displaced else states.of(job_id)

    def has_ended(self, run: TaskSnapshot) -> bool:
        """Whether the end of this attempt is known already."""
        seen = self.runs.get((run.task_index, run.attempt))
        return seen is not None and seen.snapshot.has_ended

    def lacks_history(self, task_index: int, attempt: int) -> bool:
        """Whether the end of an attempt before this one is not known."""
        earlier = (self.runs.get((task_index, number)) for number in range(attempt))
        return any(run is None or not run.snapshot.has_ended for run in earlier)

    def sum_up(self) -> Sum:
        """What all its records amount to."""
        waiting = [known for known in self.records.values() if known.waits]
        # The rest speaks for an array; a task that was requeued only when there is no rest.
        speaker = min(waiting, key=lambda known: known.task_index is not None, default=None)
        in_doubt = bool(self.withheld or self.unexplained)
        return Sum(
            was_read=self.was_read,
            is_lost=self.is_lost,
            waits=bool(waiting),
            pending_reason=speaker.reason if speaker else "",
            is_closed=self.was_read and not (waiting or in_doubt),
            is_open=in_doubt or not all(known.has_ended for known in self.records.values()),
        )
