"""The port through which placements are written ahead, and a store in memory that tests run on.

The portal implements `PlacementStore` on its database. A run is in the store *before* its process is
started; the store's unique key on (job_id, task_index, attempt) is what makes a second start impossible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self
from uuid import UUID

from schedulers import tres
from schedulers.cluster import LicenseSupply
from schedulers.dask.placement import ConcurrentLimits
from schedulers.dask.queue import LimitGroup
from schedulers.jobspec import ArraySpec
from schedulers.jobstate import JobState
from schedulers.protocol import Submission


@dataclass(frozen=True, slots=True)
class Share:
    """Where a run was put, with all that a restarted portal needs to account for it again."""

    lane_id: str
    slot: str
    nodes: tuple[str, ...]
    """By rank: the process on nodes[r] has rank r."""
    cpus: int
    """On each node."""
    memory_mib: int
    """On each node."""
    gpus: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    """Indices by node and type; an untyped request got concrete ones."""
    whole_cpus: Mapping[str, int] = field(default_factory=dict)
    """CPUs by node where whole nodes are held; {} where `cpus` are held on each."""
    supervisors: Mapping[str, str] = field(default_factory=dict)
    """By node: the supervisor that was to start it. Another one there means that the run is lost."""

    @property
    def gpu_indices(self) -> dict[str, tuple[int, ...]]:
        """All indices by node; nodes without a GPU are left out."""
        held = {node: sum(by_type.values(), ()) for node, by_type in self.gpus.items()}
        return {node: indices for node, indices in held.items() if indices}

    @property
    def gpu_types(self) -> dict[str, int]:
        """How many of each type on all nodes together."""
        counts = ({name: len(ids) for name, ids in by_type.items()} for by_type in self.gpus.values())
        return tres.add(*counts)

    def to_json(self) -> dict[str, Any]:
        """A plain dict for a JSON column."""
        return {
            "lane": self.lane_id,
            "slot": self.slot,
            "nodes": list(self.nodes),
            "cpus": self.cpus,
            "memory_mib": self.memory_mib,
            "gpus": {
                node: {gpu_type: list(indices) for gpu_type, indices in by_type.items()}
                for node, by_type in self.gpus.items()
            },
            "supervisors": dict(self.supervisors),
            **({"whole_cpus": dict(self.whole_cpus)} if self.whole_cpus else {}),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(
            lane_id=fields["lane"],
            slot=fields["slot"],
            nodes=tuple(fields["nodes"]),
            cpus=fields["cpus"],
            memory_mib=fields["memory_mib"],
            gpus={
                node: {gpu_type: tuple(indices) for gpu_type, indices in by_type.items()}
                for node, by_type in fields["gpus"].items()
            },
            supervisors=dict(fields["supervisors"]),
            whole_cpus=dict(fields.get("whole_cpus", {})),
        )


@dataclass(frozen=True, slots=True)
class Placement:
    """One run about to be started. Runs of one lane share the same `share` object."""

    job_id: UUID
    task_index: int
    attempt: int
    share: Share
    restarts: int = 0
    """How often the task was started before: what those runs cost must be set aside again first."""

    @property
    def key(self) -> tuple[UUID, int, int]:
        """What is unique about it."""
        return self.job_id, self.task_index, self.attempt


@dataclass(frozen=True, slots=True)
class Placed:
    """The store's answer: what stands, and what had better wait."""

    accepted: Sequence[Placement]
    """Those that now stand in the store; only they may be started."""
    waiting: Mapping[UUID, str] = field(default_factory=dict)
    """Jobs of which something was left out for now, and why, in the words of squeue(1); "" for a moment."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run that was placed, as the store knows it."""

    task_index: int
    attempt: int
    state: JobState
    is_requeued: bool
    """It ended and the next attempt is wanted, placed or not."""
    has_ended: bool
    placement: Mapping[str, Any]
    """`Share.to_json` as it was written."""
    placed_at: float = 0.0
    """Unix seconds on the portal's clock."""
    has_started: bool = False
    is_to_requeue: bool = False
    """It was to be requeued, whether or not its node was told before the portal stopped."""


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job that this cluster has and that has not ended as a whole."""

    submission: Submission
    runs: tuple[StoredRun, ...] = ()
    """Every run ever placed, in any order; tasks without one are still waiting."""
    cancel_requested: bool = False
    cancelled_tasks: tuple[ArraySpec, ...] = ()
    """Tasks that were cancelled one by one, also those that were never placed."""
    has_new_walltime: bool = False
    """Its walltime was changed after it was submitted."""


class PlacementStore(Protocol):
    """Durable memory of the Dask backend. All methods may raise; the backend then asks `load` what stands."""

    async def load(self) -> Sequence[StoredJob]:
        """All jobs that this cluster has: TRACKED, or DISPATCHING with at least one placement.

        Jobs that have ended are left out; ended runs of a job that goes on are not.
        """
        ...

    async def place(self, placements: Sequence[Placement]) -> Placed:
        """Write them in one transaction.

        Left out are runs that somebody else placed, runs of jobs that are cancelled or ended, those that
        nobody could pay for, and all of them when the caller is no longer the active controller.
        """
        ...

    async def require_right(self) -> None:
        """Make sure that the caller is still the active controller, for it is about to command a node.

        Raises:
            Exception: it is not, or nobody can tell.
        """
        ...

    async def limits(self) -> Mapping[LimitGroup, ConcurrentLimits]:
        """Who may hold how much at once, see `limit_groups`; whoever is missing has no limit."""
        ...

    async def licenses(self) -> Mapping[str, LicenseSupply]:
        """Supplies by feature that are known better than from the cluster's own settings."""
        ...


