"""Dependencies: let a job go when the jobs it waits for allow it, or end it when they never will."""

import functools
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, JobTask
from schedulers.jobspec import ArraySpec, Dependency, DependencyKind, JobSpec
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

    A job that the scheduler refused counts as ended and not completed. For `aftercorr`, GO means that the
    other array has ended: `narrow` then leaves only the tasks whose counterpart completed.
    """
    if not has_ended:
        return Answer.WAIT
    completed = state is JobState.COMPLETED
    match dependency.kind:
        case DependencyKind.AFTERANY | DependencyKind.AFTERCORR:
            return Answer.GO
        case DependencyKind.AFTEROK:
            return Answer.GO if completed else Answer.NEVER
        case DependencyKind.AFTERNOTOK:
            return Answer.NEVER if completed else Answer.GO
        case _:
            assert_never(dependency.kind)


def narrow(spec: JobSpec, completed: Collection[int]) -> JobSpec | None:
    """The job with only those of its tasks whose index is in `completed`; None when none is left."""
    kept = [index for index in spec.task_indices() if index in completed]
    if len(kept) == spec.task_count:
        return spec
    if not kept or spec.array is None:
        return None
    throttle = f"%{spec.array.throttle}" if spec.array.throttle else ""
    array = ArraySpec(expression=f"{_as_ranges(kept)}{throttle}")
    return spec.model_copy(update={"array": array})


def _as_ranges(rising: Sequence[int]) -> str:
    """`0-2,5` for [0, 1, 2, 5]."""
    groups = itertools.groupby(enumerate(rising), key=lambda item: item[1] - item[0])
    runs = [[index for _, index in group] for _, group in groups]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


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
    verdicts: list[_Verdict] = []
    for row in waiting:
        spec = specs[row.id]
        match _answer(spec.dependencies, others):
            case Answer.GO:
                completed = await context.read(functools.partial(_completed_counterparts, spec=spec))
                verdicts.append(_Verdict(row, spec, spec if completed is None else narrow(spec, completed)))
            case Answer.NEVER:
                verdicts.append(_Verdict(row, spec, None))
            case Answer.WAIT:
                pass
    if verdicts:
        await context.write(lambda connection: _write(connection, verdicts, at=context.clock.now()))
    return bool(verdicts)


@dataclass(frozen=True, slots=True)
class _Verdict:
    row: AnyRow
    asked: JobSpec
    goes: JobSpec | None
    """What may start now: all of it, a part of an array, or nothing ever."""


def _completed_counterparts(connection: Connection, *, spec: JobSpec) -> set[int] | None:
    """Task indices that completed in every job that this one corresponds to; None: it does to none."""
    jobs = [item.job_id for item in spec.dependencies if item.kind is DependencyKind.AFTERCORR]
    if not jobs:
        return None
    completed = [
        set(
            connection.execute(
                select(col(JobTask.task_index)).where(
                    col(JobTask.job_id) == job_id, col(JobTask.state) == JobState.COMPLETED
                )
            ).scalars()
        )
        for job_id in jobs
    ]
    return set.intersection(*completed)


def _waiting(connection: Connection, context: ControllerContext) -> Sequence[AnyRow]:
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


def _write(connection: Connection, verdicts: Sequence[_Verdict], *, at: datetime) -> None:
    told: list[Event] = []
    for verdict in verdicts:
        job_id = verdict.row.id
        values: dict[str, Any] = {"waits_for_jobs": False}
        if verdict.goes is None:
            values |= {
                "phase": Phase.ENDED,
                "state": JobState.CANCELLED,
                "state_reason": "DependencyNeverSatisfied",
                "ended_at": at,
                "tasks_cancelled": verdict.asked.task_count,
            }
            facts = {"state": JobState.CANCELLED, "reason": "DependencyNeverSatisfied"}
            told.append(Event(job_id, verdict.row.project_id, "job.state", facts))
        else:
            values |= {
                "state_reason": "",
                "spec": verdict.goes.model_dump(mode="json", exclude_defaults=True),
                "tasks_cancelled": verdict.asked.task_count - verdict.goes.task_count,
            }
        still_waiting = (col(Job.phase) == Phase.ACCEPTED, col(Job.waits_for_jobs))
        connection.execute(update(Job).where(col(Job.id) == job_id, *still_waiting).values(values))
    events.record(connection, told, at=at)
