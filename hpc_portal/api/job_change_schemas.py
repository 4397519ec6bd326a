"""Bodies and replies about changes of jobs under way, and their cancellation."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from hpc_portal.api.schemas import Body, Reply
from hpc_portal.app.jobs.wish import ChangeKind, ChangeState
from schedulers.jobspec import ArraySpec

MOST_NICE = 2_147_483_645
"""As in sbatch."""


def _array(tasks: object) -> object:
    return {"expression": tasks} if isinstance(tasks, str) else tasks


TaskList = Annotated[ArraySpec, BeforeValidator(_array, json_schema_input_type=str)]
"""Tasks of an array as text: `3-7,12`."""


class CancelBody(Body):
    """Jobs to cancel: all of them or, when one may not be, none."""

    job_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]


class HoldBody(Body):
    """What of the job waits shall not start. An administrator's hold only an administrator releases."""

    change: Literal["hold"]


class ReleaseBody(Body):
    """Undo a hold."""

    change: Literal["release"]


class RequeueBody(Body):
    """End what runs, and put it back into the queue; the runs that end are charged."""

    change: Literal["requeue"]


class WalltimeBody(Body):
    """Another time limit, also for what runs. A longer one is held from the budget at once."""

    change: Literal["walltime"]
    walltime_seconds: Annotated[int, Field(ge=1, le=366 * 86_400)]


class NiceBody(Body):
    """How much later than others the job starts; below 0, for administrators, how much sooner."""

    change: Literal["nice"]
    nice: Annotated[int, Field(ge=-MOST_NICE, le=MOST_NICE)]


class CancelTasksBody(Body):
    """Cancel some tasks of an array, as sbatch writes them: `3-7,12`; the others go on."""

    change: Literal["cancel_tasks"]
    tasks: TaskList


ChangeBody = Annotated[
    HoldBody | ReleaseBody | RequeueBody | WalltimeBody | NiceBody | CancelTasksBody,
    Field(discriminator="change"),
]


class ChangesBody(Body):
    """The same change of several jobs; when you may not change one of them, none is changed."""

    job_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]
    change: ChangeBody


class ChangeReply(Reply):
    """A wish to change a job, and what became of it."""

    id: int
    job_id: UUID
    change: ChangeKind
    facts: dict[str, Any]
    """`walltime_seconds`, `nice`, `tasks` or `by_administrator`, as far as the change has them."""
    requested_by: str
    requested_at: datetime
    state: ChangeState
    decided_at: datetime | None
    refusal: str
    """Why not, in the scheduler's words."""


class LeftOutReply(Reply):
    """A job that cannot be changed so, as it stands, and why."""

    job_id: UUID
    problem: str


class RecordedChangeReply(Reply):
    """The number of the change recorded for one job."""

    job_id: UUID
    id: int


class ChangesReply(Reply):
    """For which jobs the wish was recorded, and for which it makes no sense."""

    changes: list[RecordedChangeReply]
    left_out: list[LeftOutReply]


class CancelReply(Reply):
    """Jobs for which the wish is new; those that are over or were asked before are left out."""

    cancelled: list[UUID]