class MemoryPlacementStore:
    """A store that outlives the backends of one test; `submissions` and `runs` may be looked into."""

    def __init__(self) -> None:
        self.jobs: dict[UUID, StoredJob] = {}
        self.runs: dict[tuple[UUID, int, int], StoredRun] = {}
        self.concurrent_limits: dict[LimitGroup, ConcurrentLimits] = {}
        self.license_supplies: dict[str, LicenseSupply] = {}
        self.unfunded: dict[UUID, str] = {}
        """Jobs whose tasks must not start again, and why."""
        self.is_active = True
        """False plays a controller that lost its lease: every placement is refused."""

    def accept(self, submission: Submission) -> None:
        """The portal recorded that the scheduler has this job."""
        self.jobs.setdefault(submission.job_id, StoredJob(submission))

    def request_cancel(self, job_id: UUID) -> None:
        """The user's wish, as the portal stores it before it tells the scheduler."""
        self.jobs[job_id] = replace(self.jobs[job_id], cancel_requested=True)

    def record(self, job_id: UUID, run: StoredRun) -> None:
        """The portal saw a run's new state."""
        self.runs[job_id, run.task_index, run.attempt] = run

    def drop(self, job_id: UUID) -> None:
        """The job ended as a whole."""
        self.jobs.pop(job_id, None)

    async def load(self) -> Sequence[StoredJob]:
        """All jobs that were accepted and not dropped, with their runs."""
        runs: dict[UUID, list[StoredRun]] = {}
        for (job_id, _, _), run in self.runs.items():
            runs.setdefault(job_id, []).append(run)
        return [replace(job, runs=tuple(runs.get(job_id, ()))) for job_id, job in self.jobs.items()]

    async def place(self, placements: Sequence[Placement]) -> Placed:
        """Refuse what stands already, everything of a cancelled job, and restarts that are `unfunded`."""
        accepted: list[Placement] = []
        waiting: dict[UUID, str] = {}
        for placement in placements:
            job = self.jobs.get(placement.job_id)
            if not self.is_active or placement.key in self.runs or (job and job.cancel_requested):
                continue
            if placement.restarts and placement.job_id in self.unfunded:
                waiting[placement.job_id] = self.unfunded[placement.job_id]
                continue
            self.runs[placement.key] = StoredRun(
                task_index=placement.task_index,
                attempt=placement.attempt,
                state=JobState.PENDING,
                is_requeued=False,
                has_ended=False,
                placement=placement.share.to_json(),
            )
            accepted.append(placement)
        return Placed(accepted, waiting)

    async def require_right(self) -> None:
        """Refuse when another controller is played to be active."""
        if not self.is_active:
            message = "another controller is active"
            raise PermissionError(message)

    async def limits(self) -> Mapping[LimitGroup, ConcurrentLimits]:
        """Whatever `concurrent_limits` holds."""
        return self.concurrent_limits

    async def licenses(self) -> Mapping[str, LicenseSupply]:
        """Whatever `license_supplies` holds."""
        return self.license_supplies
