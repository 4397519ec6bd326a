"""The one seam between the portal and whatever runs jobs; its docstrings are the contract.

One suite (tests/contract) holds every backend to it. What only some backends can do is a `Feature`,
never a method that raises.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias
from uuid import UUID

from schedulers.cluster import ClusterSnapshot
from schedulers.jobspec import ArraySpec, DependencyKind, JobSpec
from schedulers.jobstate import JobSnapshot, TaskSnapshot


class Feature(StrEnum):
    """What only some backends can do."""

    PUSHES_CHANGES = "pushes_changes"
    """`wait_for_change` returns as soon as something changed, not after a polling interval."""
    METERS_USAGE = "meters_usage"
    """Snapshots of ended runs carry their usage; `accounted()` need not be asked."""
    KEEPS_DEPENDENCIES = "keeps_dependencies"
    """`Submission.dependencies` are honoured: a job waits there for those that it comes after."""
    OURS_ALONE = "ours_alone"
    """Nobody but the portal submits and cancels: what it did not cancel runs."""


@dataclass(frozen=True, slots=True)
class JobRef:
    """Which job is meant. A number alone does not tell: a scheduler that lost its memory gives it again.

    Another job that has the number is never observed, metered, cancelled or changed as this one.
    """

    job_id: UUID
    """The portal's."""
    scheduler_job_id: str
    cluster_user: str = ""
    """Whom it belongs to on the cluster; "" when that is not known."""
    dispatched_at: datetime | None = None
    """When the portal knew that the scheduler has it: what is submitted later is another job."""


@dataclass(frozen=True, slots=True)
class SchedulerDependency:
    """A condition on another job of the same scheduler."""

    kind: DependencyKind
    scheduler_job_id: str


@dataclass(frozen=True, slots=True)
class Submission:
    """One job on its way to a scheduler, with who it is for."""

    job_id: UUID
    """Also the request key: the same job_id never becomes two jobs."""
    spec: JobSpec
    """Complete: partition and walltime are filled in."""
    cluster_user: str
    """The account name on the cluster that the processes run as."""
    organisation: str
    """The tenant: jobs of different organisations never see each other."""
    project: str
    workspace: str
    """Absolute path of the job's own folder, on storage that the nodes share with the portal."""
    submitted_at: datetime
    cluster_uid: int | None = None
    """Numeric id for a cluster_user that has no account on the nodes; None: there must be one."""
    priority: int = 0
    """Higher starts first; equals start in order of submission."""
    dependencies: tuple[SchedulerDependency, ...] = ()
    """All that it still has to wait for; empty where the backend lacks KEEPS_DEPENDENCIES.

    A condition that can never be met leaves the job pending with the reason `DependencyNeverSatisfied`."""
    user: str = ""
    """The person's name in the portal, which is the same on every cluster: limits of people go by it."""
    is_held: bool = False
    """Accepted but not started before a `ReleaseJob`."""
    traceparent: str | None = None
    """Its place in a trace (W3C Trace Context), for a backend that asks others over HTTP to pass on; only
    while it is being submitted."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The scheduler has the job under this id."""

    scheduler_job_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no; the job does not exist there."""

    reason: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Sent, no answer. `find` before submitting again."""

    problem: str


SubmitOutcome = Accepted | Refused | Uncertain


@dataclass(frozen=True, slots=True)
class HoldJob:
    """What of the job waits shall not start; what runs goes on."""

    by_administrator: bool = False
    """The job's owner cannot release it, neither here nor at the scheduler itself."""


@dataclass(frozen=True, slots=True)
class ReleaseJob:
    """Undo HoldJob, and a hold at the scheduler itself."""

    by_administrator: bool = False
    """Also one by an administrator, which a backend that people reach past the portal does not undo else."""


@dataclass(frozen=True, slots=True)
class RequeueJob:
    """End what runs of the job and put it back into the queue; what waits stays there.

    Each ended run carries the flag REQUEUED. It is no error when nothing runs.
    """

    started_before: datetime | None = None
    """Only runs that started before this instant, so that asking twice requeues nothing twice; None: all."""


