"""Dependencies: let a job go when the jobs it waits for allow it, or end it when they never will."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Connection, Row, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from schedulers.jobspec import Dependency, DependencyKind, JobSpec
from schedulers.jobstate import JobState

_BATCH = 1000
_OVER = (Phase.ENDED, Phase.SETTLED, Phase.REFUSED)


class Answer(Enum):
    """What a dependency says about a waiting job."""

    WAIT = auto()
    GO = auto()
    NEVER = auto()


def ask(dependency: Dependency, *, has_ended: bool, state: JobState) -> Answer:
    """What one dependency says, given where the other job stands.

    A job that the scheduler refused counts as ended and not completed. `aftercorr` is answered for the
    array as a whole: like afterok, once all tasks of the other job have ended.
    """
    if not has_ended:
        return Answer.WAIT
    completed = state is JobState.COMPLETED
    match dependency.kind:
        case DependencyKind.AFTERANY:
            return Answer.GO
        case DependencyKind.AFTEROK | DependencyKind.AFTERCORR:
            return Answer.GO if completed else Answer.NEVER
        case DependencyKind.AFTERNOTOK:
            return Answer.NEVER if completed else Answer.GO
        case _:
            assert_never(dependency.kind)


async def resolve_dependencies(context: ControllerContext) -> bool:
    """Look once at the jobs that wait for others; True when there may be more.

    Raises:
        LeaseLost: another controller is active; nothing was written.
    """
    waiting = await context.read(lambda connection: _waiting(connection, context))
    if not waiting:
        return False
    specs = {row.id: JobSpec.model_validate(row.spec) for row in waiting}
    others = await context.read(lambda connection: _others(connection, specs.values()))
    answers = {job_id: _answer(spec.dependencies, others) for job_id, spec in specs.items()}
    go = [row for row in waiting if answers[row.id] is Answer.GO]
    never = [row for row in waiting if answers[row.id] is Answer.NEVER]
    if go or never:
        await context.write(lambda connection: _write(connection, go, never, context))
    return bool(go)


def _waiting(connection: Connection, context: ControllerContext) -> Sequence[Row[Any]]:
    return connection.execute(
        select(col(Job.id), col(Job.project_id), col(Job.spec))
        .where(
            col(Job.phase) == Phase.ACCEPTED,
            col(Job.waits_for_jobs),
            col(Job.cancel_requested_at).is_(None),
            col(Job.scheduler) == context.scheduler.name,
        )
        .order_by(col(Job.id))
        .limit(_BATCH)
    ).all()


def _others(connection: Connection, specs: Iterable[JobSpec]) -> dict[UUID, tuple[bool, JobState]]:
    wanted = {dependency.job_id for spec in specs for dependency in spec.dependencies}
    rows = connection.execute(
        select(col(Job.id), col(Job.phase), col(Job.state)).where(col(Job.id).in_(wanted))
    )
    return {row.id: (row.phase in _OVER, row.state) for row in rows}


def _answer(dependencies: Sequence[Dependency], others: Mapping[UUID, tuple[bool, JobState]]) -> Answer:
    """All must allow it; one that never will decides at once."""
    answers = set()
    for dependency in dependencies:
        has_ended, state = others.get(dependency.job_id, (True, JobState.UNKNOWN))
        answers.add(ask(dependency, has_ended=has_ended, state=state))
    if Answer.NEVER in answers:
        return Answer.NEVER
    return Answer.WAIT if Answer.WAIT in answers else Answer.GO


def _write(
    connection: Connection, go: Sequence[Row[Any]], never: Sequence[Row[Any]], context: ControllerContext
) -> None:
    now = context.clock.now()
    is_waiting = (col(Job.phase) == Phase.ACCEPTED, col(Job.waits_for_jobs))
    connection.execute(
        update(Job)
        .where(col(Job.id).in_([row.id for row in go]), *is_waiting)
        .values(waits_for_jobs=False, state_reason="")
    )
    connection.execute(
        update(Job)
        .where(col(Job.id).in_([row.id for row in never]), *is_waiting)
        .values(
            phase=Phase.ENDED,
            state=JobState.CANCELLED,
            state_reason="DependencyNeverSatisfied",
            ended_at=now,
            tasks_cancelled=col(Job.tasks_total),
        )
    )
    facts = {"state": JobState.CANCELLED, "reason": "DependencyNeverSatisfied"}
    events.record(connection, [Event(row.id, row.project_id, "job.state", facts) for row in never], at=now)
