"""Jobs that reached a cluster past the portal, as the cluster's own accounting tells of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from schedulers.jobstate import JobState
from schedulers.tres import Tres


@dataclass(frozen=True, slots=True)
class ExternalRun:
    """One run of a job or array task, or (without a `task_index`) the part of an array that never started.

    A job that is put back into the queue begins a new run with a later `submitted_at`.
    """

    scheduler_job_id: str
    """The job that was submitted: the array's own number for every task of it."""
    task_index: int | None
    """0 for a job that is no array."""
    is_array: bool
    submitted_at: datetime
    tasks: int
    """How many tasks it stands for: 1, or those of an array that never started."""
    claims_job: UUID | None
    """The portal's job that its comment names; anybody can write such a comment."""
    cluster_user: str
    account: str
    name: str
    partition: str
    qos: str
    state: JobState
    is_requeued: bool = False
    """This run ended and another one follows."""
    reason: str = ""
    exit_code: int | None = None
    exit_signal: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    """None while it waits or runs."""
    elapsed_seconds: int = 0
    allocated_tres: Mapping[Tres, int] = field(default_factory=dict)
    requested_tres: Mapping[Tres, int] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    walltime_seconds: int | None = None
    cpu_seconds: float = 0.0
    max_rss_mib: int = 0

    @property
    def key(self) -> str:
        """What tells its record from all others of the cluster, with `submitted_at`: `812`, `812_4`."""
        if not self.is_array:
            return self.scheduler_job_id
        return f"{self.scheduler_job_id}_{'*' if self.task_index is None else self.task_index}"


class ExternalJobs(Protocol):
    """A cluster whose accounting can be read. Every method may raise SchedulerUnavailable."""

    async def runs(self, *, start: datetime, end: datetime) -> Sequence[ExternalRun]:
        """Every run that waited, ran or ended in this window of time, the portal's own ones included.

        Windows may overlap and be asked for again: the same run then comes again, perhaps with other facts.
        """
        ...