@dataclass(frozen=True, slots=True)
class SetWalltime:
    """Another limit for the job's runs, those under way included."""

    walltime_seconds: int


@dataclass(frozen=True, slots=True)
class SetNice:
    """How much later than others of its rank the job starts (sbatch --nice)."""

    nice: int


@dataclass(frozen=True, slots=True)
class CancelTasks:
    """Cancel these tasks of an array, waiting or running; the others go on.

    Each of them that had not ended ends as CANCELLED, also those that never started.
    """

    tasks: ArraySpec


JobChange = HoldJob | ReleaseJob | RequeueJob | SetWalltime | SetNice | CancelTasks


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """One change of one job under way."""

    job: JobRef
    change: JobChange


@dataclass(frozen=True, slots=True)
class Carried:
    """The change is made, by this request or by an earlier one."""


ChangeOutcome = Carried | Refused


@dataclass(frozen=True, slots=True)
class Observation:
    """What changed, and the cursor to ask from next time."""

    cursor: int
    jobs: Mapping[UUID, JobSnapshot]
    """By the portal's id."""


RunKey: TypeAlias = tuple[UUID, int, int]
"""(job_id, task_index, attempt)"""


class Scheduler(Protocol):
    """Something that runs jobs. Every method may raise SchedulerUnavailable, having changed nothing."""

    @property
    def name(self) -> str:
        """The cluster's name, as stored with each job."""
        ...

    @property
    def features(self) -> frozenset[Feature]:
        """What this backend can do beyond the contract."""
        ...

    async def start(self) -> None:
        """Connect and recover what was under way; returns when observations are meaningful."""
        ...

    async def close(self) -> None:
        """Let go of connections. Jobs go on running."""
        ...

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        """Hand over jobs; one outcome each, in order.

        A job_id that the scheduler already has is Accepted with its existing id, never run twice.

        Raises:
            SchedulerUnavailable: nothing was sent; all may be submitted again.
        """
        ...

    async def find(self, users: Mapping[UUID, str]) -> Mapping[UUID, Accepted | Uncertain]:
        """Those jobs that the scheduler has; asked after an Uncertain or a crash.

        A job missing from the answer is not there and may be submitted again. Another user's job is never
        the one that is looked for, whatever it says of itself. Uncertain: it cannot be said of this job, for
        a reason of its own; the others are not held up by that.

        Args:
            users: the cluster user that each job was sent as.
        """
        ...

    async def cancel(self, jobs: Collection[JobRef]) -> None:
        """Ask for cancellation and return at once; unknown or ended jobs are not an error."""
        ...

    async def change(self, requests: Sequence[ChangeRequest]) -> Sequence[ChangeOutcome]:
        """Change jobs under way; one outcome each, in order. Asking twice is the same as asking once.

        Refused says, in its reason, why the scheduler will not or cannot; a job that it does not know, or
        that has ended, is always refused.

        Raises:
            SchedulerUnavailable: some may have been made; ask for all of them again.
        """
        ...

    async def observe(self, jobs: Mapping[UUID, JobRef], *, since: int | None = None) -> Observation:
        """What is known of these jobs, in one batch.

        Args:
            jobs: by the portal's id, those that have not ended as far as the caller knows.
            since: None gives everything known, and then a job missing from the answer is unknown to the
                scheduler (which is not an end). A cursor of this same instance gives only what changed
                after it, and absence means "no change".
        """
        ...

    async def forget(self, jobs: Collection[JobRef]) -> None:
        """The caller has recorded the end of these jobs for good; the backend may drop them."""
        ...

    async def wait_for_change(self, timeout_seconds: float) -> bool:
        """Wait until an `observe` would probably tell something new; False when the time ran out."""
        ...

    async def accounted(self, jobs: Collection[JobRef]) -> Mapping[RunKey, TaskSnapshot]:
        """How runs of these jobs ended and what they used; only those of which both is known for sure.

        It may differ from what was observed: records come late, and are revised.
        """
        ...

    async def cluster(self) -> ClusterSnapshot:
        """Partitions, nodes and licences as they are now."""
        ...
