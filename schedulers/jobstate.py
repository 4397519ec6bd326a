"""What is seen of a job: Slurm's base states and flags, exit codes, and one observation of a task."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schedulers.tres import TresAmounts


class JobState(StrEnum):
    """Slurm's base states (squeue(1), JOB STATE CODES)."""

    PENDING = "PENDING"
    """Queued; `reason` says why it waits."""
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    """Ended with exit code 0 on all nodes."""
    CANCELLED = "CANCELLED"
    """By the user or an administrator, before or after it started."""
    FAILED = "FAILED"
    """Ended with a non-zero exit code or a signal."""
    TIMEOUT = "TIMEOUT"
    """Reached its walltime."""
    NODE_FAIL = "NODE_FAIL"
    """One of its nodes failed."""
    PREEMPTED = "PREEMPTED"
    BOOT_FAIL = "BOOT_FAIL"
    """A node could not be made ready to run it."""
    DEADLINE = "DEADLINE"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    UNKNOWN = "UNKNOWN"
    """The scheduler said something we do not know, or does not know the job. Never taken as an end."""

    @property
    def is_terminal(self) -> bool:
        """Whether a job in this state, with no flag beside it, will change no more."""
        return self in _TERMINAL


_TERMINAL = frozenset(JobState) - {JobState.PENDING, JobState.RUNNING, JobState.SUSPENDED, JobState.UNKNOWN}


class StateFlag(StrEnum):
    """What stands beside a base state (squeue(1))."""

    CONFIGURING = "CONFIGURING"
    """Nodes are being made ready."""
    COMPLETING = "COMPLETING"
    """Processes are still being cleaned up: it has not ended yet."""
    REQUEUED = "REQUEUED"
    """This run ended, the job goes back to the queue."""


@dataclass(frozen=True, slots=True)
class ExitCode:
    """An exit code and a signal, told apart; prints `code:signal` as sacct does."""

    code: int = 0
    signal: int = 0

    def __str__(self) -> str:
        return f"{self.code}:{self.signal}"

    @property
    def is_success(self) -> bool:
        """Whether the program said that all went well."""
        return self.code == 0 and self.signal == 0


@dataclass(frozen=True, slots=True)
class JobUsage:
    """What one run really used: the facts that are charged."""

    started_at: datetime | None
    """None when it never started; then nothing is charged."""
    ended_at: datetime
    elapsed_seconds: int
    """Whole seconds of wall clock, rounded up, so that a run that held resources is never free."""
    allocated_tres: TresAmounts
    cpu_seconds: float = 0.0
    """User plus system time of all its processes; for efficiency reports, never for money."""
    max_rss_mib: int = 0
    gpu_busy_seconds: float | None = None
    """GPUs times the seconds that they were at work; None where nobody measures it. Never for money."""
    energy_joules: int | None = None
    """None where nobody measures it."""


@dataclass(frozen=True, slots=True)
class TaskSnapshot:
    """One run (attempt) of a job, or of one task of an array, as the scheduler sees it now."""

    task_index: int
    """The array task id; 0 for a job that is no array."""
    attempt: int
    """0 for the first run, one more after each requeue (Slurm's restart count)."""
    state: JobState
    flags: frozenset[StateFlag] = frozenset()
    reason: str = ""
    """The scheduler's own word for why it waits or ended (`Resources`, `Licenses`, `NonZeroExitCode`)."""
    exit_code: ExitCode | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    nodes: tuple[str, ...] = ()
    gpu_indices: Mapping[str, tuple[int, ...]] | None = None
    """Concrete GPUs by node, where the scheduler tells."""
    usage: JobUsage | None = None
    """Set on an ended run when the scheduler is its own meter (Dask); None: ask `accounted()`."""

    @property
    def has_ended(self) -> bool:
        """Whether this run is over: a terminal base state with no COMPLETING beside it."""
        return self.state.is_terminal and StateFlag.COMPLETING not in self.flags


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """A job as the scheduler sees it: itself, and those of its tasks that exist or changed."""

    scheduler_job_id: str
    pending_reason: str = ""
    """Why its waiting part waits; "" when nothing of it waits."""
    tasks: tuple[TaskSnapshot, ...] = ()
    """Tasks never started are not listed: they stay compact (a range, not rows)."""
    is_closed: bool = False
    """No further task will start: all were started, or the rest was cancelled."""
