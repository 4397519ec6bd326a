"""How much somebody may have at once, or in one job: pure, over facts that the caller has read.

Every level counts: what a group uses together (its GPUs, its jobs) is checked at each level against what
that level uses, and a single job against each level, too, so that the smallest value holds and a lower
level never gives more than the one above. A level without a limit of its own has the default, which the
administrators set for everybody at that level.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from quotas.errors import LimitExceeded

EVERYBODY = UUID(int=0)
"""Stands for all owners of a level that have no limit of their own."""


class LimitOwner(StrEnum):
    """At which level a limit is set."""

    ORGANISATION = "organisation"
    PROJECT = "project"
    MEMBER = "member"
    """One person within one project."""
    USER = "user"
    """One person in all projects."""


class LimitKind(StrEnum):
    """What is limited."""

    GPUS_RUNNING = "gpus_running"
    """GPUs of one type, or of all, in use at once (GrpTRES)."""
    JOBS_RUNNING = "jobs_running"
    """GrpJobs."""
    JOBS_QUEUED = "jobs_queued"
    """Jobs that have not ended, waiting or running (GrpSubmitJobs)."""
    ARRAY_TASKS = "array_tasks"
    """Tasks of one array (MaxArraySize)."""
    WALLTIME_SECONDS = "walltime_seconds"
    """Of one job (MaxWall)."""
    GPUS_PER_JOB = "gpus_per_job"
    """Of one type, or of all, in one job or array task (MaxTRESPerJob)."""


_WORDS = {
    LimitKind.GPUS_RUNNING: "{gpus} in use at once",
    LimitKind.JOBS_RUNNING: "running jobs",
    LimitKind.JOBS_QUEUED: "jobs that have not ended",
    LimitKind.ARRAY_TASKS: "tasks in one array",
    LimitKind.WALLTIME_SECONDS: "seconds of walltime",
    LimitKind.GPUS_PER_JOB: "{gpus} in one job",
}
_NEAREST_FIRST = (LimitOwner.MEMBER, LimitOwner.USER, LimitOwner.PROJECT, LimitOwner.ORGANISATION)
_ADMINISTRATORS = "the administrators of the city's cluster"
_RAISED_BY = {
    LimitOwner.ORGANISATION: _ADMINISTRATORS,
    LimitOwner.PROJECT: "the manager of your organisation",
    LimitOwner.MEMBER: "the lead of your project",
    LimitOwner.USER: _ADMINISTRATORS,
}
GPU_KINDS = frozenset({LimitKind.GPUS_RUNNING, LimitKind.GPUS_PER_JOB})
"""Those that can be set for one GPU type, too."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose limits: an organisation, a project, a person, or a person within a project."""

    kind: LimitOwner
    id: UUID
    name: str
    """For messages."""
    within: UUID = EVERYBODY
    """The project, of a person within one."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit that somebody set."""

    owner_kind: LimitOwner
    owner: str
    """Name of the organisation, project or person, for messages."""
    kind: LimitKind
    value: int
    gpu_type: str = ""
    """For GPU limits: one type, or "" for all types together."""
    is_default: bool = False
    """Set for everybody at that level; the owner has none of its own."""

    @property
    def raised_by(self) -> str:
        """Who can raise it, in words."""
        return _ADMINISTRATORS if self.is_default else _RAISED_BY[self.owner_kind]


@dataclass(frozen=True, slots=True)
class InUse:
    """What one level has now."""

    jobs_queued: int = 0
    """Not ended: waiting and running."""
    jobs_running: int = 0
    gpus_running: Mapping[str, int] = field(default_factory=dict)
    """By type; "" counts those of no known type."""


@dataclass(frozen=True, slots=True)
class JobDemand:
    """What one job asks for, as far as limits care."""

    walltime_seconds: int
    array_tasks: int = 1
    gpus: Mapping[str, int] = field(default_factory=dict)
    """Of one array task, by type; "" takes any."""


NOTHING = InUse()


def check(demand: JobDemand, limits: Sequence[Limit], in_use: Mapping[LimitOwner, InUse]) -> None:
    """Whether the job may be submitted: it breaks no limit of its own and could start when all is idle.

    Raises:
        LimitExceeded: it may not; the first limit found, the person's own before the organisation's.
    """
    for limit in nearest_first(limits):
        used = in_use.get(limit.owner_kind, NOTHING).jobs_queued if limit.kind is LimitKind.JOBS_QUEUED else 0
        _require(limit, asked=_asked(limit, demand), used=used)


def check_start(demand: JobDemand, limits: Sequence[Limit], in_use: Mapping[LimitOwner, InUse]) -> None:
    """Whether one more run of the job may start beside what runs already.

    Raises:
        LimitExceeded: not now.
    """
    for limit in nearest_first(limits):
        level = in_use.get(limit.owner_kind, NOTHING)
        if limit.kind is LimitKind.JOBS_RUNNING:
            _require(limit, asked=1, used=level.jobs_running)
        if limit.kind is LimitKind.GPUS_RUNNING and (asked := _gpus(limit, demand.gpus)):
            _require(limit, asked=asked, used=_gpus(limit, level.gpus_running))


def smallest(limits: Iterable[Limit]) -> list[Limit]:
    """Of each kind and GPU type the one that holds: the smallest, of equals that of the level above."""
    held: dict[tuple[LimitKind, str], Limit] = {}
    for limit in reversed(nearest_first(limits)):
        key = (limit.kind, limit.gpu_type)
        if key not in held or limit.value < held[key].value:
            held[key] = limit
    return [held[key] for key in sorted(held)]


def nearest_first(limits: Iterable[Limit]) -> list[Limit]:
    """The person's own within the project in front, the organisation's last."""
    return sorted(limits, key=lambda limit: _NEAREST_FIRST.index(limit.owner_kind))


def _asked(limit: Limit, demand: JobDemand) -> int:
    match limit.kind:
        case LimitKind.ARRAY_TASKS:
            return demand.array_tasks
        case LimitKind.WALLTIME_SECONDS:
            return demand.walltime_seconds
        case LimitKind.GPUS_PER_JOB | LimitKind.GPUS_RUNNING:
            return _gpus(limit, demand.gpus)
        case LimitKind.JOBS_QUEUED | LimitKind.JOBS_RUNNING:
            return 1


def _gpus(limit: Limit, gpus: Mapping[str, int]) -> int:
    """GPUs that the limit counts. An untyped request may get the limited type, so it counts, too."""
    if not limit.gpu_type:
        return sum(gpus.values())
    return gpus.get(limit.gpu_type, 0) + gpus.get("", 0)


def _require(limit: Limit, *, asked: int, used: int) -> None:
    if used + asked <= limit.value:
        return
    gpus = f"{limit.gpu_type} GPUs" if limit.gpu_type else "GPUs"
    raise LimitExceeded(
        limit=_WORDS[limit.kind].format(gpus=gpus),
        owner_kind=limit.owner_kind,
        owner=limit.owner,
        value=limit.value,
        asked=asked,
        in_use=used,
        raised_by=limit.raised_by,
    )
