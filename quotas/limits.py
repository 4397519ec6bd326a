"""How much somebody may have at once, or in one job: pure, over facts that the caller has read.

As in Slurm, a limit on what a group uses together (its GPUs, its jobs) is checked at every level where
it is set, against what that level uses; a limit on a single job is inherited from the nearest level that
sets it: the user's own, else the project's, else the organisation's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from quotas.errors import LimitExceeded


class LimitOwner(StrEnum):
    """At which level a limit is set."""

    ORGANISATION = "organisation"
    PROJECT = "project"
    USER = "user"


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
_GROUP_KINDS = frozenset({LimitKind.GPUS_RUNNING, LimitKind.JOBS_RUNNING, LimitKind.JOBS_QUEUED})
_NEAREST_FIRST = (LimitOwner.USER, LimitOwner.PROJECT, LimitOwner.ORGANISATION)
_RAISED_BY = {
    LimitOwner.ORGANISATION: "the administrators of the city's cluster",
    LimitOwner.PROJECT: "the manager of your organisation",
    LimitOwner.USER: "the lead of your project",
}


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
    for limit in _effective(limits):
        used = in_use.get(limit.owner_kind, NOTHING).jobs_queued if limit.kind is LimitKind.JOBS_QUEUED else 0
        _require(limit, asked=_asked(limit, demand), used=used)


def check_start(demand: JobDemand, limits: Sequence[Limit], in_use: Mapping[LimitOwner, InUse]) -> None:
    """Whether one more run of the job may start beside what runs already.

    Raises:
        LimitExceeded: not now.
    """
    for limit in _effective(limits):
        level = in_use.get(limit.owner_kind, NOTHING)
        if limit.kind is LimitKind.JOBS_RUNNING:
            _require(limit, asked=1, used=level.jobs_running)
        if limit.kind is LimitKind.GPUS_RUNNING and (asked := _gpus(limit, demand.gpus)):
            _require(limit, asked=asked, used=_gpus(limit, level.gpus_running))


def _effective(limits: Sequence[Limit]) -> Iterator[Limit]:
    """Nearest level first, without the single-job limits that a nearer level overrides."""
    overridden = set()
    for limit in sorted(limits, key=lambda limit: _NEAREST_FIRST.index(limit.owner_kind)):
        what = (limit.kind, limit.gpu_type)
        if limit.kind in _GROUP_KINDS or what not in overridden:
            yield limit
        overridden.add(what)


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
        raised_by=_RAISED_BY[limit.owner_kind],
    )
