"""What a person may want of a job under way, as it is stored and as the scheduler is told: pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never

from schedulers.jobspec import ArraySpec
from schedulers.protocol import (
    CancelTasks,
    HoldJob,
    JobChange,
    ReleaseJob,
    RequeueJob,
    SetNice,
    SetWalltime,
)


class ChangeKind(StrEnum):
    """What is changed."""

    HOLD = "hold"
    RELEASE = "release"
    REQUEUE = "requeue"
    WALLTIME = "walltime"
    NICE = "nice"
    CANCEL_TASKS = "cancel_tasks"


class ChangeState(StrEnum):
    """What became of a wish."""

    REQUESTED = "requested"
    """Stored; the controller has not heard yet what the scheduler says."""
    CARRIED = "carried"
    REFUSED = "refused"
    """The scheduler said no, or the job had ended; nothing was changed."""


class HeldBy(StrEnum):
    """Whose word keeps a job from starting."""

    USER = "user"
    """The owner or somebody of the project; each of them may release it."""
    ADMINISTRATOR = "administrator"


def held_at_scheduler(state_reason: str) -> HeldBy | None:
    """Who holds a job that was held at the scheduler itself, past the portal; None: nobody did."""
    return {"JobHeldUser": HeldBy.USER, "JobHeldAdmin": HeldBy.ADMINISTRATOR}.get(state_reason)


def kind_of(change: JobChange) -> ChangeKind:
    """The name under which a change is stored."""
    match change:
        case HoldJob():
            return ChangeKind.HOLD
        case ReleaseJob():
            return ChangeKind.RELEASE
        case RequeueJob():
            return ChangeKind.REQUEUE
        case SetWalltime():
            return ChangeKind.WALLTIME
        case SetNice():
            return ChangeKind.NICE
        case CancelTasks():
            return ChangeKind.CANCEL_TASKS
    assert_never(change)


def facts_of(change: JobChange) -> dict[str, Any]:
    """What a change says beyond its kind, as JSON."""
    match change:
        case HoldJob(by_administrator) | ReleaseJob(by_administrator):
            return {"by_administrator": True} if by_administrator else {}
        case SetWalltime(walltime_seconds):
            return {"walltime_seconds": walltime_seconds}
        case SetNice(nice):
            return {"nice": nice}
        case CancelTasks(tasks):
            return {"tasks": tasks.expression}
        case RequeueJob():
            return {}
    assert_never(change)


def change_of(kind: ChangeKind, facts: Mapping[str, Any], *, requested_at: datetime) -> JobChange:
    """What the scheduler is told; the inverse of `kind_of` and `facts_of`."""
    match kind:
        case ChangeKind.HOLD:
            return HoldJob(by_administrator=facts.get("by_administrator", False))
        case ChangeKind.RELEASE:
            return ReleaseJob(by_administrator=facts.get("by_administrator", False))
        case ChangeKind.REQUEUE:
            return RequeueJob(started_before=requested_at)
        case ChangeKind.WALLTIME:
            return SetWalltime(facts["walltime_seconds"])
        case ChangeKind.NICE:
            return SetNice(facts["nice"])
        case ChangeKind.CANCEL_TASKS:
            return CancelTasks(ArraySpec(expression=facts["tasks"]))
    assert_never(kind)
